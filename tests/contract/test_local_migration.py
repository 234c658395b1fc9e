"""A database that an earlier release wrote is brought up to date when it is opened, and nothing in it is lost."""

import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from darkroom.adapters.broker import Delivery
from darkroom.adapters.local.broker import LocalBroker
from darkroom.adapters.local.database import FILE_NAME, LocalDatabase, to_microseconds
from darkroom.adapters.local.jobs import LocalJobStore
from darkroom.adapters.local.schema import SCHEMA_VERSION
from darkroom.domain.job import Job
from darkroom.domain.products.batches import refusals_of
from darkroom.runtime.ports import JobQuery
from tests.contract.jobs import make_job
from tests.fakes.memory import ManualClock

#: The tables of release 0.1.0, as `sqlite3 darkroom.sqlite3 .schema` showed them.
RELEASE_0_1_0 = """
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE objects (
    bucket TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL,
    size INTEGER NOT NULL, crc32c TEXT NOT NULL, content_type TEXT NOT NULL, metadata TEXT NOT NULL,
    created_at INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, path BLOB NOT NULL, staged TEXT,
    PRIMARY KEY (bucket, name)) WITHOUT ROWID;
CREATE UNIQUE INDEX objects_by_path ON objects (bucket, path);
CREATE INDEX objects_staged ON objects (staged) WHERE staged IS NOT NULL;
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, revision INTEGER NOT NULL, status TEXT NOT NULL, qc_status TEXT NOT NULL,
    owner TEXT NOT NULL, updated_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX jobs_by_update ON jobs (updated_at, id);
CREATE INDEX jobs_by_status ON jobs (status, updated_at, id);
CREATE INDEX jobs_by_expiry ON jobs (expires_at, id);
CREATE TABLE job_labels (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (job_id, key)) WITHOUT ROWID;
CREATE INDEX job_labels_by_value ON job_labels (key, value, job_id);
CREATE TABLE messages (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, subscription TEXT NOT NULL,
    data BLOB NOT NULL, attributes TEXT NOT NULL, published_at INTEGER NOT NULL,
    available_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    lease TEXT NOT NULL DEFAULT '');
CREATE INDEX messages_by_subscription ON messages (subscription, sequence);
CREATE INDEX messages_by_time ON messages (subscription, available_at);
CREATE TABLE dead_letters (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, subscription TEXT NOT NULL,
    deliveries INTEGER NOT NULL, data BLOB NOT NULL, attributes TEXT NOT NULL, given_up_at INTEGER NOT NULL);
"""
BATCHES = """
CREATE TABLE job_batches (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, batch TEXT NOT NULL,
    PRIMARY KEY (job_id, batch)) WITHOUT ROWID;
CREATE INDEX job_batches_by_batch ON job_batches (batch, job_id);
"""


@pytest.fixture
def old(tmp_path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(RELEASE_0_1_0 + BATCHES + "PRAGMA user_version = 2;")
    return connection


def _insert(connection: sqlite3.Connection, job: Job) -> None:
    moments = (to_microseconds(job.updated_at), to_microseconds(job.expires_at))
    values = (job.id, job.revision, job.status, job.qc_status, job.owner, *moments, job.model_dump_json())
    connection.execute("INSERT INTO jobs VALUES (?,?,?,?,?,?,?,?)", values)
    connection.executemany("INSERT INTO job_labels VALUES (?,?,?)", [(job.id, k, v) for k, v in job.labels.items()])
    connection.executemany("INSERT INTO job_batches VALUES (?,?)", [(job.id, batch) for batch in job.batches])


def test_jobs_of_release_0_1_0_are_found_and_counted_by_everything(old: sqlite3.Connection, tmp_path: Path) -> None:
    first = make_job("job-1", owner="anna", labels={"k": "v"}, batches=("b",), revision=3)
    second = make_job("job-2", owner="ben", labels={"k": "v"}, status="failed", revision=1)
    for job in (first, second):
        _insert(old, job)
    old.close()
    jobs = LocalJobStore(tmp_path)
    assert (jobs.get("job-1"), jobs.get("job-2")) == (first, second)
    for query, expected in (
        (JobQuery(), {"job-1", "job-2"}),
        (JobQuery(owner="anna"), {"job-1"}),
        (JobQuery(status="failed"), {"job-2"}),
        (JobQuery(label=("k", "v")), {"job-1", "job-2"}),
        (JobQuery(label=("k", "v"), owner="ben"), {"job-2"}),
        (JobQuery(batch="b", status="pending"), {"job-1"}),
    ):
        assert {job.id for job in jobs.query(query).jobs} == expected
        assert jobs.count(query) == len(expected)
    jobs.save(first.model_copy(update={"status": "completed"}))
    assert (jobs.count(JobQuery(batch="b", status="completed")), jobs.count(JobQuery(status="pending"))) == (1, 0)


def test_messages_of_release_0_1_0_keep_their_leases_and_their_backoffs(
    old: sqlite3.Connection, tmp_path: Path
) -> None:
    clock = ManualClock()
    now, later = to_microseconds(clock.now()), to_microseconds(clock.now() + timedelta(seconds=30))
    rows = ((b"waits", now, 0, ""), (b"in backoff", later, 1, ""), (b"leased", later, 1, "3:token"))
    for data, available_at, attempts, lease in rows:
        old.execute(
            "INSERT INTO messages (id, subscription, data, attributes, published_at, available_at, attempts, lease) "
            "VALUES ('m', 'stage-assess', ?, ?, ?, ?, ?, ?)",
            (data, json.dumps({"k": "v"}), now, available_at, attempts, lease),
        )
    old.close()
    broker = LocalBroker(tmp_path, clock=clock)
    assert [each.data for each in broker.lease(clock.now(), limit=9)] == [b"waits"]
    leased = Delivery(
        id="m",
        subscription="stage-assess",
        data=b"leased",
        attributes={},
        delivery_attempt=1,
        published_at=clock.now(),
        lease="3:token",
    )
    assert broker.ack(leased)
    assert [each.data for each in broker.lease(clock.advance(30), limit=9)] == [b"in backoff"]


def test_what_a_batch_of_release_0_1_0_refused_is_counted(old: sqlite3.Connection, tmp_path: Path) -> None:
    batch = "0123456789abcdef01234567"
    for name in (f"batches/{batch}/refused/000001.json", f"batches/{batch}/batch.json", "batches/x/refused/1.json"):
        old.execute(
            "INSERT INTO objects VALUES ('catalogue', ?, 1, 1, '', '', '{}', 1, 1, ?, NULL)", (name, name.encode())
        )
    old.close()
    assert LocalJobStore(tmp_path).tallied(refusals_of(batch)) == 1


def test_a_database_without_batches_is_brought_up_to_date(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.executescript(RELEASE_0_1_0 + "PRAGMA user_version = 1;")
    connection.close()
    jobs = LocalJobStore(tmp_path)
    jobs.save(jobs.create(make_job()).in_batch("b"))
    assert jobs.count(JobQuery(batch="b")) == 1


def test_an_old_file_can_give_space_back_once_it_was_opened(old: sqlite3.Connection, tmp_path: Path) -> None:
    old.close()
    with LocalDatabase(tmp_path).reading() as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_an_old_and_a_new_file_have_the_same_tables(old: sqlite3.Connection, tmp_path: Path) -> None:
    old.close()

    def tables(root: Path) -> list[tuple[str, str]]:
        with LocalDatabase(root).reading() as connection:
            return sorted(connection.execute("SELECT type, name FROM sqlite_master"))

    assert tables(tmp_path) == tables(tmp_path / "new")
