"""Limits requests to one host, and classifies network errors as transient or permanent.

These errors are permanent: an address that the guard refuses, a picture that is too large, a 4xx status. All others
are transient: a timeout, a broken connection, a host name that does not resolve, a busy or broken server.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from darkroom.domain.errors import PermanentError, TransientError
from darkroom.domain.http_errors import UnfetchableUrl
from darkroom.handlers.imports import Fetch
from darkroom.handlers.webhooks import Post
from darkroom.outbound.fetching import Fetcher
from darkroom.outbound.hosts import Hosts

#: Statuses below 500 that are transient: RFC 9110 (408), RFC 8470 (425), RFC 6585 (429).
_COME_AGAIN = (408, 425, 429)


def with_retry_classification(fetcher: Fetcher) -> Post:
    """The fetcher's `post`, which raises TransientError or PermanentError."""

    def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
        try:
            fetcher.post(url, body, headers)
        except UnfetchableUrl as exc:
            raise _classified(exc) from exc

    return post


def with_host_limit(fetch: Callable[[str], bytes], hosts: Hosts) -> Fetch:
    """`fetch` with a limit of concurrent requests for each host, which raises TransientError or PermanentError."""

    def fetched(url: str) -> bytes:
        with hosts.place(urlsplit(url).hostname or ""):
            try:
                return fetch(url)
            except UnfetchableUrl as exc:
                raise _classified(exc) from exc

    return fetched


def _classified(exc: UnfetchableUrl) -> PermanentError | TransientError:
    kind = TransientError if _is_transient(exc) else PermanentError
    return kind(str(exc), code=exc.code)


def _is_transient(exc: UnfetchableUrl) -> bool:
    """Whether a retry may succeed."""
    if exc.code != "url_failed":
        return False
    status = exc.value if isinstance(exc.value, int) else None
    return status is None or status >= 500 or status in _COME_AGAIN
