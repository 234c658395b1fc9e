"""Many requests at once: memory, threads and queues stay bounded, and who does not fit is told when to come again."""

import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from darkroom.api.core.admission import AdmissionQueue
from darkroom.domain.http_errors import Busy
from darkroom.local_cloud.api_server import ApiServer, listen
from darkroom.local_cloud.bounded_server import RETRY_AFTER_S, BoundedServer
from darkroom.runtime.settings import Settings
from tests.api_client import service
from tests.pictures import jpeg_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

MIB = 1024 * 1024


def test_a_room_lets_in_as_many_units_as_it_has_and_refuses_the_others_at_once() -> None:
    room = AdmissionQueue(10, waiting=0, what="pictures")
    with room.admit(6), room.admit(4), pytest.raises(Busy, match="too many pictures") as refused, room.admit(1):
        pass
    assert refused.value.retry_after_s
    with room.admit(10):
        pass


def test_more_units_than_the_room_has_take_all_of_it() -> None:
    room = AdmissionQueue(10, waiting=0, what="pictures")
    with room.admit(1000), pytest.raises(Busy), room.admit(1):
        pass


def test_who_waits_in_the_queue_comes_in_when_somebody_leaves() -> None:
    room, inside = AdmissionQueue(1, waiting=1, what="bodies"), threading.Event()

    def enter() -> None:
        with room.admit(1):
            inside.set()

    with room.admit(1):
        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not inside.wait(0.05)
    waiting.join()
    assert inside.is_set()


def test_who_waits_too_long_is_refused_and_leaves_the_queue() -> None:
    room = AdmissionQueue(1, waiting=1, what="bodies", wait_s=0.01)
    with room.admit(1):
        for _ in range(3):
            with pytest.raises(Busy, match=r"for 0\.01 s"), room.admit(1):
                pass


@pytest.mark.parametrize("path", ["/v1/enhance?pipeline=optimize", "/v1/adjust", "/v1/histogram", "/process"])
def test_when_the_queue_of_pictures_is_full_the_answer_is_503_at_once(path: str) -> None:
    api = service()
    with api.api.app.pictures.admit(10**6):
        answer = api.client.post(path, data=jpeg_bytes())
        assert (answer.status_code, answer.get_json()["code"]) == (503, "busy")
        assert int(answer.headers["Retry-After"]) > 0
        assert api.post_job().status_code == 202, "a job is made all the same"
        assert api.client.get("/v1/presets").status_code == 200
    assert api.client.post(path, data=jpeg_bytes()).status_code == 200


def test_a_refused_picture_leaves_its_place_to_the_next_one() -> None:
    api = service(slots=1)
    for _ in range(30):
        assert api.client.post("/v1/enhance", data=b"no picture").status_code == 415
    assert api.client.post("/v1/enhance?pipeline=optimize", data=jpeg_bytes()).status_code == 200


def test_a_body_that_breaks_off_is_refused_and_makes_no_job() -> None:
    api = service()
    told = {"CONTENT_LENGTH": str(len(jpeg_bytes()) + 100)}
    answer = api.client.post(
        "/v1/jobs", input_stream=BytesIO(jpeg_bytes()), content_type="image/jpeg", environ_overrides=told
    )
    assert answer.status_code == 400
    assert list(api.world.raw_objects.list("uploads")) == []


def test_many_large_bodies_at_the_same_time_take_the_memory_of_a_few(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    server = ApiServer(Settings(home=tmp_path), listen(0))
    server.start()
    url = f"http://127.0.0.1:{server.port}"
    body = jpeg_bytes() + bytes(30 * MIB)
    try:
        requests.get(f"{url}/health").raise_for_status()
        before = _peak_mib(server)
        with ThreadPoolExecutor(16) as pool:
            found = Counter(pool.map(lambda _: requests.post(f"{url}/v1/jobs", data=body).status_code, range(16)))
        grown = _peak_mib(server) - before
    finally:
        server.stop()
    assert found == {202: 16}
    # Without a limit it is the bodies themselves, 480 MiB, at least.
    assert grown < 320, f"{grown:.0f} MiB"


def _peak_mib(server: ApiServer) -> float:
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def test_the_server_refuses_connections_beyond_its_threads_at_once() -> None:
    going_on = threading.Event()

    def slow(_environ: Any, start_response: Any) -> "Iterable[bytes]":
        going_on.wait(30)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    listener = listen(0)
    server = BoundedServer(slow, listener.fileno(), threads=2)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    held = [socket.create_connection(("127.0.0.1", listener.getsockname()[1])) for _ in range(2)]
    try:
        refused = requests.get(url, timeout=10)
        assert (refused.status_code, refused.json()["code"]) == (503, "busy")
        assert refused.headers["Retry-After"] == str(RETRY_AFTER_S)
        for each in held:
            each.close()
        going_on.set()
        while (answer := requests.get(url, timeout=10)).status_code == 503:
            pass
        assert answer.text == "ok"
    finally:
        going_on.set()
        server.shutdown()
        serving.join()
        server.server_close()
        listener.close()
