"""The functions as Google Cloud calls them: built by functions-framework, asked in both forms of a Pub/Sub event."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from functions_framework import create_app

from darkroom.adapters.finalized import finalized_event
from darkroom.adapters.system import SystemClock
from darkroom.domain.envelope import decode, encode
from darkroom.domain.job import job_id
from darkroom.domain.messages import ObjectRef, StageCompleted, StageFailed, StageRequested, Step, StepRecord
from darkroom.domain.parameters import PARAMETERS, Stage
from darkroom.domain.topology import STAGES
from darkroom.runtime.bootstrap import LocalParts, local_parts, system
from darkroom.runtime.functions import parse_upload
from darkroom.runtime.ports import NewObject, ObjectInfo
from darkroom.runtime.settings import Settings
from tests.photographs import small_jpeg

ROOT = Path(__file__).resolve().parents[2]
CLASSICAL = tuple(stage for stage in STAGES if stage != "colorize")
UPLOADED = "google.cloud.storage.object.v1.finalized"
PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"


@dataclass(frozen=True)
class Request:
    """Headers and body of a POST."""

    headers: dict[str, str]
    body: bytes


def push(data: bytes, **attributes: str) -> Request:
    """A raw Pub/Sub push."""
    message = {"data": base64.b64encode(data).decode(), "messageId": "17", "attributes": attributes}
    body = {"subscription": "projects/p/subscriptions/s", "message": message, "deliveryAttempt": 1}
    return Request({"Content-Type": "application/json"}, json.dumps(body).encode())


def cloud_event(data: bytes, **attributes: str) -> Request:
    """The same message as a binary CloudEvent."""
    return binary(PUBLISHED, push(data, **attributes).body)


def binary(kind: str, body: bytes) -> Request:
    """A binary CloudEvent."""
    told = {"specversion": "1.0", "id": "17", "source": "//test", "type": kind}
    headers = {"Content-Type": "application/json"} | {f"ce-{name}": value for name, value in told.items()}
    return Request(headers, body)


FORMS = pytest.mark.parametrize("form", [push, cloud_event])


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalParts]:
    """The adapters of a home that the functions use, because the environment names it."""
    monkeypatch.setenv("DARKROOM_HOME", str(tmp_path / "home"))
    # `create_app` changes these, and the other tests want them back.
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("FUNCTION_TARGET", "")
    monkeypatch.setenv("FUNCTION_SIGNATURE_TYPE", "http")
    system.cache_clear()
    yield local_parts(Settings(home=tmp_path / "home"))
    system.cache_clear()


def call(function: str, entry_point: str, request: Request) -> Any:
    app = create_app(target=entry_point, source=str(ROOT / "functions" / function / "main.py"))
    app.testing = False
    return app.test_client().post("/", data=request.body, headers=request.headers)


def upload(parts: LocalParts, name: str = "denoise/cat.jpg", data: bytes | None = None) -> ObjectInfo:
    new = NewObject(data=small_jpeg(64) if data is None else data, content_type="image/jpeg")
    info = parts.objects.put("uploads", name, new)
    answers(parts, "dispatcher-uploads")  # the store published the event, which these tests send by hand
    return info


def asked(stage: Stage, source: ObjectRef, *, method: str | None = None) -> StageRequested:
    """A request for one step on the upload itself, by the stage's first classical method."""
    kind = PARAMETERS[stage]
    values = {**kind().model_dump(mode="json"), **({"format": "jpeg"} if stage == "finish" else {})}
    extension = {"assess": "json", "finish": "jpg"}.get(stage, "webp")
    step = Step(
        stage=stage,
        method=method or (kind.classical[0] if kind.classical else "classical"),
        parameters=values,
        output_bucket="results" if stage == "finish" else "artifacts",
        output_name=f"{stage}.{extension}",
        digest="d",
        reason="asked for",
    )
    return StageRequested(job_id=job_id(source), run=1, index=0, step=step, input=source, source=source)


def answers(parts: LocalParts, subscription: str = "dispatcher-stage-events") -> list[Any]:
    """What was published for a subscription, taken from it."""
    found = parts.broker.lease(SystemClock().now(), limit=100, subscriptions=[subscription])
    assert [parts.broker.ack(delivery) for delivery in found] == [True] * len(found)
    return [decode(it.data) for it in found if subscription != "dispatcher-uploads"]


@pytest.mark.parametrize("stage", CLASSICAL)
@FORMS
def test_a_stage_writes_its_output_and_answers(parts: LocalParts, stage: Stage, form: Any) -> None:
    data, attributes = encode(asked(stage, upload(parts).ref))
    assert call(stage, stage, form(data, **attributes)).status_code == 200
    (answer,) = answers(parts)
    assert isinstance(answer, StageCompleted)
    assert answer.stage == stage
    assert parts.objects.read(answer.record.output)


def test_a_stage_asked_again_answers_with_what_it_wrote_before(parts: LocalParts) -> None:
    data, attributes = encode(asked("denoise", upload(parts).ref))
    for form in (push, cloud_event):
        assert call("denoise", "denoise", form(data, **attributes)).status_code == 200
    first, second = answers(parts)
    assert first == second
    assert len(list(parts.objects.list("artifacts"))) == 1


@FORMS
def test_a_stage_that_cannot_do_it_says_so_and_acknowledges(parts: LocalParts, form: Any) -> None:
    data, attributes = encode(asked("colorize", upload(parts).ref, method="model"))
    assert call("colorize", "colorize", form(data, **attributes)).status_code == 200
    (answer,) = answers(parts)
    assert isinstance(answer, StageFailed)
    assert answer.code == "model_missing"


@pytest.mark.parametrize(
    "request_",
    [push(b"no JSON"), cloud_event(b"no JSON"), push(b'{"version": 99, "type": "StageRequested", "body": {}}')],
)
def test_a_message_that_cannot_be_understood_is_not_acknowledged(parts: LocalParts, request_: Request) -> None:
    assert call("denoise", "denoise", request_).status_code == 500
    assert answers(parts) == []


def test_a_finalized_upload_begins_a_job(parts: LocalParts) -> None:
    info = upload(parts)
    resource, _ = finalized_event(info)
    assert call("dispatcher", "on_upload", binary(UPLOADED, resource)).status_code == 200
    assert parts.jobs.get(job_id(info.ref)).source == parse_upload(json.loads(resource))
    (request,) = answers(parts, "stage-assess")
    assert request.input == info.ref


def test_a_malformed_upload_event_is_acknowledged_and_begins_nothing(parts: LocalParts) -> None:
    assert call("dispatcher", "on_upload", binary(UPLOADED, b'{"bucket": "uploads"}')).status_code == 200
    assert not any(parts.broker.pending().values())


@FORMS
def test_an_answer_of_a_stage_moves_the_job_on(parts: LocalParts, form: Any) -> None:
    begin(parts)
    (request,) = answers(parts, "stage-assess")
    data, attributes = encode(request)
    assert call("assess", "assess", form(data, **attributes)).status_code == 200
    (answer,) = answers(parts)
    data, attributes = encode(answer)
    assert call("dispatcher", "on_stage_event", form(data, **attributes)).status_code == 200
    job = parts.jobs.get(request.job_id)
    assert [step.stage for step in job.plan] == ["assess", "denoise", "finish", "assess"]
    assert len(answers(parts, "stage-denoise")) == 1


@FORMS
def test_a_dead_letter_fails_its_job_with_the_reason(parts: LocalParts, form: Any) -> None:
    begin(parts)
    (request,) = answers(parts, "stage-assess")
    data, attributes = encode(request)
    source = {
        "CloudPubSubDeadLetterSourceSubscription": "stage-assess",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
    }
    assert call("dispatcher", "on_dead_letter", form(data, **attributes, **source)).status_code == 200
    job = parts.jobs.get(request.job_id)
    assert job.status == "failed"
    assert job.error is not None
    assert "5 deliveries to stage-assess" in job.error.message


def test_the_schedule_answers_with_what_it_did(parts: LocalParts) -> None:
    answer = call("dispatcher", "on_schedule", Request({"Content-Type": "application/json"}, b"{}"))
    assert answer.status_code == 200
    assert answer.get_json() == {"driven": 0, "adopted": 0, "purged": 0}


def begin(parts: LocalParts) -> None:
    """A job that stands at `assess`."""
    resource, _ = finalized_event(upload(parts))
    assert call("dispatcher", "on_upload", binary(UPLOADED, resource)).status_code == 200


@pytest.mark.parametrize("form", [push, cloud_event])
def test_a_staged_stage_runs_by_itself(parts: LocalParts, tmp_path: Path, form: Any) -> None:
    data, attributes = encode(asked("denoise", upload(parts).ref, method="bilateral"))
    with staged(tmp_path, "denoise", "denoise") as port:
        assert post(port, form(data, **attributes)) == 200
    (answer,) = answers(parts)
    assert isinstance(answer, StageCompleted)
    assert isinstance(answer.record, StepRecord)
    assert answer.record.method == "bilateral"


def test_a_staged_dispatcher_runs_by_itself(parts: LocalParts, tmp_path: Path) -> None:
    info = upload(parts)
    resource, _ = finalized_event(info)
    with staged(tmp_path, "dispatcher", "on_upload") as port:
        assert post(port, binary(UPLOADED, resource)) == 200
    assert parts.jobs.get(job_id(info.ref)).status == "pending"


@contextmanager
def staged(tmp_path: Path, function: str, entry_point: str) -> Iterator[int]:
    """A folder as it is deployed, served by the console script in an environment that knows nothing else."""
    folder = tmp_path / "staged"
    unwanted = shutil.ignore_patterns("__pycache__", "training", "evaluation")
    shutil.copytree(ROOT / "shared" / "darkroom", folder / "darkroom", ignore=unwanted)
    shutil.copytree(ROOT / "models", folder / "darkroom" / "models", ignore=unwanted)
    shutil.copy(ROOT / "functions" / function / "main.py", folder)
    port = free_port()
    script = Path(sys.executable).parent / "functions-framework"
    command = [script, "--target", entry_point, "--source", "main.py", "--host", "127.0.0.1", "--port", str(port)]
    environment = {"PATH": os.environ["PATH"], "DARKROOM_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, f"the function ended with status {process.returncode}"
        assert time.monotonic() < deadline, "the function does not listen"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)


def post(port: int, request: Request) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/", body=request.body, headers=request.headers)
    return connection.getresponse().status
