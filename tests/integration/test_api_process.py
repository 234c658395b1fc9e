"""The API as a real function: built by functions-framework, asked over HTTP, beside the local cloud."""

import http.client
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from functions_framework import create_app
from werkzeug.serving import make_server

from darkroom.api.core import entrypoint
from darkroom.domain.errors import ConfigurationError
from darkroom.imaging.codec import decode
from darkroom.local_cloud.api_server import ApiServer, listen
from darkroom.local_cloud.cloud import LocalCloud
from darkroom.local_cloud.worker import Handler
from darkroom.runtime.bootstrap import system
from darkroom.runtime.settings import Settings
from tests.photographs import small_jpeg
from tests.pictures import jpeg_bytes

ROOT = Path(__file__).resolve().parents[2]


def ask(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own: status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(
            method, path, body=body, headers={name.replace("_", "-"): it for name, it in headers.items()}
        )
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The function behind a real server."""
    monkeypatch.setenv("DARKROOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DARKROOM_THREADS", "1")
    # `create_app` changes these, and the other tests want them back.
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("FUNCTION_TARGET", "")
    # What another function left behind in this process must not make this one take events.
    monkeypatch.setenv("FUNCTION_SIGNATURE_TYPE", "cloudevent")
    system.cache_clear()
    entrypoint.the_api.cache_clear()
    app = create_app(target="api", source=str(ROOT / "functions" / "api" / "main.py"))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()
    system.cache_clear()
    entrypoint.the_api.cache_clear()


def test_the_function_answers_over_http(port: int) -> None:
    status, headers, body = ask(port, "GET", "/health")
    assert (status, json.loads(body)["status"]) == (200, "healthy")
    assert headers["X-Content-Type-Options"] == "nosniff"
    status, headers, body = ask(port, "POST", "/v1/adjust?brightness=0.2", jpeg_bytes(), Content_Type="image/jpeg")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert int(headers["Content-Length"]) == len(body)
    assert decode(body).picture.pixels.shape == (48, 64, 3)


def test_settings_that_are_wrong_are_a_problem_document_and_tell_nothing(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_THREADS", "many")
    status, headers, body = ask(port, "GET", "/health")
    assert (status, headers["Content-Type"]) == (500, "application/problem+json")
    assert b"many" not in body


@pytest.mark.parametrize("path", ["/favicon.ico", "/robots.txt", "/v1/%0A"])
def test_paths_that_the_framework_keeps_are_answered_like_all_others(port: int, path: str) -> None:
    status, headers, body = ask(port, "GET", path)
    assert (status, headers["Content-Type"]) == (404, "application/problem+json")
    assert json.loads(body)["code"] == "no_such_path"


def test_a_body_larger_than_the_limit_of_the_framework_itself_is_taken(port: int) -> None:
    data = jpeg_bytes() + bytes(12_000_000)  # decoders ignore what follows the end of the picture
    assert ask(port, "POST", "/v1/histogram", data, Content_Type="image/jpeg")[0] == 200


def test_a_body_beyond_the_limit_is_a_problem_document_and_the_connection_lives_to_tell(port: int) -> None:
    status, headers, body = ask(port, "POST", "/v1/histogram", bytes(33_600_000), Content_Type="image/jpeg")
    assert (status, headers["Content-Type"]) == (413, "application/problem+json")
    assert json.loads(body)["limit"] == 33_554_432


def test_whoever_is_refused_hears_it_although_the_body_was_not_read(port: int) -> None:
    status, headers, _ = ask(port, "POST", "/v1/jobs", bytes(5_000_000), Origin="https://evil.example")
    assert (status, headers["Content-Type"]) == (403, "application/problem+json")


@pytest.mark.parametrize(("pieces", "status"), [(1, 200), (34, 413)])
def test_chunked_bodies_are_counted_while_they_are_read(port: int, pieces: int, status: int) -> None:
    def chunks() -> Iterator[bytes]:
        yield jpeg_bytes()
        for _ in range(pieces):
            yield bytes(1_000_000)

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with suppress(ConnectionError):  # whoever sends too much may be hung up on before all is sent
        connection.request("POST", "/v1/histogram", body=chunks(), headers={"Content-Type": "image/jpeg"})
    assert connection.getresponse().status == status
    connection.close()


def test_fifty_clients_at_once_get_their_own_answers(port: int) -> None:
    def one(number: int) -> Any:
        if number % 2:
            status, _, body = ask(port, "POST", "/v1/histogram", small_jpeg(16 + number), Content_Type="image/jpeg")
            return status, json.loads(body).get("pixels")
        status, _, body = ask(port, "POST", "/v1/jobs?pipeline=denoise", small_jpeg(16 + number))
        return status, json.loads(body)["id"]

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(one, range(50)))
    pixels = {number: answers[number] for number in range(1, 50, 2)}
    expected = {
        n: (200, decode(small_jpeg(16 + n)).picture.height * decode(small_jpeg(16 + n)).picture.width) for n in pixels
    }
    assert pixels == expected
    jobs = [answers[number] for number in range(0, 50, 2)]
    assert {status for status, _ in jobs} == {202}
    assert len({job_id for _, job_id in jobs}) == 25
    listed = json.loads(ask(port, "GET", "/v1/jobs?limit=100")[2])["jobs"]
    assert {job["id"] for job in listed} == {job_id for _, job_id in jobs}


def test_beside_the_local_cloud_a_posted_photograph_is_developed_and_streamed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", threads=1)
    with LocalCloud(settings, workers=1, api=listen(0)) as cloud:
        cloud.wait_until(lambda: is_up(cloud.api_port or 0), timeout_s=60)
        port = cloud.api_port or 0
        status, _, body = ask(port, "POST", "/v1/jobs?pipeline=denoise", small_jpeg(64))
        assert status == 202
        job = json.loads(body)
        status, headers, events = ask(port, "GET", job["links"]["events"], Accept="text/event-stream")
        assert (status, headers["Content-Type"].split(";")[0]) == (200, "text/event-stream")
        assert b"event: end" in events
        told = json.loads(ask(port, "GET", job["links"]["job"])[2])
        assert told["status"] == "completed"
        status, headers, result = ask(port, "GET", told["links"]["result"])
        assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        assert decode(result).picture.height > 0


def test_a_hundred_megabytes_go_in_under_a_signature(tmp_path: Path) -> None:
    data = small_jpeg(64).ljust(100_000_000, b"\0")  # decoders ignore what follows the end of the picture
    with LocalCloud(Settings(home=tmp_path / "home", threads=1), workers=1, api=listen(0)) as cloud:
        cloud.wait_until(lambda: is_up(cloud.api_port or 0), timeout_s=60)
        port = cloud.api_port or 0
        wishes = json.dumps({"name": "big.jpg", "pipeline": "denoise", "size_bytes": len(data)}).encode()
        told = json.loads(ask(port, "POST", "/v1/uploads", wishes, Content_Type="application/json")[2])
        assert ask(port, told["method"], told["url"], data, **told["headers"])[0] == 200
        cloud.wait_until(lambda: ended(port, told["job"]), timeout_s=60)
        (job,) = json.loads(ask(port, "GET", told["job"])[2])["jobs"]
        assert (job["status"], job["size_bytes"]) == ("completed", 100_000_000)


def ended(port: int, path: str) -> bool:
    jobs = json.loads(ask(port, "GET", path)[2])["jobs"]
    return bool(jobs) and jobs[0]["status"] not in ("pending", "processing")


@pytest.mark.endurance
def test_the_memory_stays_flat_over_two_thousand_pictures(tmp_path: Path) -> None:
    server = ApiServer(Settings(home=tmp_path / "home", threads=1, api_rate_per_minute=100_000), listen(0))
    server.start()
    picture = small_jpeg(48)

    def enhance(_number: int) -> int:
        return ask(server.port, "POST", "/v1/enhance?pipeline=denoise", picture, Content_Type="image/jpeg")[0]

    try:
        with ThreadPoolExecutor(2) as pool:
            assert set(pool.map(enhance, range(200))) == {200}
            before = resident_mb(server.pid)
            assert set(pool.map(enhance, range(2000))) == {200}
        # A leak of the smallest picture that a call holds, 48 x 48 of three floats, would be 55 MB.
        assert resident_mb(server.pid) - before < 25
    finally:
        server.stop()


def resident_mb(pid: int | None) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1000


def test_an_api_that_died_is_started_again_at_the_same_port(tmp_path: Path) -> None:
    server = ApiServer(Settings(home=tmp_path / "home", threads=1), listen(0))
    server.start()
    first = server.pid
    try:
        # The socket is the parent's: who connects before the process listens waits, and is not refused.
        assert ask(server.port, "GET", "/version")[0] == 200
        assert first is not None
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        server.start()
        assert server.pid != first
        assert ask(server.port, "GET", "/version")[0] == 200
    finally:
        server.stop()


def test_a_port_that_is_taken_is_told() -> None:
    with listen(0) as taken, pytest.raises(ConfigurationError, match="cannot be had") as caught:
        listen(taken.getsockname()[1])
    assert caught.value.code == "port_taken"


def is_up(port: int) -> bool:
    try:
        return ask(port, "GET", "/version")[0] == 200
    except OSError:
        return False
