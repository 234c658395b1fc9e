"""The importer as a real function, which fetches over a real network from a server on this computer."""

import base64
import http.server
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from functions_framework import create_app

from darkroom.domain.envelope import decode, encode
from darkroom.domain.errors import PermanentError, TransientError
from darkroom.domain.http_errors import UnfetchableUrl
from darkroom.domain.products.batches import Batch, RowTotals
from darkroom.domain.products.messages import ProductMessage, RowRequested, RowsListed
from darkroom.domain.products.rows import Numbered, Row
from darkroom.handlers.batches import progress_of, refusals
from darkroom.handlers.imports import start_import
from darkroom.importer.fetching import with_host_limit
from darkroom.outbound.hosts import Hosts
from darkroom.runtime.bootstrap import LocalParts, local_parts, system
from darkroom.runtime.settings import Settings
from tests.contract.jobs import START
from tests.pictures import jpeg_bytes

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT / "functions" / "importer" / "main.py"
TESTED = ROOT / "tests" / "importer_main.py"
ROWS = RowTotals(accepted=3, duplicates=0, rejected=0)
BATCH = Batch(id="b" * 24, kind="import", owner="anna", created_at=START, rows=ROWS)


@dataclass
class Shop:
    """What the server answers, and what it was asked."""

    port: int = 0
    pages: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the shop's pages say."""

    def do_GET(self) -> None:
        shop: Shop = self.server.shop  # type: ignore[attr-defined]
        shop.asked.append((self.headers["Host"], self.path))
        status, body = shop.pages.get(self.path, (404, b"not here"))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", body.decode())
            body = b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Shop(port=server.server_port)
    server.shop = made  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("SHOP_PORT", str(made.port))
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalParts]:
    """The adapters of a home that the function uses, because the environment names it."""
    monkeypatch.setenv("DARKROOM_HOME", str(tmp_path / "home"))
    # `create_app` changes these, and the other tests want them back.
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("FUNCTION_TARGET", "")
    monkeypatch.setenv("FUNCTION_SIGNATURE_TYPE", "http")
    system.cache_clear()
    yield local_parts(Settings(home=tmp_path / "home"))
    system.cache_clear()


def push(message: ProductMessage, source: Path = TESTED) -> int:
    """The status with which the function answers a raw Pub/Sub push."""
    data, attributes = encode(message)
    told = {"data": base64.b64encode(data).decode(), "messageId": "17", "attributes": attributes}
    body = json.dumps({"subscription": "projects/p/subscriptions/s", "message": told, "deliveryAttempt": 1})
    app = create_app(target="on_import", source=str(source))
    app.testing = False
    return int(app.test_client().post("/", data=body, headers={"Content-Type": "application/json"}).status_code)


def picture(path: str, host: str = "shop.example", **more: str) -> Row:
    return Row(sku_id="LAMP-1", product_group_id="LAMPS", image_url=f"http://{host}{path}", **more)


def begin(*pictures: Row) -> list[RowRequested]:
    """An import of these rows, and the requests for them."""
    rows = [Numbered(row=number, picture=each) for number, each in enumerate(pictures, start=1)]
    start_import(system(), BATCH, rows)
    return [RowRequested(batch_id=BATCH.id, row=each.row, picture=each.picture) for each in rows]


def reasons() -> list[tuple[str, str]]:
    return [(each.code, each.message) for each in refusals(system(), BATCH.id, 10)]


def test_a_list_becomes_one_request_a_row(parts: LocalParts) -> None:
    requests = begin(picture("/a.jpg"), picture("/b.jpg"))
    waiting = parts.broker.lease(system().clock.now(), limit=10, subscriptions=["importer-imports"])
    assert [decode(each.data) for each in waiting] == [RowsListed(batch_id=BATCH.id, shard=0)]
    assert push(RowsListed(batch_id=BATCH.id, shard=0)) == 200
    waiting = parts.broker.lease(system().clock.now(), limit=10, subscriptions=["importer-imports"])
    assert [decode(each.data) for each in waiting] == requests


def test_a_picture_lands_in_the_uploads_bucket_with_all_that_the_row_says(parts: LocalParts, shop: Shop) -> None:
    shop.pages["/caf%C3%A9.jpg"] = (200, jpeg_bytes())
    (request,) = begin(picture("/caf%C3%A9.jpg", image_type="front"))
    assert push(request) == 200
    (info,) = parts.objects.list("uploads")
    assert parts.objects.read(info.ref) == jpeg_bytes()
    assert info.metadata == {
        "batch": BATCH.id,
        "source-url": "http://shop.example/caf%C3%A9.jpg",
        "display-name": "café.jpg",
        "label-product_group_id": "LAMPS",
        "label-sku_id": "LAMP-1",
        "label-image_type": "front",
        "owner": "anna",
    }
    assert shop.asked == [("shop.example", "/caf%C3%A9.jpg")]
    assert progress_of(system(), BATCH).jobs["pending"] == 1


def test_the_same_request_again_fetches_nothing(parts: LocalParts, shop: Shop) -> None:
    shop.pages["/a.jpg"] = (200, jpeg_bytes())
    (request,) = begin(picture("/a.jpg"))
    for _ in range(3):
        assert push(request) == 200
    assert len(shop.asked) == 1
    assert len(list(parts.objects.list("uploads"))) == 1
    assert progress_of(system(), BATCH).jobs["pending"] == 1


def test_what_is_not_there_is_refused_and_what_may_come_is_asked_for_again(parts: LocalParts, shop: Shop) -> None:
    gone, busy = begin(picture("/gone.jpg"), picture("/busy.jpg"))
    shop.pages["/busy.jpg"] = (503, b"later")
    assert (push(gone), push(busy)) == (200, 500)
    assert reasons() == [("url_failed", "shop.example answered 404")]
    shop.pages["/busy.jpg"] = (200, jpeg_bytes())
    assert push(busy) == 200
    assert progress_of(system(), BATCH).jobs["pending"] == 1


@pytest.mark.parametrize(("host", "path"), [("inside.example", "/secret"), ("shop.example", "/redirect.jpg")])
def test_what_lies_inside_is_never_fetched(parts: LocalParts, shop: Shop, host: str, path: str) -> None:
    shop.pages["/redirect.jpg"] = (302, b"http://inside.example/secret")
    (request,) = begin(picture(path, host=host))
    assert push(request) == 200
    assert reasons() == [("url_refused", "'inside.example' is not on the public internet")]
    assert ("inside.example", "/secret") not in shop.asked
    assert list(parts.objects.list("uploads")) == []


def test_the_deployed_function_refuses_this_computer(parts: LocalParts, shop: Shop) -> None:
    shop.pages["/a.jpg"] = (200, jpeg_bytes())
    here, localhost = begin(picture("/a.jpg", host="127.0.0.1"), picture("/a.jpg", host="localhost"))
    assert (push(here, REAL), push(localhost, REAL)) == (200, 200)
    assert {code for code, _ in reasons()} == {"url_refused"}
    assert shop.asked == []


def test_a_message_that_is_no_message_is_not_acknowledged(parts: LocalParts) -> None:
    app = create_app(target="on_import", source=str(REAL))
    app.testing = False
    body = json.dumps({"message": {"data": base64.b64encode(b"{}").decode(), "messageId": "1"}, "subscription": "s"})
    assert app.test_client().post("/", data=body, headers={"Content-Type": "application/json"}).status_code == 500


# Which failures are worth another try


@pytest.mark.parametrize(
    ("code", "value", "again"),
    [
        ("url_refused", None, False),
        ("url_too_large", None, False),
        ("url_failed", 404, False),
        ("url_failed", 403, False),
        ("url_failed", 410, False),
        ("url_failed", 408, True),
        ("url_failed", 429, True),
        ("url_failed", 500, True),
        ("url_failed", 503, True),
        ("url_failed", None, True),
    ],
)
def test_only_what_may_pass_is_tried_again(code: str, value: int | None, again: bool) -> None:
    def fetch(url: str) -> bytes:
        raise UnfetchableUrl("no", code=code, value=value)

    with pytest.raises(TransientError if again else PermanentError) as caught:
        with_host_limit(fetch, Hosts(1))("http://shop.example/a.jpg")
    assert caught.value.code == code


# How many at the same time


def test_no_host_is_asked_for_more_at_once_than_its_limit_and_others_need_not_wait() -> None:
    hosts, inside, most = Hosts(2), {"busy.example": 0, "idle.example": 0}, {"busy.example": 0, "idle.example": 0}
    lock, first_two = threading.Lock(), threading.Barrier(2)

    def fetch(url: str) -> bytes:
        host = url.split("/")[2]
        with lock:
            inside[host] += 1
            most[host] = max(most[host], inside[host])
        if host == "busy.example" and url.endswith(("0", "1")):
            first_two.wait(timeout=30)
        with lock:
            inside[host] -= 1
        return b"x"

    fetched = with_host_limit(fetch, hosts)
    urls = [f"http://busy.example/{number}" for number in range(8)] + ["http://idle.example/x"]
    threads = [threading.Thread(target=fetched, args=[url]) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == {"busy.example": 2, "idle.example": 1}
    assert hosts._busy == {}


def test_who_waits_too_long_for_a_host_comes_again_later() -> None:
    hosts = Hosts(1, patience_s=0.0)
    with hosts.place("shop.example"):
        with pytest.raises(TransientError, match="1 pictures were being fetched"):
            _enter(hosts)
        with hosts.place("other.example"):
            pass
    _enter(hosts)


def _enter(hosts: Hosts) -> None:
    with hosts.place("shop.example"):
        return


def test_a_place_is_given_back_when_the_fetch_fails() -> None:
    hosts = Hosts(1, patience_s=0.0)
    with pytest.raises(ValueError, match="broken"), _broken(hosts):
        pass
    _enter(hosts)


@contextmanager
def _broken(hosts: Hosts) -> Iterator[None]:
    with hosts.place("shop.example"):
        raise ValueError("broken")
        yield
