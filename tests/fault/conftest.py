"""The worlds in which deliveries go wrong: memory, a laptop, and Google's emulators."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore, storage

from darkroom.adapters.finalized import finalized_event
from darkroom.adapters.gcp.firestore import FirestoreJobStore
from darkroom.adapters.gcp.objects import GcsObjectStore
from darkroom.adapters.gcp.pubsub import PubsubPublisher
from darkroom.adapters.local.broker import LocalBroker
from darkroom.adapters.local.jobs import LocalJobStore
from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.domain.topology import UPLOADS_TOPIC
from darkroom.runtime.ports import NewObject, ObjectInfo
from tests.emulated import PulledBroker
from tests.fakes.memory import ManualClock
from tests.storage_server import storage_server
from tests.world import World, assemble, memory_world

MakeWorld = Callable[[], World]


@pytest.fixture(params=["memory", "local", "emulators"])
def make_world(request: pytest.FixtureRequest, tmp_path: Path) -> MakeWorld:
    """Makes a world on each of the adapters."""
    if request.param == "memory":
        return memory_world
    if request.param == "local":
        return lambda: local_world(tmp_path)
    make: MakeWorld = request.getfixturevalue("make_emulated_world")
    return make


def local_world(home: Path) -> World:
    """A world in folders and SQLite."""
    clock = ManualClock()
    broker = LocalBroker(home, clock=clock)
    objects = LocalObjectStore(home, clock=clock, notify={"uploads": UPLOADS_TOPIC})
    return assemble(clock, broker, objects=objects, jobs=LocalJobStore(home))


class NotifyingStore(GcsObjectStore):
    """Publishes what Cloud Storage would; the stand-ins for it have no notifications."""

    publisher: PubsubPublisher

    def put(self, bucket: str, name: str, new: NewObject) -> ObjectInfo:
        info = super().put(bucket, name, new)
        self.publisher.publish(UPLOADS_TOPIC, *finalized_event(info))
        return info


@pytest.fixture
def preconditions_server() -> Iterator[str]:
    """A storage server that honours preconditions: gcp-storage-emulator does not, and two writers would both win."""
    with storage_server() as (url, _):
        yield url


@pytest.fixture
def make_emulated_world(
    pubsub_emulator: str,
    firestore_emulator: str,
    preconditions_server: str,
    gcp_project: str,
    monkeypatch: pytest.MonkeyPatch,
) -> MakeWorld:
    """Makes a world on Google's Pub/Sub and Firestore emulators."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)

    def make() -> World:
        client = storage.Client(
            gcp_project, credentials=AnonymousCredentials(), client_options={"api_endpoint": preconditions_server}
        )
        for bucket in ("uploads", "artifacts", "results"):
            client.create_bucket(bucket)
        objects = NotifyingStore(gcp_project, client=client)
        publisher = objects.publisher = PubsubPublisher(gcp_project)
        jobs = FirestoreJobStore(gcp_project, client=firestore.Client(gcp_project))
        return assemble(ManualClock(), PulledBroker(gcp_project, publisher), objects=objects, jobs=jobs)

    return make
