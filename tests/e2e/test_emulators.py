"""The whole path on Google's emulators: Pub/Sub pushes into functions that run on the gcp backend.

Cloud Storage is the test's own server, which honours preconditions; its finalized events are posted by the test, since
no stand-in for it sends any. Everything else is as deployed: settings from the environment, push subscriptions, dead
letter policies, functions behind functions-framework.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore, pubsub_v1, storage

from darkroom.adapters.broker import Delivery
from darkroom.adapters.finalized import finalized_event
from darkroom.adapters.gcp.firestore import FirestoreJobStore
from darkroom.adapters.gcp.objects import GcsObjectStore
from darkroom.adapters.system import SystemClock
from darkroom.domain.errors import JobNotFound
from darkroom.domain.job import FINAL, Job, job_id
from darkroom.domain.messages import stage_topic
from darkroom.domain.topology import SUBSCRIPTIONS, UPLOADS_TOPIC, Subscription
from darkroom.handlers.job_commands import replay_job
from darkroom.local_cloud.push_request import envelope
from darkroom.runtime.ports import NewObject, ObjectInfo
from tests.e2e.service import wait_until
from tests.photographs import small_jpeg
from tests.storage_server import storage_server
from tests.world import FixedMeter

ROOT = Path(__file__).resolve().parents[2]
BUCKETS = ("uploads", "artifacts", "results")


class Cloud:
    """A project on the emulators, and a process that serves all functions to their pushes."""

    def __init__(self, project: str, environment: dict[str, str]) -> None:
        self.project = project
        self._environment = {**os.environ, **environment}
        client = storage.Client(
            project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": environment["STORAGE_EMULATOR_HOST"]},
        )
        for bucket in BUCKETS:
            client.create_bucket(bucket)
        self.objects = GcsObjectStore(project, client=client)
        self.jobs = FirestoreJobStore(project, client=firestore.Client(project))
        self.publisher = pubsub_v1.PublisherClient()
        self.subscriber = pubsub_v1.SubscriberClient()
        self.process, self.port = self._serve()
        self._subscribe()

    def _serve(self) -> tuple["subprocess.Popen[str]", int]:
        process = subprocess.Popen(
            [sys.executable, "-m", "darkroom.local_cloud.worker", str(os.getpid())],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        return process, int(process.stdout.readline())

    def _subscribe(self) -> None:
        topics = {subscription.topic for subscription in SUBSCRIPTIONS}
        for topic in topics:
            self.publisher.create_topic(name=self._topic(topic))
        for subscription in SUBSCRIPTIONS:
            if subscription.topic != UPLOADS_TOPIC:
                self.subscriber.create_subscription(request=self._push_subscription(subscription))

    def _topic(self, name: str) -> str:
        return f"projects/{self.project}/topics/{name}"

    def _push_subscription(self, subscription: Subscription) -> dict[str, Any]:
        request: dict[str, Any] = {
            "name": f"projects/{self.project}/subscriptions/{subscription.name}",
            "topic": self._topic(subscription.topic),
            "ack_deadline_seconds": subscription.ack_deadline_s,
            "push_config": {
                "push_endpoint": f"http://127.0.0.1:{self.port}/{subscription.function}/{subscription.entry_point}"
            },
        }
        if subscription.max_attempts:
            policy = {"dead_letter_topic": self._topic("dead-letters"), "max_delivery_attempts": 5}
            request["dead_letter_policy"] = policy
        return request

    def upload(self, name: str, data: bytes, **metadata: str) -> str:
        """Put an object, post its event as Eventarc would, and return the id of its job."""
        new = NewObject(data=data, content_type="image/jpeg", metadata=metadata)
        info = self.objects.put("uploads", name, new)
        assert self.post_upload_event(info) == 200
        return job_id(info.ref)

    def post_upload_event(self, info: ObjectInfo) -> int:
        data, attributes = finalized_event(info)
        told = envelope(
            Delivery(
                id="1",
                subscription="dispatcher-uploads",
                data=data,
                attributes=attributes,
                delivery_attempt=1,
                published_at=SystemClock().now(),
                lease="",
            )
        )
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", told.path, told.body, told.headers)
        status = connection.getresponse().status
        connection.close()
        return status

    def ended(self, job_id: str) -> Job:
        """The job, once it has ended."""
        wait_until(lambda: self._has_ended(job_id), f"the end of job {job_id}")
        return self.jobs.get(job_id)

    def _has_ended(self, job_id: str) -> bool:
        try:
            return self.jobs.get(job_id).status in FINAL
        except JobNotFound:
            return False

    def close(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def cloud(
    pubsub_emulator: str, firestore_emulator: str, gcp_project: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cloud]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    with storage_server() as (url, _):
        environment = {
            "STORAGE_EMULATOR_HOST": url,
            "DARKROOM_BACKEND": "gcp",
            "DARKROOM_PROJECT": gcp_project,
            "DARKROOM_THREADS": "1",
        }
        cloud = Cloud(gcp_project, environment)
        yield cloud
        cloud.close()


def test_photographs_go_the_whole_way_and_leave_results_manifests_and_jobs(cloud: Cloud) -> None:
    ids = [cloud.upload(f"restore/{n}.jpg", small_jpeg(48, seed=n, noise=20), **{"label-n": str(n)}) for n in range(3)]
    jobs = [cloud.ended(each) for each in ids]
    assert [job.error for job in jobs] == [None, None, None]
    assert [job.labels["n"] for job in jobs] == ["0", "1", "2"]
    wait_until(lambda: len(list(cloud.objects.list("results"))) == 6, "three results and three manifests")
    names = {info.ref.name for info in cloud.objects.list("results")}
    assert names == {job.manifest_name for job in jobs} | {job.result.name for job in jobs if job.result}


def test_an_upload_event_that_comes_twice_makes_one_job(cloud: Cloud) -> None:
    each = cloud.upload("denoise/a.jpg", small_jpeg(40))
    cloud.post_upload_event(cloud.objects.stat("uploads", "denoise/a.jpg"))
    job = cloud.ended(each)
    assert job.status == "completed"
    wait_until(lambda: len(list(cloud.objects.list("results"))) == 2, "one result and its manifest")


def test_what_cannot_be_read_ends_with_its_reason_and_a_fixed_cause_can_be_replayed(cloud: Cloud) -> None:
    broken = cloud.ended(cloud.upload("auto/notes.jpg", b"these are only words"))
    assert broken.error is not None
    assert broken.error.code == "unsupported_format"


def test_a_poison_message_comes_through_the_emulators_dead_letters_to_the_job_and_back(cloud: Cloud) -> None:
    """The stage's function is away until the message is given up; then it is back, and the job is replayed."""
    subscription = f"projects/{cloud.project}/subscriptions/{stage_topic('denoise')}"
    nowhere = {"push_endpoint": f"http://127.0.0.1:{cloud.port}/nowhere/at_all"}
    cloud.subscriber.modify_push_config(subscription=subscription, push_config=nowhere)
    each = cloud.upload("denoise/a.jpg", small_jpeg(40))
    job = cloud.ended(each)
    assert job.error is not None
    assert (job.error.code, job.error.stage) == ("delivery_exhausted", "denoise")
    assert "5 deliveries" in job.error.message

    back = {"push_endpoint": f"http://127.0.0.1:{cloud.port}/denoise/denoise"}
    cloud.subscriber.modify_push_config(subscription=subscription, push_config=back)
    replay_job(_system(cloud), each)
    assert cloud.ended(each).status == "completed"


def _system(cloud: Cloud) -> Any:
    """An operator's view of the project."""
    from dataclasses import replace

    from darkroom.adapters.gcp.pubsub import PubsubPublisher
    from tests.world import memory_world

    system = memory_world().system
    return replace(
        system,
        objects=cloud.objects,
        jobs=cloud.jobs,
        publisher=PubsubPublisher(cloud.project),
        clock=SystemClock(),
        meter=FixedMeter(),
    )
