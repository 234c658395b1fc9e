"""Fetches a picture from an untrusted URL.

Every hop does the same: parse the URL, resolve its name once, refuse it unless every address is public, connect to
that address, and follow a redirect only as a new hop. The limits on bytes, time and hops apply to all hops together.

    url ─▶ scheme, port, no password ─▶ resolve once ─▶ all public? ─▶ connect to that address ─▶ 200: bytes
     ▲                                                                                              │
     └───────────────────────────────────── redirect, at most 5 ────────────────────────────────────┘
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from darkroom import __version__
from darkroom.domain.http_errors import UnfetchableUrl
from darkroom.outbound.addresses import is_public

Resolve = Callable[[str, int], list[str]]
Connect = Callable[[str, int, float], socket.socket]

_PORTS = {"http": (80, 8080), "https": (443, 8443)}
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK_BYTES = 65_536


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a name, as numbers."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def connect(address: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to a numeric address."""
    return socket.create_connection((address, port), timeout=timeout_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Fetches within limits. Resolving and connecting can be replaced, for tests that need a network of their own."""

    resolve: Resolve = resolve
    connect: Connect = connect
    max_bytes: int = 32 * 1024 * 1024
    #: Over all hops.
    max_seconds: float = 20.0
    max_redirects: int = 5
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context

    def __call__(self, url: str) -> bytes:
        """The bytes behind a URL. Raises UnfetchableUrl, which reveals nothing about the internal network."""
        deadline = time.monotonic() + self.max_seconds
        for _ in range(self.max_redirects + 1):
            found = self._hop(_parts(url), deadline)
            if isinstance(found, bytes):
                return found
            url = urljoin(url, found)
        raise UnfetchableUrl(f"more than {self.max_redirects} redirects", code="url_failed", limit=self.max_redirects)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post to a URL under the same guard; a redirect is a refusal. Raises UnfetchableUrl."""
        deadline = time.monotonic() + self.max_seconds
        parts = _parts(url)
        host, port = _host_and_port(parts)
        address = self._checked_address(host, port)
        with self._guarded(host, deadline), self._connected(parts, address, deadline) as connection:
            sent = {"User-Agent": f"darkroom/{__version__}", **headers}
            connection.request("POST", _target(parts), body=body, headers=sent)
            status = connection.getresponse().status
        if not 200 <= status < 300:
            raise UnfetchableUrl(f"{host} answered {status}", code="url_failed", value=status)

    def _hop(self, parts: SplitResult, deadline: float) -> bytes | str:
        """The bytes, or the address to which the server redirects."""
        host, port = _host_and_port(parts)
        address = self._checked_address(host, port)
        with self._guarded(host, deadline), self._connected(parts, address, deadline) as connection:
            headers = {"User-Agent": f"darkroom/{__version__}", "Accept": "image/*", "Accept-Encoding": "identity"}
            connection.request("GET", _target(parts), headers=headers)
            response = connection.getresponse()
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location:
                return location
            if response.status != http.client.OK:
                raise UnfetchableUrl(f"{host} answered {response.status}", code="url_failed", value=response.status)
            return self._read(response)

    def _checked_address(self, host: str, port: int) -> str:
        try:
            addresses = self.resolve(host, port)
        except UnicodeError as exc:  # a part of it is empty or too long, and stays so
            raise UnfetchableUrl(f"{host[:200]!r} is no name that a host can have") from exc
        except OSError as exc:
            raise UnfetchableUrl(f"{host[:200]!r} cannot be resolved", code="url_failed") from exc
        # One address that is not public is enough for a refusal: a second resolution could return any of them.
        if not addresses or not all(is_public(address) for address in addresses):
            raise UnfetchableUrl(f"{host[:200]!r} is not on the public internet")
        return addresses[0]

    @contextmanager
    def _guarded(self, host: str, deadline: float) -> Iterator[None]:
        """Translate errors of the network; detect an answer that was cut off."""
        try:
            yield
            if time.monotonic() >= deadline:
                raise TimeoutError
        except (OSError, http.client.HTTPException, ValueError) as exc:
            if time.monotonic() >= deadline:
                limit = self.max_seconds
                raise UnfetchableUrl(f"{host} took more than {limit:g} s", code="url_failed", limit=limit) from exc
            raise UnfetchableUrl(f"{host} could not be read: {type(exc).__name__}", code="url_failed") from exc

    @contextmanager
    def _connected(self, parts: SplitResult, address: str, deadline: float) -> Iterator[http.client.HTTPConnection]:
        """A connection to the checked address, cut when the time is over, however slowly the server drips."""
        host, port = _host_and_port(parts)
        left_s = max(deadline - time.monotonic(), 0.001)
        plain = self.connect(address, port, left_s)
        cut = threading.Timer(left_s, _cut, [plain])
        cut.daemon = True
        cut.start()
        connection = http.client.HTTPConnection(parts.netloc)
        try:
            connection.sock = self.tls().wrap_socket(plain, server_hostname=host) if parts.scheme == "https" else plain
            yield connection
        finally:
            cut.cancel()
            connection.close()
            plain.close()

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        data = bytearray()
        while chunk := response.read1(_CHUNK_BYTES):
            data += chunk
            if len(data) > self.max_bytes:
                raise UnfetchableUrl(
                    f"the picture has more than {self.max_bytes} bytes", code="url_too_large", limit=self.max_bytes
                )
        declared = response.headers.get("Content-Length", "")
        if declared.isascii() and declared.isdigit() and int(declared) != len(data):
            raise UnfetchableUrl(f"{len(data)} of {declared[:20]} bytes came", code="url_failed")
        return bytes(data)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it was closed a moment before


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as exc:
        raise UnfetchableUrl(f"{url[:200]!r} is no URL: {exc}") from exc
    if parts.scheme not in _PORTS or not parts.hostname:
        raise UnfetchableUrl(f"{url[:200]!r} is no http or https URL with a host")
    if parts.username is not None or parts.password is not None:
        raise UnfetchableUrl("a URL with a user name or password is not fetched")
    return parts


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    known = _PORTS[parts.scheme]
    port = parts.port if parts.port is not None else known[0]
    if port not in known:
        raise UnfetchableUrl(f"port {port} is none of {', '.join(map(str, known))}", value=port)
    assert parts.hostname is not None
    return parts.hostname, port


#: To the public internet.
fetch = Fetcher()
