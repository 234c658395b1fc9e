"""The parts of the local cloud, one by one: what is sent, what an answer means, how a worker lives and dies."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cloudevents.http import from_http
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from darkroom.adapters.broker import Delivery
from darkroom.adapters.finalized import finalized_event
from darkroom.domain.errors import ConfigurationError
from darkroom.domain.messages import ObjectRef
from darkroom.domain.topology import SUBSCRIPTIONS
from darkroom.local_cloud.lock import lock_home
from darkroom.local_cloud.mount import FUNCTIONS, MountedFunctions
from darkroom.local_cloud.push_client import post
from darkroom.local_cloud.push_request import Envelope, envelope
from darkroom.local_cloud.worker_pool import DISPATCHES_PER_WORKER, WorkerPool, environment
from darkroom.runtime.bootstrap import processors
from darkroom.runtime.functions import parse_pubsub, parse_upload
from darkroom.runtime.ports import ObjectInfo
from darkroom.runtime.settings import Settings, read_settings
from tests.e2e.service import wait_until

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
TIMEOUT_S = 30.0


def delivery(subscription: str, data: bytes, attributes: dict[str, str], attempt: int = 1) -> Delivery:
    return Delivery(
        id="m-1",
        subscription=subscription,
        data=data,
        attributes=attributes,
        delivery_attempt=attempt,
        published_at=NOW,
        lease="1:x",
    )


def test_a_message_becomes_a_push_that_the_functions_understand() -> None:
    sent = envelope(delivery("stage-low-light", b'{"a": 1}', {"type": "StageRequested"}, attempt=3))
    body = json.loads(sent.body)
    assert sent.path == "/low_light/low_light"
    assert (body["subscription"], body["deliveryAttempt"]) == ("projects/local/subscriptions/stage-low-light", 3)
    assert body["message"]["publishTime"] == "2024-05-01T12:00:00.000000Z"
    understood = parse_pubsub(body)
    assert (understood.data, understood.message_id) == (b'{"a": 1}', "m-1")
    assert understood.attributes == {"type": "StageRequested"}


@pytest.mark.parametrize("name", ["cat.jpg", "restore/1931/Hochzeit in Zürich.jpg", "100%/猫 ?#\n.jpg"])
def test_an_upload_becomes_a_cloud_event_whatever_its_name(name: str) -> None:
    ref = ObjectRef(bucket="uploads", name=name, generation=2**62)
    info = ObjectInfo(
        ref=ref, size_bytes=10, content_type="image/jpeg", crc32c="AAAAAA==", metadata={"label-a": "ü"}, created_at=NOW
    )
    sent = envelope(delivery("dispatcher-uploads", *finalized_event(info)))
    assert all(value.isascii() and value.isprintable() for value in sent.headers.values())
    event = from_http(sent.headers, sent.body)
    assert sent.path == "/dispatcher/on_upload"
    assert event["type"] == "google.cloud.storage.object.v1.finalized"
    assert event["source"] == "//storage.googleapis.com/projects/_/buckets/uploads"
    assert parse_upload(event.data).ref == ref
    assert parse_upload(event.data).metadata == {"label-a": "ü"}


def test_every_subscription_leads_to_a_function_that_exists() -> None:
    mounted = MountedFunctions()
    for subscription in SUBSCRIPTIONS:
        path = envelope(delivery(subscription.name, b"{}", {"bucketId": "b", "objectId": "o", "eventTime": "t"})).path
        folder, entry_point = path.strip("/").split("/")
        assert (FUNCTIONS / folder / "main.py").is_file()
        assert callable(mounted.application(folder, entry_point))


def respond(status: int) -> Iterator[int]:
    @Request.application
    def application(request: Request) -> Response:
        return Response(request.get_data() + request.headers["Content-Type"].encode(), status)

    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def request(timeout_s: float = TIMEOUT_S) -> Envelope:
    return Envelope(path="/a/b", headers={"Content-Type": "application/json"}, body=b"{}", timeout_s=timeout_s)


@pytest.mark.parametrize(("status", "is_ack"), [(200, True), (204, True), (302, False), (400, False), (500, False)])
def test_only_an_answer_of_200_to_299_acknowledges(status: int, is_ack: bool) -> None:
    for port in respond(status):
        answer = post(port, request())
        assert (answer.status, answer.is_ack) == (status, is_ack)
        assert answer.text == ("" if status == 204 else "{}application/json")


def test_no_answer_in_time_does_not_acknowledge_and_says_that_the_worker_may_be_stuck() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = post(silent.getsockname()[1], request(timeout_s=0.05))
    assert (answer.status, answer.is_ack, answer.timed_out) == (None, False, True)
    assert answer.text == "no answer within 0.05 s"


def test_a_worker_that_dies_at_work_does_not_acknowledge() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        dying = threading.Thread(target=_take_and_close, args=[server])
        dying.start()
        answer = post(server.getsockname()[1], request())
        dying.join()
    assert (answer.status, answer.is_ack, answer.timed_out, answer.refused) == (None, False, False, False)


def _take_and_close(server: socket.socket) -> None:
    server.accept()[0].close()


def test_a_request_that_no_worker_saw_is_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer = post(port, request())
    assert (answer.status, answer.is_ack, answer.timed_out, answer.refused) == (None, False, False, True)


def test_a_home_has_one_supervisor_at_a_time(tmp_path: Path) -> None:
    first = lock_home(tmp_path)
    with pytest.raises(ConfigurationError, match=f"pid {os.getpid()}") as refused:
        lock_home(tmp_path)
    assert refused.value.code == "already_served"
    first.close()
    lock_home(tmp_path).close()


@pytest.fixture
def worker_pool(tmp_path: Path) -> Iterator[WorkerPool]:
    worker_pool = WorkerPool(Settings(home=tmp_path), 2)
    yield worker_pool
    worker_pool.close()


def test_a_worker_is_free_when_it_listens_and_takes_one_stage_at_a_time(worker_pool: WorkerPool) -> None:
    first, second = worker_pool.start_missing()
    assert worker_pool.free_for_stage() is None
    assert first.listen()
    assert worker_pool.free_for_stage() is worker_pool.free_for_dispatch() is first
    first.stages = 1
    assert worker_pool.free_for_stage() is None
    assert worker_pool.free_for_dispatch() is first
    first.dispatches = DISPATCHES_PER_WORKER
    assert worker_pool.free_for_dispatch() is None
    assert second.listen()
    assert worker_pool.free_for_stage() is second


def test_a_worker_that_dies_without_an_answer_is_started_again_after_a_growing_delay(worker_pool: WorkerPool) -> None:
    _, worker = worker_pool.start_missing()
    for planned_s in (0.25, 0.5, 1.0):
        os.kill(worker.process.pid, signal.SIGKILL)
        while worker.listen():  # it may have said its port before it died
            pass
        earliest = time.monotonic() + planned_s
        worker_pool.reap(worker)
        assert earliest <= worker_pool.due_at <= time.monotonic() + planned_s
        assert worker not in worker_pool.workers
        if planned_s < 1.0:
            wait_until(lambda: time.monotonic() >= worker_pool.due_at, "the delay to pass")
            (worker,) = worker_pool.start_missing()
            assert worker.number == 2


def test_a_worker_that_had_answered_is_started_again_at_once(worker_pool: WorkerPool) -> None:
    _, worker = worker_pool.start_missing()
    worker.answered = True
    os.kill(worker.process.pid, signal.SIGKILL)
    while worker.listen():
        pass
    worker_pool.reap(worker)
    assert [started.number for started in worker_pool.start_missing()] == [2]


def test_a_worker_ends_when_its_standard_input_is_closed(worker_pool: WorkerPool) -> None:
    worker = worker_pool.start_missing()[0]
    assert worker.listen()
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.wait(TIMEOUT_S) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_of_the_terminal_do_not_end_a_worker(worker_pool: WorkerPool, number: signal.Signals) -> None:
    worker = worker_pool.start_missing()[0]
    assert worker.listen()
    assert worker.port is not None
    os.kill(worker.process.pid, number)
    assert post(worker.port, request()).status == 404
    assert worker.process.poll() is None


def test_the_environment_of_a_worker_holds_the_settings_with_the_processors_shared_out(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, max_bytes=1234, commercial_only=True, log_level="WARNING")
    read = read_settings(environment(settings, processors()))
    assert read == settings.model_copy(update={"threads": 1})
    assert read_settings(environment(settings, 1)).threads == processors()
    assert read_settings(environment(settings.model_copy(update={"threads": 3}), 2)).threads == 3
