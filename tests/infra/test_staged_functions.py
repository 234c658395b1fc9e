"""Every function runs from its staged folder, with the staged packages and the variables that Terraform sets.

Cloud Storage is the tests' own server; Pub/Sub and Firestore are Google's emulators. Nothing else is in the
environment of the process: no virtual environment of the developer, no other variable.
"""

import base64
import json
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from google.cloud import pubsub_v1

from darkroom.adapters.finalized import finalized_event
from darkroom.adapters.gcp.firestore import FirestoreJobStore
from darkroom.domain.envelope import Message, decode, encode
from darkroom.domain.job import Job, job_id
from darkroom.domain.messages import (
    ObjectRef,
    StageAttemptFailed,
    StageCompleted,
    StageFailed,
    StageRequested,
    Step,
    stage_topic,
)
from darkroom.domain.parameters import PARAMETERS, Stage
from darkroom.domain.products.batches import Batch, batch_name
from darkroom.domain.products.messages import JobsChosen, Member, RowRequested
from darkroom.domain.products.rows import Row
from darkroom.domain.topology import STAGES
from darkroom.domain.webhooks import CALLBACK_KEY, CallbackDue
from darkroom.inference.registry import Registry
from darkroom.runtime.ports import ObjectInfo
from darkroom.runtime.settings import DEFAULT_REGISTRY
from infra.staging.networks import chosen
from infra.staging.stage import Staged
from infra.staging.stage import stage as stage_function
from tests.emulators import free_port
from tests.infra.environments import environment_for
from tests.infra.terraform import ROOT, Rehearsal
from tests.photographs import small_jpeg
from tests.storage_server import Buckets, storage_server
from tests.weights import installed

DEFAULTS = "system: everything_with_the_defaults"
START_TIMEOUT_S = 120.0
PROJECT = "my-project"
UPLOADED = "google.cloud.storage.object.v1.finalized"


@dataclass(frozen=True)
class Cloud:
    """Stand-ins for Google Cloud, and what is needed to look into them."""

    #: What tells Google's clients where the stand-ins are.
    hosts: Mapping[str, str]
    buckets: Buckets
    variables: Mapping[str, Mapping[str, str]]
    jobs: FirestoreJobStore

    @property
    def catalogue(self) -> str:
        return self.variables["importer"]["DARKROOM_PRODUCTS_BUCKET"]

    def upload(self, name: str, **metadata: str) -> ObjectInfo:
        """A photograph in the uploads bucket, as an adapter would describe it."""
        bucket = self.variables["assess"]["DARKROOM_UPLOADS_BUCKET"]
        given = {"name": name, "contentType": "image/jpeg", "metadata": metadata}
        resource = self.buckets.store(bucket, given, small_jpeg(64))
        return ObjectInfo(
            ref=ObjectRef(bucket=bucket, name=name, generation=int(resource["generation"])),
            size_bytes=int(resource["size"]),
            content_type="image/jpeg",
            crc32c=resource["crc32c"],
            metadata=metadata,
            created_at=datetime.fromisoformat(resource["timeCreated"]),
        )


@pytest.fixture(scope="module")
def cloud(rehearsal: Rehearsal, pubsub_emulator: str, firestore_emulator: str) -> Iterator[Cloud]:
    variables = rehearsal.outputs(DEFAULTS)["environment"]
    with storage_server() as (url, buckets), pytest.MonkeyPatch.context() as patch:
        hosts = {
            "PUBSUB_EMULATOR_HOST": pubsub_emulator,
            "FIRESTORE_EMULATOR_HOST": firestore_emulator,
            "STORAGE_EMULATOR_HOST": url,
        }
        for name, host in hosts.items():
            patch.setenv(name, host)
        for kind in ("UPLOADS", "ARTIFACTS", "RESULTS", "KEYS", "PRODUCTS"):
            buckets.objects[variables["assess"][f"DARKROOM_{kind}_BUCKET"]] = {}
        make_topics()
        yield Cloud(hosts=hosts, buckets=buckets, variables=variables, jobs=FirestoreJobStore(PROJECT))


def make_topics() -> None:
    """Every topic, with a subscription of the test's own on each."""
    publisher, subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
    for topic in ("stage-events", *(stage_topic(stage) for stage in STAGES)):
        path = publisher.topic_path(PROJECT, topic)
        publisher.create_topic(name=path)
        subscriber.create_subscription(name=subscriber.subscription_path(PROJECT, f"test-{topic}"), topic=path)


def published(topic: str) -> Any:
    """The one message that waits on a topic, taken from it."""
    subscriber = pubsub_v1.SubscriberClient()
    path = subscriber.subscription_path(PROJECT, f"test-{topic}")
    answer = subscriber.pull(request={"subscription": path, "max_messages": 2}, timeout=30)
    (received,) = answer.received_messages
    subscriber.acknowledge(subscription=path, ack_ids=[received.ack_id])
    return decode(received.message.data)


@contextmanager
def served(each: Staged, entry_point: str, variables: Mapping[str, str]) -> Iterator[int]:
    """A staged folder served by functions-framework; its port."""
    programs = environment_for(each.folder / "requirements.txt")
    port = free_port()
    command = [programs / "functions-framework", "--target", entry_point, "--host", "127.0.0.1", "--port", str(port)]
    log = each.folder.parent / f"{each.function}.{entry_point}.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=each.folder, env=dict(variables), stdout=stderr, stderr=stderr)
    try:
        _wait_for(port, process, log)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
        try:
            HTTPConnection("127.0.0.1", port, timeout=5).connect()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)


def post(port: int, body: bytes, **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/", body=body, headers={"Content-Type": "application/json"} | headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def push(data: bytes, attributes: Mapping[str, str]) -> bytes:
    """The body of a Pub/Sub push."""
    message = {"data": base64.b64encode(data).decode(), "messageId": "17", "attributes": dict(attributes)}
    return json.dumps({"subscription": f"projects/{PROJECT}/subscriptions/s", "message": message}).encode()


def pushed(port: int, message: Message) -> int:
    return post(port, push(*encode(message)))[0]


def asked(stage: Stage, source: ObjectRef, variables: Mapping[str, str]) -> StageRequested:
    """A request for one step on the upload itself, by the stage's model if it has one."""
    kind = PARAMETERS[stage]
    model = Registry.load(DEFAULT_REGISTRY).model_ref(stage, None) if stage not in ("assess", "finish") else None
    method = "model" if model or not kind.classical else kind.classical[0]
    extension = {"assess": "json", "finish": "jpg"}.get(stage, "webp")
    step = Step(
        stage=stage,
        method=method if stage not in ("assess", "finish") else "classical",
        parameters={**kind().model_dump(mode="json"), **({"format": "jpeg"} if stage == "finish" else {})},
        model=model,
        output_bucket=variables["DARKROOM_RESULTS_BUCKET" if stage == "finish" else "DARKROOM_ARTIFACTS_BUCKET"],
        output_name=f"{uuid.uuid4().hex}/{stage}.{extension}",
        digest="d",
        reason="asked for",
    )
    return StageRequested(job_id=job_id(source), run=1, index=0, step=step, input=source, source=source)


@pytest.mark.parametrize("stage", STAGES)
def test_a_staged_stage_does_its_step(cloud: Cloud, staged: dict[str, Staged], stage: Stage) -> None:
    variables = cloud.variables[stage.replace("_", "-")]
    request = asked(stage, cloud.upload(f"{stage}.jpg").ref, variables)
    with served(staged[stage], stage, variables | cloud.hosts) as port:
        assert pushed(port, request) == 200
    answer = published("stage-events")
    if request.step.method == "model" and request.step.model is None:
        assert isinstance(answer, StageFailed)
        assert answer.code == "model_missing"
        return
    assert isinstance(answer, StageCompleted), answer
    assert answer.record.method == request.step.method
    assert answer.record.output.name in cloud.buckets.objects[request.step.output_bucket]


def test_a_stage_that_was_staged_with_isnet_cuts_out_with_it(cloud: Cloud, tmp_path: Path) -> None:
    network = chosen(installed("background", "isnet"), ["isnet"])
    made = stage_function(ROOT, "background", tmp_path, deployed=network)
    plan = Registry.load(made.folder / "darkroom" / "models" / "registry.toml").model_ref("background", None)
    variables = cloud.variables["background"]
    request = asked("background", cloud.upload("isnet.jpg").ref, variables)
    request = request.model_copy(update={"step": request.step.model_copy(update={"method": "model", "model": plan})})
    with served(made, "background", variables | cloud.hosts) as port:
        assert pushed(port, request) == 200
    answer = published("stage-events")
    assert isinstance(answer, StageCompleted), answer
    assert answer.record.model is not None
    assert answer.record.model.id == "isnet"
    assert answer.record.output.name in cloud.buckets.objects[request.step.output_bucket]


@contextmanager
def dispatcher(cloud: Cloud, staged: dict[str, Staged], entry_point: str) -> Iterator[int]:
    variables = cloud.variables[f"dispatcher-{entry_point.replace('_', '-')}"]
    with served(staged["dispatcher"], entry_point, variables | cloud.hosts) as port:
        yield port


@pytest.fixture(scope="module")
def begun(cloud: Cloud, staged: dict[str, Staged]) -> Job:
    """A job that the staged dispatcher began, of which a server of this very machine wants to hear."""
    info = cloud.upload("optimize/cat.jpg", **{CALLBACK_KEY: "https://127.0.0.1/done"})
    resource, _ = finalized_event(info)
    headers = {"ce-specversion": "1.0", "ce-id": "17", "ce-source": "//storage.googleapis.com", "ce-type": UPLOADED}
    with dispatcher(cloud, staged, "on_upload") as port:
        assert post(port, resource, **headers)[0] == 200
    return cloud.jobs.get(job_id(info.ref))


def test_the_staged_dispatcher_begins_a_job_for_an_upload(begun: Job) -> None:
    assert (begun.status, begun.pipeline.label) == ("pending", "preset optimize")
    request = published("stage-assess")
    assert isinstance(request, StageRequested)
    assert request.job_id == begun.id


def test_the_staged_dispatcher_applies_an_answer_to_its_job(
    cloud: Cloud, staged: dict[str, Staged], begun: Job
) -> None:
    answer = StageAttemptFailed(job_id=begun.id, run=1, index=0, stage="assess", code="transient", message="too busy")
    with dispatcher(cloud, staged, "on_stage_event") as port:
        assert pushed(port, answer) == 200
    assert any(entry.action == "attempt_failed" for entry in cloud.jobs.get(begun.id).history)


def test_the_staged_dispatcher_keeps_a_dead_letter_that_nobody_understands(
    cloud: Cloud, staged: dict[str, Staged]
) -> None:
    with dispatcher(cloud, staged, "on_dead_letter") as port:
        assert post(port, push(b"no JSON", {}))[0] == 200
    kept = cloud.buckets.objects[cloud.variables["assess"]["DARKROOM_ARTIFACTS_BUCKET"]]
    assert "dead-letters/17" in kept


def test_the_staged_dispatcher_sweeps(cloud: Cloud, staged: dict[str, Staged]) -> None:
    # On a slow machine the uploads of the tests before are old enough by now to be adopted.
    cloud.buckets.objects[cloud.variables["assess"]["DARKROOM_UPLOADS_BUCKET"]].clear()
    with dispatcher(cloud, staged, "on_schedule") as port:
        status, body = post(port, b"{}")
    assert (status, json.loads(body)) == (200, {"driven": 0, "adopted": 0, "purged": 0})


@pytest.fixture
def batch(cloud: Cloud) -> Batch:
    """A batch that was written down."""
    batch = Batch(id=uuid.uuid4().hex[:24], kind="import", owner="", created_at=datetime.now(UTC))
    given = {"name": batch_name(batch.id), "contentType": "application/json", "metadata": {}}
    cloud.buckets.store(cloud.catalogue, given, batch.model_dump_json().encode())
    return batch


def refusals(cloud: Cloud, batch: Batch) -> list[str]:
    """The codes of what the batch did not take."""
    objects = cloud.buckets.objects[cloud.catalogue]
    return [json.loads(content)["code"] for name, (_, content) in objects.items() if f"{batch.id}/refused/" in name]


def test_the_staged_dispatcher_takes_an_upload_into_a_batch_and_refuses_what_is_not_there(
    cloud: Cloud, staged: dict[str, Staged], batch: Batch
) -> None:
    info = cloud.upload("optimize/dog.jpg")
    members = (Member(kind="object", name=info.ref.name), Member(kind="object", name="optimize/unicorn.jpg"))
    with dispatcher(cloud, staged, "on_batch") as port:
        assert post(port, push(*encode(JobsChosen(batch_id=batch.id, members=members))))[0] == 200
    job = cloud.jobs.get(job_id(info.ref))
    assert (job.status, job.batches) == ("pending", (batch.id,))
    assert published("stage-assess").job_id == job.id
    assert refusals(cloud, batch) == ["object_not_found"]


@contextmanager
def outgoing(cloud: Cloud, staged: dict[str, Staged], name: str, entry_point: str) -> Iterator[int]:
    # Terraform has Secret Manager set the signing key, where there is one.
    secrets = {"DARKROOM_SIGNING_KEY": "k" * 32} if name == "caller" else {}
    with served(staged["importer"], entry_point, cloud.variables[name] | cloud.hosts | secrets) as port:
        yield port


def test_the_staged_importer_refuses_a_row_of_the_metadata_server(
    cloud: Cloud, staged: dict[str, Staged], batch: Batch
) -> None:
    row = Row(sku_id="4711", image_url="http://169.254.169.254/computeMetadata/v1/")
    asked = RowRequested(batch_id=batch.id, row=1, picture=row)
    with outgoing(cloud, staged, "importer", "on_import") as port:
        assert post(port, push(*encode(asked)))[0] == 200
    assert len(refusals(cloud, batch)) == 1


def test_the_staged_caller_notes_on_the_job_that_it_calls_no_private_address(
    cloud: Cloud, staged: dict[str, Staged], begun: Job
) -> None:
    due = CallbackDue(job_id=begun.id, run=1, status="completed")
    with outgoing(cloud, staged, "caller", "on_callback") as port:
        assert post(port, push(*encode(due)))[0] == 200
    assert cloud.jobs.get(begun.id).history[-1].action == "callback_failed"


def test_every_function_of_the_configuration_is_started_here(cloud: Cloud) -> None:
    entry_points = ("on_upload", "on_stage_event", "on_dead_letter", "on_batch", "on_schedule")
    dispatchers = {f"dispatcher-{name.replace('_', '-')}" for name in entry_points}
    stages = {stage.replace("_", "-") for stage in STAGES}
    assert set(cloud.variables) == dispatchers | stages | {"importer", "caller", "api"}


def test_the_staged_api_answers_and_finds_its_backend(cloud: Cloud, staged: dict[str, Staged]) -> None:
    with served(staged["api"], "api", cloud.variables["api"] | cloud.hosts) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("GET", "/health")
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.request("GET", "/review")
        page = connection.getresponse().read()
    assert (answer.status, told["status"]) == (200, "healthy"), told
    assert b"</html>" in page  # which travels beside the code
