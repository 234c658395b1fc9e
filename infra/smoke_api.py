"""Checks that the deployed HTTP API accepts a photograph and returns the result.

`python -m infra.smoke_api URL PRESET` reads the health, posts a generated picture, waits for its job, fetches
the result, does the same by a signed upload, and deletes both jobs. It exits with 1 and one line at the first
wrong response.

Two secrets come by the environment: `SMOKE_API_KEY`, a key with the role submitter, and, if the function is
not public, `SMOKE_ID_TOKEN`, an ID token of Google for its URL. It needs Python and nothing else, since it runs where
the packages of this repository are not installed.
"""

import json
import os
import random
import struct
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urljoin
from urllib.request import Request, urlopen

TIMEOUT_S = 600.0
PAUSE_S = 2.0
#: One request; the first may wait for a cold start.
REQUEST_TIMEOUT_S = 120.0
UNDER_WAY = ("pending", "processing")
#: First bytes of what a preset may answer with.
PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF")


class Failed(Exception):
    """The API sent a wrong response; the message is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The API for one caller."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = TIMEOUT_S
    pause_s: float = PAUSE_S

    def fetch(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        """The body of an answer below 400. Raises Failed. Secrets are not sent to a signed URL of another server."""
        url = urljoin(self.url, path)
        own = self.headers if url.startswith(self.url) else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            with urlopen(Request(url, body, {**own, **named}, method=method), timeout=REQUEST_TIMEOUT_S) as answer:
                return bytes(answer.read())
        except HTTPError as error:
            text = error.read(500).decode(errors="replace")
            raise Failed(f"{method} {path.partition('?')[0]} was answered {error.code}: {text}") from error
        except URLError as error:
            raise Failed(f"{method} {path.partition('?')[0]} was not answered: {error.reason}") from error

    def request_json(self, method: str, path: str, body: bytes | None = None, **headers: str) -> dict[str, Any]:
        """The JSON document of an answer."""
        document: dict[str, Any] = json.loads(self.fetch(method, path, body, **headers))
        return document

    def wait(self, find: Callable[[], dict[str, Any] | None], what: str) -> dict[str, Any]:
        """What `find` gives as soon as it is no longer under way. Raises Failed when the time is over."""
        end = time.monotonic() + self.timeout_s
        while (found := find()) is None or found["status"] in UNDER_WAY:
            if time.monotonic() > end:
                raise Failed(f"{what} is {found['status'] if found else 'not there'} after {self.timeout_s:g} s")
            time.sleep(self.pause_s)
        return found


def check_health(api: Api) -> None:
    """Raises Failed unless the service and its backend are well."""
    health = api.request_json("GET", "/health")
    if health["status"] != "healthy" or not health["models"]:
        raise Failed(f"the service is {health['status']} and has {len(health['models'])} models")


def check_post(api: Api, preset: str) -> None:
    """Post a photograph and check its result."""
    job = api.request_json("POST", f"/v1/jobs?pipeline={quote(preset)}", photograph(), Content_Type="image/png")
    check_job(api, api.wait(lambda: api.request_json("GET", job["links"]["job"]), f"job {job['id']}"))


def check_signed_upload(api: Api, preset: str) -> None:
    """Upload a photograph with a signed URL and check its result."""
    data = photograph()
    options = {"name": "smoke.png", "pipeline": preset, "content_type": "image/png", "size_bytes": len(data)}
    signed = api.request_json("POST", "/v1/uploads", json.dumps(options).encode(), Content_Type="application/json")
    api.fetch(signed["method"], signed["url"], data, **signed["headers"])
    found = api.wait(lambda: next(iter(api.request_json("GET", signed["job"])["jobs"]), None), "the upload's job")
    check_job(api, found)


def check_job(api: Api, job: Mapping[str, Any]) -> None:
    """Raises Failed unless the job is completed and its result a picture; deletes it then."""
    if job["status"] != "completed":
        raise Failed(f"job {job['id']} is {job['status']}: {job.get('error')}")
    result = api.fetch("GET", job["links"]["result"])
    if not result.startswith(PICTURES):
        raise Failed(f"the result of job {job['id']} begins with {result[:8]!r} and is not a picture")
    api.fetch("DELETE", job["links"]["job"])


def photograph(size: int = 320) -> bytes:
    """A grey PNG with structure in it: a gradient under noise."""
    noise = random.Random(20)
    lines = (bytes(i * 200 // size + noise.randrange(56) for i in range(size)) for _ in range(size))
    rows = b"".join(b"\0" + line for line in lines)
    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def secret_headers(environment: Mapping[str, str]) -> dict[str, str]:
    """The headers that authenticate the caller to the function and to the API.

    Cloud Run takes the signature off a token in `Authorization`, which leaves that header to the API's own key.
    """
    headers = {}
    if key := environment.get("SMOKE_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    if token := environment.get("SMOKE_ID_TOKEN"):
        headers["X-Serverless-Authorization"] = f"Bearer {token}"
    return headers


def smoke(api: Api, preset: str) -> None:
    """Run every check. Raises Failed."""
    check_health(api)
    check_post(api, preset)
    check_signed_upload(api, preset)


def main(arguments: Sequence[str]) -> int:
    url, preset = arguments
    try:
        smoke(Api(url=url.rstrip("/") + "/", headers=secret_headers(os.environ)), preset)
    except Failed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    sys.stdout.write(f"{url} processes photographs\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
