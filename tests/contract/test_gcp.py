"""The adapters on Google Cloud keep every promise that the stand-ins let us check."""

import hashlib
import itertools
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore, storage
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from darkroom.adapters.gcp.firestore import FirestoreJobStore, structured
from darkroom.adapters.gcp.firestore_indexes import (
    REQUIRED_INDEXES,
    SHARDS,
    TALLIES,
    TALLY_DAYS,
    UNINDEXED_FIELDS,
    WRITES_PER_SHARD,
    Index,
    indexes_of,
    shard_of,
)
from darkroom.adapters.gcp.objects import GcsObjectStore
from darkroom.adapters.gcp.pubsub import PubsubPublisher
from darkroom.adapters.gcp.reservations import FirestoreReservationStore
from darkroom.adapters.job_pages import order_of
from darkroom.domain.errors import ObjectExists, ObjectNotFound, PermanentError, TransientError
from darkroom.domain.messages import ObjectRef
from darkroom.runtime.ports import JobQuery
from tests.contract.job_store_contract import JobStoreContract
from tests.contract.jobs import START, make_job
from tests.contract.object_store_contract import ObjectStoreContract, jpeg
from tests.contract.publisher_contract import SUBSCRIPTIONS, PublisherContract
from tests.contract.reservation_store_contract import ReservationStoreContract
from tests.emulators import free_port
from tests.fakes.memory import ManualClock
from tests.storage_server import Buckets, Fault, storage_server


def storage_client(url: str, project: str) -> storage.Client:
    return storage.Client(project, credentials=AnonymousCredentials(), client_options={"api_endpoint": url})


@pytest.fixture(scope="session")
def storage_probe(storage_emulator: str) -> dict[str, bool]:
    """What the storage server honours, found out by trying it."""
    client = storage_client(storage_emulator, "probe")
    bucket = client.create_bucket(f"probe-{uuid.uuid4().hex[:12]}")
    store = GcsObjectStore("probe", client=client)
    blob = bucket.blob("probe")
    blob.upload_from_string(b"first")
    generation = blob.generation
    return {
        "if_generation_match": _refuses(lambda: bucket.blob("probe").upload_from_string(b"2", if_generation_match=0)),
        "generation": _refuses(
            lambda: store.read(ObjectRef(bucket=bucket.name, name="probe", generation=generation + 1000))
        ),
    }


def _refuses(call: Callable[[], object]) -> bool:
    try:
        call()
    except (exceptions.PreconditionFailed, ObjectNotFound):
        return True
    return False


class TestGcsObjectStore(ObjectStoreContract):
    @pytest.fixture
    def preconditions(self, storage_emulator: str, storage_probe: dict[str, bool]) -> None:
        if not storage_probe["if_generation_match"]:
            pytest.skip(f"the storage server at {storage_emulator} ignores if_generation_match: it overwrites")

    @pytest.fixture
    def generations(self, storage_emulator: str, storage_probe: dict[str, bool]) -> None:
        if not storage_probe["generation"]:
            pytest.skip(f"the storage server at {storage_emulator} ignores generation: it reads the live one")

    @pytest.fixture
    def bucket(self, storage_emulator: str, gcp_project: str) -> str:
        storage_client(storage_emulator, gcp_project).create_bucket(f"{gcp_project}-objects")
        return f"{gcp_project}-objects"

    @pytest.fixture
    def store(self, storage_emulator: str, gcp_project: str) -> GcsObjectStore:
        return GcsObjectStore(gcp_project, client=storage_client(storage_emulator, gcp_project))

    def test_a_bucket_that_is_not_there_holds_no_objects(self, store: GcsObjectStore) -> None:
        with pytest.raises(ObjectNotFound, match="nowhere"):
            store.stat("nowhere", "x")
        with pytest.raises(ObjectNotFound, match="nowhere"):
            store.create("nowhere", "x", jpeg())


@pytest.fixture(scope="module")
def faithful() -> Iterator[tuple[str, Buckets]]:
    with storage_server() as server:
        yield server


@pytest.fixture
def url(faithful: tuple[str, Buckets]) -> str:
    return faithful[0]


@pytest.fixture
def faults(faithful: tuple[str, Buckets]) -> Iterator[list[Fault]]:
    """The faults of the next requests; a test that leaves one unreached fails."""
    yield faithful[1].faults
    assert faithful[1].faults == []


class TestGcsObjectStoreWithPreconditions(ObjectStoreContract):
    """On the small server that honours all preconditions: nothing of the contract is left out."""

    @pytest.fixture
    def bucket(self, url: str, gcp_project: str) -> str:
        storage_client(url, gcp_project).create_bucket(f"{gcp_project}-objects")
        return f"{gcp_project}-objects"

    @pytest.fixture
    def store(self, url: str, gcp_project: str) -> GcsObjectStore:
        return GcsObjectStore(gcp_project, client=storage_client(url, gcp_project))

    def test_a_create_that_got_lost_is_sent_again(
        self, store: GcsObjectStore, bucket: str, faults: list[Fault]
    ) -> None:
        faults.append("lost")
        info = store.create(bucket, "a", jpeg(b"once"))
        assert store.read(info.ref) == b"once"

    def test_a_create_whose_answer_got_lost_finds_its_own_object(
        self, store: GcsObjectStore, bucket: str, faults: list[Fault]
    ) -> None:
        faults.append("unanswered")
        with pytest.raises(ObjectExists):
            store.create(bucket, "a", jpeg(b"once"))
        assert store.read(store.stat(bucket, "a").ref) == b"once"

    def test_bytes_that_were_spoilt_on_their_way_are_read_a_second_time(
        self, store: GcsObjectStore, bucket: str, faults: list[Fault]
    ) -> None:
        new = jpeg()
        ref = store.create(bucket, "spoilt once", new).ref
        faults.append("spoilt")
        assert store.read(ref) == new.data
        faults.extend(("spoilt", "spoilt"))
        with pytest.raises(TransientError, match="spoilt once"):
            store.read(ref)

    def test_a_put_is_never_sent_twice(self, store: GcsObjectStore, bucket: str, faults: list[Fault]) -> None:
        faults.append("unanswered")
        with pytest.raises(TransientError, match=f"write {bucket}/a"):
            store.put(bucket, "a", jpeg(b"once"))
        assert store.read(store.stat(bucket, "a").ref) == b"once"

    def test_reads_are_sent_again(self, store: GcsObjectStore, bucket: str, faults: list[Fault]) -> None:
        info = store.create(bucket, "a", jpeg(b"once"))
        for read in (
            lambda: store.stat(bucket, "a") == info,
            lambda: store.read(info.ref) == b"once",
            lambda: list(store.list(bucket)) == [info],
        ):
            faults.append("lost")
            assert read()

    def test_a_delete_whose_answer_got_lost_is_no_error(
        self, store: GcsObjectStore, bucket: str, faults: list[Fault]
    ) -> None:
        info = store.create(bucket, "a", jpeg())
        faults.append("unanswered")
        store.delete(info.ref)
        assert list(store.list(bucket)) == []


class TestFirestoreReservationStore(ReservationStoreContract):
    @pytest.fixture
    def store(
        self, firestore_emulator: str, gcp_project: str, monkeypatch: pytest.MonkeyPatch
    ) -> FirestoreReservationStore:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
        return FirestoreReservationStore(gcp_project)


class CountingClient(firestore.Client):  # type: ignore[misc]
    """A client of Firestore that counts its requests by name."""

    def __init__(self, project: str) -> None:
        super().__init__(project)
        self.calls: Counter[str] = Counter()

    @property
    def _firestore_api(self) -> Any:
        return _Counted(super()._firestore_api, self.calls)


class _Counted:
    def __init__(self, api: Any, calls: Counter[str]) -> None:
        self._api, self._calls = api, calls

    def __getattr__(self, name: str) -> Any:
        self._calls[name] += 1
        return getattr(self._api, name)


class TestFirestoreJobStore(JobStoreContract):
    @pytest.fixture
    def store(
        self, firestore_emulator: str, gcp_project: str, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[FirestoreJobStore]:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
        return FirestoreJobStore(gcp_project)

    def test_a_change_of_a_job_costs_one_read_and_one_write(self, store: FirestoreJobStore, gcp_project: str) -> None:
        store.create(make_job())
        client = CountingClient(gcp_project)
        counted = FirestoreJobStore(gcp_project, client=client)
        saved = counted.save(counted.get("job-1").noted(START, "changed", ""))
        assert client.calls == Counter(batch_get_documents=1, commit=1)
        counted.save(saved.noted(START, "changed", "once more"))
        assert client.calls == Counter(batch_get_documents=1, commit=2)

    def test_a_counted_key_ends_long_after_the_records_of_its_batch(
        self, store: FirestoreJobStore, gcp_project: str
    ) -> None:
        clock = ManualClock()
        FirestoreJobStore(gcp_project, clock=clock).tally("refused a", "row 1")
        (document,) = firestore.Client(gcp_project).collection(TALLIES).stream()
        assert document.to_dict() == {"scope": "refused a", "expires_at": clock.now() + timedelta(days=TALLY_DAYS)}

    def test_a_job_too_large_for_a_document_is_refused_with_size_and_limit(self, store: FirestoreJobStore) -> None:
        job = make_job(labels={"k": "x" * 1_040_000})
        with pytest.raises(PermanentError, match=r"has 10\d{5} bytes, the limit of a document is 1032192"):
            store.create(job)


@pytest.mark.filterwarnings("ignore:The return_immediately flag:DeprecationWarning")
class TestPubsubPublisher(PublisherContract):
    @pytest.fixture
    def publisher(
        self, pubsub_emulator: str, gcp_project: str, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[PubsubPublisher]:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator)
        topics, self._project = PublisherClient(), gcp_project
        with SubscriberClient() as self._subscriber:
            for topic in {subscription.topic for subscription in SUBSCRIPTIONS}:
                topics.create_topic(name=f"projects/{gcp_project}/topics/{topic}")
            for subscription in SUBSCRIPTIONS:
                topic = f"projects/{gcp_project}/topics/{subscription.topic}"
                self._subscriber.create_subscription(name=self._path(subscription.name), topic=topic)
            yield PubsubPublisher(gcp_project)

    def _path(self, subscription: str) -> str:
        return f"projects/{self._project}/subscriptions/{subscription}"

    def received(self, subscription: str) -> list[tuple[str, bytes, dict[str, str]]]:
        found = []
        request = {"subscription": self._path(subscription), "max_messages": 100, "return_immediately": True}
        while pulled := self._subscriber.pull(request).received_messages:
            found += [(item.message.message_id, item.message.data, dict(item.message.attributes)) for item in pulled]
            self._subscriber.acknowledge(
                subscription=self._path(subscription), ack_ids=[item.ack_id for item in pulled]
            )
        return found

    def test_a_topic_that_does_not_exist_is_an_operators_mistake_that_keeps_the_message(
        self, publisher: PubsubPublisher
    ) -> None:
        with pytest.raises(TransientError, match="publish on topic missing of project"):
            publisher.publish("missing", b"x", {})


def test_every_query_that_a_job_query_can_become_has_its_indexes() -> None:
    """One index for each equality, all ending in the order of the query, so that Firestore can merge them."""
    equalities = {"status": "failed", "qc_status": "approved", "owner": "me", "label": ("k", "v"), "batch": "b"}
    times = (
        {},
        {"order": "oldest_first"},
        {"updated_before": START},
        {"expires_before": START},
        {"updated_before": START, "expires_before": START},
    )
    needed: set[Index] = set()
    for count in range(len(equalities) + 1):
        for names in itertools.combinations(equalities, count):
            if {"label", "batch"} <= set(names):
                continue  # no query may have both
            for time in times:
                query = JobQuery(**{name: equalities[name] for name in names}, **time)
                indexes = indexes_of(query)
                assert len(indexes) == max(count, 1)
                assert {index.fields[-1][0] for index in indexes} <= {order_of(query).field}
                needed |= indexes
    assert needed == set(REQUIRED_INDEXES)
    assert len(REQUIRED_INDEXES) == len(needed)


def test_the_fields_of_the_indexes_are_those_that_the_queries_filter_and_sort_by() -> None:
    query = JobQuery(status="failed", qc_status="approved", owner="me", label=("k", "v"), updated_before=START)
    client = firestore.Client("any", credentials=AnonymousCredentials())
    asked = structured(client, query, None)._to_protobuf()
    filters = [item.field_filter for item in asked.where.composite_filter.filters]
    equal = {item.field.field_path for item in filters if item.op.name in ("EQUAL", "ARRAY_CONTAINS")}
    assert equal == {index.fields[1][0] for index in indexes_of(query)}
    (shards,) = (item for item in filters if item.op.name == "IN")
    assert shards.field.field_path == "shard"
    assert [value.integer_value for value in shards.value.array_value.values] == list(range(SHARDS))
    assert [item.field.field_path for item in filters if item.op.name == "LESS_THAN"] == ["updated_at"]
    orders = [(item.field.field_path, item.direction.name) for item in asked.order_by]
    assert orders == [("updated_at", "ASCENDING"), ("__name__", "ASCENDING")]


def test_no_index_over_a_time_begins_with_anything_but_the_shard() -> None:
    """Firestore takes 500 writes a second for an index over a growing value, and as many for each shard before it."""
    assert {index.fields[0][0] for index in REQUIRED_INDEXES} == {"shard"}
    assert {("jobs", "created_at"), ("jobs", "updated_at"), ("reservations", "body")} <= set(UNINDEXED_FIELDS)
    assert SHARDS * WRITES_PER_SHARD == 4000


def test_jobs_spread_evenly_over_the_shards() -> None:
    counts = Counter(shard_of(hashlib.sha256(str(i).encode()).hexdigest()[:32]) for i in range(8000))
    assert sorted(counts) == list(range(SHARDS))
    assert max(counts.values()) < 1.15 * 8000 / SHARDS


class TestServicesThatDoNotAnswer:
    """Nobody listens: every call ends in TransientError, which names what was tried."""

    @pytest.fixture
    def nobody(self) -> str:
        return f"127.0.0.1:{free_port()}"

    def test_cloud_storage(self, nobody: str) -> None:
        store = GcsObjectStore("any", client=storage_client(f"http://{nobody}", "any"), patience_s=0)
        ref = ObjectRef(bucket="objects", name="x", generation=1)
        self._all_transient(
            "objects/x",
            lambda: store.stat("objects", "x"),
            lambda: store.read(ref),
            lambda: store.create("objects", "x", jpeg()),
            lambda: store.put("objects", "x", jpeg()),
            lambda: list(store.list("objects", "x")),
            lambda: store.delete(ref),
        )

    def test_firestore(self, nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", nobody)
        store = FirestoreJobStore("any", patience_s=0)
        self._all_transient(
            "job",
            lambda: store.create(make_job()),
            lambda: store.get("job-1"),
            lambda: store.save(make_job(version="0 2024-05-01T12:00:00.000000Z")),
            lambda: store.query(JobQuery()),
            lambda: store.count(JobQuery()),
            lambda: store.absent(["job-1"]),
            lambda: store.delete("job-1"),
        )

    def test_pubsub(self, nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", nobody)
        publisher = PubsubPublisher("any", patience_s=0)
        self._all_transient("topic letters", lambda: publisher.publish("letters", b"x", {}))

    @staticmethod
    def _all_transient(named: str, *calls: Callable[[], object]) -> None:
        for call in calls:
            with pytest.raises(TransientError, match=named):
                call()


def test_importing_the_adapters_imports_no_client() -> None:
    code = (
        "import sys, darkroom.adapters.gcp.objects, darkroom.adapters.gcp.firestore, darkroom.adapters.gcp.pubsub;"
        "print([name for name in sys.modules if name.startswith(('google.cloud.', 'google.api_core', 'grpc'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
