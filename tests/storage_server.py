"""A small Cloud Storage for tests: the part of the JSON API that we use, with every precondition honoured.

It shows that our adapter sends its preconditions and generations, and understands the answers. Whether the service
itself behaves so is what the same suite shows when STORAGE_EMULATOR_HOST names a faithful server.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

_OBJECT = re.compile(r"(?P<kind>/download|/upload)?/storage/v1/b/(?P<bucket>[^/]+)/o(?:/(?P<name>.+))?")
#: Objects on one page of a listing; few, so that listings have pages.
_PAGE = 3


Fault = Literal["lost", "unanswered", "spoilt"]


@dataclass
class Buckets:
    """What the server holds: resources and contents by bucket and name."""

    objects: dict[str, dict[str, tuple[dict[str, Any], bytes]]] = field(default_factory=dict)
    uploads: dict[str, tuple[dict[str, Any], dict[str, str], bytes]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    generation: int = field(default_factory=lambda: time.time_ns() // 1000)
    #: What happens to the next requests: `lost` does nothing and answers 503, `unanswered` does it and answers 503,
    #: `spoilt` does it and answers with other bytes.
    faults: list[Fault] = field(default_factory=list)

    def store(self, bucket: str, given: dict[str, Any], content: bytes) -> dict[str, Any]:
        self.generation += 1
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        crc32c = base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()
        resource = given | {
            "kind": "storage#object",
            "bucket": bucket,
            "generation": str(self.generation),
            "metageneration": "1",
            "size": str(len(content)),
            "crc32c": crc32c,
            "timeCreated": now,
            "updated": now,
        }
        self.objects[bucket][given["name"]] = (resource, content)
        return resource


class _Refused(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    buckets: Buckets

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_PUT(self) -> None:
        self._answer(self._put)

    def do_DELETE(self) -> None:
        self._answer(self._delete)

    def handle(self) -> None:
        # A client that drops its idle connection is no failure of the server.
        with suppress(ConnectionResetError):
            super().handle()

    def log_message(self, *args: object) -> None:
        """Nothing: a test's output is for its failures."""

    def _answer(self, respond: Any) -> None:
        url = urlsplit(self.path)
        self.query = {key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        match = _OBJECT.fullmatch(url.path)
        self.where = {key: unquote(value or "") for key, value in match.groupdict().items()} if match else {}
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            with self.buckets.lock:
                status, headers, body = self._faulty(respond)
        except _Refused as refused:
            status, headers, body = refused.status, {}, b"{}"
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _faulty(self, respond: Any) -> tuple[int, dict[str, str], bytes]:
        if not self.buckets.faults:
            answer: tuple[int, dict[str, str], bytes] = respond()
            return answer
        fault = self.buckets.faults.pop(0)
        if fault == "spoilt":
            status, headers, body = respond()
            return status, headers, bytes(255 - byte for byte in body)
        if fault == "unanswered":
            respond()
        raise _Refused(503)

    def _get(self) -> tuple[int, dict[str, str], bytes]:
        if not self.where:
            return 200, {}, b"OK"
        if not self.where["name"]:
            return self._json(self._page())
        resource, content = self._found(self._bucket(), self.where["name"])
        if self.query.get("alt") != "media":
            return self._json(resource)
        return 200, {"Content-Type": resource["contentType"], "X-Goog-Hash": f"crc32c={resource['crc32c']}"}, content

    def _page(self) -> dict[str, Any]:
        prefix, after = self.query.get("prefix", ""), self.query.get("pageToken", "")
        bucket = self._bucket()
        names = sorted((name for name in bucket if name.startswith(prefix) and name > after), key=str.encode)
        token = {"nextPageToken": names[_PAGE - 1]} if len(names) > _PAGE else {}
        return {"items": [bucket[name][0] for name in names[:_PAGE]]} | token

    def _post(self) -> tuple[int, dict[str, str], bytes]:
        if not self.where:
            self.buckets.objects[json.loads(self.body)["name"]] = {}
            return self._json(json.loads(self.body))
        if self.query["uploadType"] == "resumable":
            return self._begin()
        header = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        given, media = message_from_bytes(header + self.body, policy=HTTP).iter_parts()
        boundary = re.search(rb'boundary="?([^";]+)', header)
        assert boundary
        # The parser of mail changes line ends in bodies; the content lies between the last part's header and boundary.
        part = self.body.split(b"--" + boundary[1])[2]
        content = part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
        resource = json.loads(given.get_content()) | {"contentType": media["content-type"]}
        return self._stored(self.where["bucket"], self.query, resource, content)

    def _begin(self) -> tuple[int, dict[str, str], bytes]:
        self._bucket()
        number = str(len(self.buckets.uploads))
        resource = json.loads(self.body) | {"contentType": self.headers["X-Upload-Content-Type"]}
        self.buckets.uploads[number] = (resource, self.query | {"bucket": self.where["bucket"]}, b"")
        host, port = self.server.server_address[:2]
        return 200, {"Location": f"http://{host!s}:{port}/upload?upload_id={number}"}, b""

    def _put(self) -> tuple[int, dict[str, str], bytes]:
        resource, query, content = self.buckets.uploads[self.query["upload_id"]]
        content += self.body
        self.buckets.uploads[self.query["upload_id"]] = (resource, query, content)
        if not self.headers["Content-Range"].endswith(f"/{len(content)}"):
            return 308, {"Range": f"bytes=0-{len(content) - 1}"}, b""
        return self._stored(query["bucket"], query, resource, content)

    def _stored(
        self, bucket: str, query: dict[str, str], resource: dict[str, Any], content: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        live = self._bucket(bucket).get(resource["name"])
        wanted = query.get("ifGenerationMatch")
        if wanted is not None and wanted != (live[0]["generation"] if live else "0"):
            raise _Refused(412)
        stored = self.buckets.store(bucket, resource, content)
        if resource.get("crc32c", stored["crc32c"]) != stored["crc32c"]:
            raise _Refused(400)
        return self._json(stored)

    def _delete(self) -> tuple[int, dict[str, str], bytes]:
        bucket = self._bucket()
        resource, _ = self._found(bucket, self.where["name"])
        if self.query.get("ifGenerationMatch", resource["generation"]) != resource["generation"]:
            raise _Refused(412)
        del bucket[self.where["name"]]
        return 204, {}, b""

    def _bucket(self, name: str | None = None) -> dict[str, tuple[dict[str, Any], bytes]]:
        bucket = self.buckets.objects.get(name or self.where["bucket"])
        if bucket is None:
            raise _Refused(404)
        return bucket

    def _found(self, bucket: dict[str, tuple[dict[str, Any], bytes]], name: str) -> tuple[dict[str, Any], bytes]:
        found = bucket.get(name)
        if found is None or self.query.get("generation", found[0]["generation"]) != found[0]["generation"]:
            raise _Refused(404)
        return found

    def _json(self, value: object) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


@contextmanager
def storage_server() -> Iterator[tuple[str, Buckets]]:
    """The URL of a server of its own, and what it holds: no buckets yet."""
    buckets = Buckets()
    handler = type("Handler", (_Handler,), {"buckets": buckets})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", buckets
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
