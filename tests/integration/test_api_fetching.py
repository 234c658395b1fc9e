"""A URL that a stranger names is fetched from the public internet or not at all."""

import http.server
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from darkroom.domain.http_errors import UnfetchableUrl
from darkroom.outbound.addresses import is_public
from darkroom.outbound.fetching import Fetcher
from tests.api_client import service
from tests.pictures import jpeg_bytes

PUBLIC = "93.184.216.34"
PUBLIC_V6 = "2606:2800:220:1:248:1893:25c8:1946"

#: Addresses inside, all of which some trick makes reachable from outside.
INSIDE = ("169.254.169.254", "127.0.0.1", "10.0.0.1", "192.168.1.1", "100.64.0.1")


def embedded(text: str) -> dict[str, str]:
    """Every form in which an IPv6 address carries an IPv4 one."""
    v4 = int(IPv4Address(text))
    forms = {
        "IPv4-mapped": (0xFFFF << 32) | v4,
        "IPv4-compatible": v4,
        "IPv4-translated": (0xFFFF << 48) | v4,
        "NAT64": (0x64FF9B << 96) | v4,
        "local NAT64": (0x64FF9B0001 << 80) | v4,
        "6to4": (0x2002 << 112) | (v4 << 80),
        "Teredo server": (0x20010000 << 96) | (v4 << 64),
        "Teredo client": (0x20010000 << 96) | (v4 ^ 0xFFFFFFFF),
        "ISATAP": (0x20010DB9 << 96) | (0x5EFE << 32) | v4,
        "global ISATAP": (0x26062800 << 96) | (0x02005EFE << 32) | v4,
    }
    return {name: str(IPv6Address(value)) for name, value in forms.items()}


SPECIAL = [
    "0.0.0.0",
    "0.1.2.3",
    "10.255.255.255",
    "100.127.255.255",
    "127.8.9.1",
    "169.254.0.1",
    "172.16.0.1",
    "172.31.255.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "2001:10::1",
    "2001:20::1",
    "3fff::1",
    "5f00::1",
    "64:ff9b::1",
    "not an address",
    "",
    "1.2.3",
    "0x7f.1",
    "2130706433",
    "127.1",
]


@pytest.mark.parametrize("address", SPECIAL)
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("inside", INSIDE)
def test_no_embedded_form_of_an_inside_address_is_public(inside: str) -> None:
    assert not is_public(inside)
    assert [name for name, address in embedded(inside).items() if is_public(address)] == []


@pytest.mark.parametrize(
    "address",
    [
        PUBLIC,
        PUBLIC_V6,
        "1.1.1.1",
        "172.15.255.255",
        "172.32.0.1",
        "100.63.0.1",
        "100.128.0.1",
        "8.8.8.8",
        "2a00:1450:4001:80b::200e",
        "223.255.255.255",
    ],
)
def test_ordinary_addresses_are_public(address: str) -> None:
    assert is_public(address)


@dataclass
class Web:
    """A server on this computer that plays the whole internet: names, their addresses, and what each path answers."""

    port: int
    #: Addresses of each name, one list for each time that it is asked for; the last one stays.
    names: dict[str, list[list[str]]] = field(default_factory=dict)
    #: What each path answers: status, headers, body.
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    resolved: list[str] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def resolve(self, host: str, port: int) -> list[str]:
        self.resolved.append(host)
        found = self.names.get(host)
        if found is None:
            # Numbers are their own address, in every spelling that the C library takes.
            return [str(each[4][0]) for each in socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)]
        return found.pop(0) if len(found) > 1 else found[0]

    def connect(self, address: str, port: int, timeout_s: float) -> socket.socket:
        self.connected.append((address, port))
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)

    def fetcher(self, **more: Any) -> Fetcher:
        return Fetcher(resolve=self.resolve, connect=self.connect, **more)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the web's pages say."""

    def do_GET(self) -> None:
        web: Web = self.server.web  # type: ignore[attr-defined]
        web.asked.append((self.headers["Host"], self.path))
        status, headers, body = web.pages[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.path == "/drip":
            self._drip()
        self.wfile.write(body)

    def _drip(self) -> None:
        for _ in range(200):
            self.wfile.write(b"x")
            self.wfile.flush()
            self.server.pause.wait(0.02)  # type: ignore[attr-defined]

    def log_message(self, *args: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """Says nothing when a client hangs up, which these tests make them do."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[Web]:
    server = Server(("127.0.0.1", 0), Handler)
    made = Web(port=server.server_port, names={"shop.example": [[PUBLIC]]})
    server.web, server.pause = made, threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    server.pause.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_picture_is_fetched_from_the_address_that_was_checked(web: Web) -> None:
    web.pages["/a.jpg?w=1"] = (200, {}, jpeg_bytes())
    assert web.fetcher()("http://shop.example/a.jpg?w=1") == jpeg_bytes()
    assert (web.connected, web.asked) == ([(PUBLIC, 80)], [("shop.example", "/a.jpg?w=1")])


def test_a_name_that_changes_its_address_after_the_check_gains_nothing(web: Web) -> None:
    """DNS rebinding: the second look would find this computer, and there is no second look."""
    web.names["evil.example"] = [[PUBLIC], ["127.0.0.1"]]
    web.pages["/"] = (200, {}, b"picture")
    assert web.fetcher()("http://evil.example/") == b"picture"
    assert (web.resolved, web.connected) == (["evil.example"], [(PUBLIC, 80)])


@pytest.mark.parametrize("inside", INSIDE)
def test_a_name_of_an_inside_address_is_refused_before_anything_is_sent(web: Web, inside: str) -> None:
    forms = {"plain": inside, **embedded(inside)}
    for name, address in forms.items():
        web.names["evil.example"] = [[address]]
        with pytest.raises(UnfetchableUrl, match="not on the public internet") as caught:
            web.fetcher()("http://evil.example/latest/meta-data/")
        assert inside not in str(caught.value), name
    assert web.connected == []


def test_one_inside_address_among_public_ones_is_enough_to_refuse(web: Web) -> None:
    web.names["evil.example"] = [[PUBLIC, "10.0.0.1"]]
    with pytest.raises(UnfetchableUrl, match="not on the public internet"):
        web.fetcher()("http://evil.example/")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:169.254.169.254]",
        "169.254.169.254",
        "0",
        "[fe80::1]",
        "[64:ff9b::a9fe:a9fe]",
    ],
)
def test_numbers_in_every_spelling_are_refused(web: Web, host: str) -> None:
    with pytest.raises(UnfetchableUrl):
        web.fetcher()(f"http://{host}/")
    assert web.connected == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_new_hop_with_a_new_check(web: Web, status: int) -> None:
    web.names["evil.example"] = [["169.254.169.254"]]
    web.pages["/go"] = (status, {"Location": "http://evil.example/latest/meta-data/"}, b"")
    with pytest.raises(UnfetchableUrl, match="not on the public internet"):
        web.fetcher()("http://shop.example/go")
    assert web.connected == [(PUBLIC, 80)]


def test_a_redirect_within_the_public_internet_is_followed(web: Web) -> None:
    web.names["cdn.example"] = [[PUBLIC]]
    web.pages["/go"] = (302, {"Location": "//cdn.example/b"}, b"")
    web.pages["/b"] = (302, {"Location": "c"}, b"")
    web.pages["/c"] = (200, {}, b"picture")
    assert web.fetcher()("http://shop.example/go") == b"picture"
    assert web.asked == [("shop.example", "/go"), ("cdn.example", "/b"), ("cdn.example", "/c")]


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://x/", "http://u:p@shop.example/", "http://shop.example:22/"]
)
def test_a_redirect_to_anything_but_a_plain_web_page_is_refused(web: Web, location: str) -> None:
    web.pages["/go"] = (302, {"Location": location}, b"")
    with pytest.raises(UnfetchableUrl):
        web.fetcher()("http://shop.example/go")
    assert len(web.connected) == 1


def test_a_circle_of_redirects_ends(web: Web) -> None:
    web.pages["/go"] = (302, {"Location": "/go"}, b"")
    with pytest.raises(UnfetchableUrl, match="more than 5 redirects"):
        web.fetcher()("http://shop.example/go")
    assert len(web.asked) == 6


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "file:///etc/passwd",
        "shop.example/a.jpg",
        "http://",
        "http:///a",
        "http://shop.example:6379/",
        "http://user:pw@shop.example/",
        "http://user@shop.example/",
        "http://shop.example:99999/",
        "http://[::1",
        "javascript:1",
        "http://shop.example/a b\r\nX: y",
    ],
)
def test_what_is_no_plain_web_address_is_refused_unresolved(web: Web, url: str) -> None:
    web.pages["/a bX: y"] = (200, {}, b"")
    with pytest.raises(UnfetchableUrl):
        web.fetcher()(url)


def test_more_bytes_than_allowed_are_not_read(web: Web) -> None:
    web.pages["/a"] = (200, {}, bytes(300_000))
    with pytest.raises(UnfetchableUrl, match="more than 100000 bytes") as caught:
        web.fetcher(max_bytes=100_000)("http://shop.example/a")
    assert (caught.value.code, caught.value.limit) == ("url_too_large", 100_000)


def test_a_server_that_drips_is_cut_off(web: Web) -> None:
    web.pages["/drip"] = (200, {}, b"")
    with pytest.raises(UnfetchableUrl, match=r"shop\.example took more than 0\.3 s"):
        web.fetcher(max_seconds=0.3)("http://shop.example/drip")


def test_an_answer_that_breaks_off_is_no_picture(web: Web) -> None:
    web.pages["/a"] = (200, {"Content-Length": "1000"}, b"x" * 10)
    with pytest.raises(UnfetchableUrl):
        web.fetcher(max_seconds=5)("http://shop.example/a")


@pytest.mark.parametrize("status", [204, 304, 400, 404, 500])
def test_any_answer_but_200_is_told(web: Web, status: int) -> None:
    web.pages["/a"] = (status, {}, b"")
    with pytest.raises(UnfetchableUrl, match=f"shop.example answered {status}"):
        web.fetcher()("http://shop.example/a")


def test_a_name_that_nobody_knows_is_told(web: Web) -> None:
    with pytest.raises(UnfetchableUrl, match="cannot be resolved"):
        web.fetcher()("http://nobody.example/")


@pytest.mark.parametrize("host", ["...", "a..example", "a" * 64])
def test_a_name_that_no_host_can_have_is_refused_for_good(web: Web, host: str) -> None:
    with pytest.raises(UnfetchableUrl) as caught:
        web.fetcher()(f"http://{host}/")
    assert caught.value.code == "url_refused"
    assert web.connected == []


def test_a_certificate_that_nobody_vouches_for_is_refused(web: Web) -> None:
    with pytest.raises(UnfetchableUrl, match="could not be read"):
        web.fetcher(max_seconds=5)("https://shop.example/")


def test_over_http_a_url_becomes_a_job_or_a_problem(web: Web) -> None:
    web.pages["/a.jpg"] = (200, {"Content-Type": "text/html"}, jpeg_bytes())
    web.pages["/page"] = (200, {"Content-Type": "image/jpeg"}, b"<html>")
    api = service(fetch=web.fetcher())
    assert api.client.post("/v1/jobs", json={"url": "http://shop.example/a.jpg"}).status_code == 202
    page = api.client.post("/v1/jobs", json={"url": "http://shop.example/page"})
    assert (page.status_code, page.get_json()["code"]) == (415, "unsupported_format")
    inside = api.client.post("/v1/enhance", json={"url": "http://169.254.169.254/computeMetadata/v1/"})
    assert (inside.status_code, inside.get_json()["code"]) == (422, "url_refused")
