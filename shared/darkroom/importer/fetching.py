"""Decides which failures of a fetch are retried.

A URL that the guard refuses, a body that is too large and an object that the server reports as missing are final.
Everything else may pass: a timeout, a broken connection, a name that does not resolve now, a server that is busy or
fails.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from darkroom.domain.errors import PermanentError, TransientError
from darkroom.domain.http_errors import UnfetchableUrl
from darkroom.handlers.imports import Fetch
from darkroom.handlers.webhooks import Post
from darkroom.outbound.fetching import Fetcher
from darkroom.outbound.hosts import Hosts

#: Statuses below 500 that ask to come again: RFC 9110 (408), RFC 8470 (425), RFC 6585 (429).
_COME_AGAIN = (408, 425, 429)


def persistent(fetcher: Fetcher) -> Post:
    """The fetcher's `post` with errors that say whether to try again."""

    def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
        try:
            fetcher.post(url, body, headers)
        except UnfetchableUrl as exc:
            raise _translated(exc) from exc

    return post


def polite(fetch: Callable[[str], bytes], hosts: Hosts) -> Fetch:
    """`fetch` with the limit of each host, and with errors that say whether to try again."""

    def fetched(url: str) -> bytes:
        with hosts.place(urlsplit(url).hostname or ""):
            try:
                return fetch(url)
            except UnfetchableUrl as exc:
                raise _translated(exc) from exc

    return fetched


def _translated(exc: UnfetchableUrl) -> PermanentError | TransientError:
    kind = TransientError if _may_pass(exc) else PermanentError
    return kind(str(exc), code=exc.code)


def _may_pass(exc: UnfetchableUrl) -> bool:
    """Whether another try may succeed."""
    if exc.code != "url_failed":
        return False
    status = exc.value if isinstance(exc.value, int) else None
    return status is None or status >= 500 or status in _COME_AGAIN
