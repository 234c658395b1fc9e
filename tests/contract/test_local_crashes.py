"""Processes that die and start at any moment leave the local store whole."""

import errno
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from darkroom.adapters.local.broker import LocalBroker
from darkroom.adapters.local.database import FILE_NAME, SCHEMA_VERSION
from darkroom.adapters.local.jobs import LocalJobStore
from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.adapters.object_rules import crc32c_base64
from darkroom.adapters.system import SystemClock
from darkroom.domain.errors import ConfigurationError, ObjectExists, ObjectNotFound, TransientError
from darkroom.runtime.ports import NewObject
from tests.contract.jobs import make_job
from tests.contract.local_writer import NOTIFY, new
from tests.fakes.memory import ManualClock

REPOSITORY = Path(__file__).resolve().parents[2]
BEFORE_COMMIT = ("staged", "inserted")
AFTER_COMMIT = ("committed", "moved", "settled")


@contextmanager
def running(root: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """One of the programs of `local_writer`; whatever is left of it, and of its children, ends with the block."""
    command = [sys.executable, "-m", "tests.contract.local_writer", str(root), *arguments]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def crash(root: Path, step: str, method: str) -> None:
    with running(root, "crash", step, method) as process:
        assert process.wait(timeout=60) == -signal.SIGKILL


def events(root: Path) -> list[str]:
    """Generations of all events so far."""
    deliveries = LocalBroker(root).lease(SystemClock().now(), limit=10_000)
    return [json.loads(delivery.data)["generation"] for delivery in deliveries]


@pytest.fixture
def store(tmp_path: Path) -> LocalObjectStore:
    return LocalObjectStore(tmp_path, notify=NOTIFY)


@pytest.mark.parametrize("step", BEFORE_COMMIT)
def test_a_create_that_dies_before_its_commit_leaves_nothing(
    store: LocalObjectStore, tmp_path: Path, step: str
) -> None:
    crash(tmp_path, step, "create")
    with pytest.raises(ObjectNotFound):
        store.stat("uploads", "a/b.jpg")
    assert [list(store.discover("uploads")) for _ in range(3)] == [[], [], []]
    assert events(tmp_path) == []
    assert store.read(store.create("uploads", "a/b.jpg", new(b"again")).ref) == b"again"


@pytest.mark.parametrize("step", AFTER_COMMIT)
def test_a_create_that_dies_after_its_commit_leaves_a_whole_object_and_one_event(
    store: LocalObjectStore, tmp_path: Path, step: str
) -> None:
    crash(tmp_path, step, "create")
    info = store.stat("uploads", "a/b.jpg")
    assert (store.read(info.ref), info.metadata) == (b"new content", {"pipeline": "restore"})
    assert list(store.list("uploads")) == [info]
    with pytest.raises(ObjectExists):
        store.create("uploads", "a/b.jpg", new(b"again"))
    assert [list(store.discover("uploads")) for _ in range(3)] == [[], [], []]
    assert (tmp_path / "uploads" / "a" / "b.jpg").read_bytes() == b"new content"
    assert store.read(info.ref) == b"new content"
    assert events(tmp_path) == [str(info.ref.generation)]


@pytest.mark.parametrize("step", BEFORE_COMMIT + AFTER_COMMIT)
def test_a_put_that_dies_leaves_the_old_object_or_the_new_one(
    store: LocalObjectStore, tmp_path: Path, step: str
) -> None:
    old = store.put("uploads", "a/b.jpg", new(b"old content"))
    crash(tmp_path, step, "put")
    found = store.stat("uploads", "a/b.jpg")
    assert store.read(found.ref) == (b"old content" if step in BEFORE_COMMIT else b"new content")
    assert (found == old) is (step in BEFORE_COMMIT)
    assert [list(store.discover("uploads")) for _ in range(3)] == [[], [], []]
    assert len(events(tmp_path)) == (1 if step in BEFORE_COMMIT else 2)


@pytest.mark.parametrize("step", AFTER_COMMIT)
def test_an_object_that_is_deleted_before_its_content_was_moved_does_not_come_back(
    store: LocalObjectStore, tmp_path: Path, step: str
) -> None:
    store.put("uploads", "a/b.jpg", new(b"old content"))
    crash(tmp_path, step, "put")
    store.delete(store.stat("uploads", "a/b.jpg").ref)
    assert [list(store.discover("uploads")) for _ in range(3)] == [[], [], []]
    assert list(store.list("uploads")) == []
    assert list((tmp_path / ".tmp").iterdir()) == []


def test_content_that_a_killed_writer_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    crash(tmp_path, "staged", "create")
    crash(tmp_path, "committed", "put")
    clock = ManualClock(datetime.now(UTC))
    store = LocalObjectStore(tmp_path, clock=clock)
    assert store.remove_abandoned() == 0
    clock.advance(2 * 3600)
    assert store.remove_abandoned() == 1
    assert store.read(store.stat("uploads", "a/b.jpg").ref) == b"new content"


@pytest.mark.parametrize("seed", range(4))
def test_a_writer_killed_at_any_moment_leaves_whole_objects_and_one_event_for_each(
    store: LocalObjectStore, tmp_path: Path, seed: int
) -> None:
    said: dict[str, str] = {}
    with running(tmp_path, "endless", str(seed)) as process:
        assert process.stdout is not None
        for _ in range(random.Random(seed).randrange(5, 60)):
            name, state = process.stdout.readline().split()
            said[name] = state
        process.kill()
        said |= dict(line.split() for line in process.stdout.read().splitlines() if len(line.split()) == 2)
    found = {info.ref.name: info for info in store.list("uploads")}
    # The last change of all may be made without having been said.
    differing = {name for name, state in said.items() if (found[name].crc32c if name in found else "deleted") != state}
    assert len(differing | (found.keys() - said.keys())) <= 1
    for info in found.values():
        assert crc32c_base64(store.read(info.ref)) == info.crc32c
    assert [list(store.discover("uploads")) for _ in range(3)] == [[], [], []]
    published = events(tmp_path)
    assert len(published) == len(set(published))
    assert {str(info.ref.generation) for info in found.values()} <= set(published)
    for info in found.values():
        assert (tmp_path / "uploads" / info.ref.name).read_bytes() == store.read(info.ref)


def test_processes_that_start_together_on_a_fresh_folder_share_everything_fairly(tmp_path: Path) -> None:
    count = 40
    with ExitStack() as stack:
        processes = [stack.enter_context(running(tmp_path, "compete", str(count))) for _ in range(4)]
        said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert sum(int(words[0]) for words in said) == 2 * count
    received = [message for words in said for message in words[1:]]
    remaining = [delivery.id for delivery in LocalBroker(tmp_path).lease(SystemClock().now(), limit=1000)]
    assert len(received) + len(remaining) == len({*received, *remaining}) == count


def test_a_closed_store_opens_again(tmp_path: Path) -> None:
    jobs = LocalJobStore(tmp_path)
    job = jobs.create(make_job())
    jobs.close()
    assert jobs.get(job.id) == job


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    LocalJobStore(tmp_path).create(make_job())
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(ConfigurationError, match=f"schema {SCHEMA_VERSION + 1}, this one has {SCHEMA_VERSION}"):
        LocalJobStore(tmp_path).get("job-1")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database " * 1000)
    with pytest.raises(ConfigurationError, match="not usable"):
        LocalJobStore(tmp_path).get("job-1")


def test_a_folder_that_cannot_be_written_is_an_error_that_may_pass(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TransientError, match="does not answer"):
        LocalObjectStore(tmp_path / "file").create("objects", "x", NewObject(data=b"", content_type="text/plain"))
    with pytest.raises(TransientError, match="does not answer"):
        LocalBroker(tmp_path / "file").publish("uploads", b"x", {})


def test_a_write_that_fails_leaves_nothing_in_the_staging_folder(tmp_path: Path) -> None:
    def fail(step: str) -> None:
        if step == "inserted":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = LocalObjectStore(tmp_path, checkpoint=fail)
    with pytest.raises(TransientError, match="No space left"):
        store.put("uploads", "a.jpg", new(b"content"))
    assert list((tmp_path / ".tmp").iterdir()) == []
    with pytest.raises(ObjectNotFound):
        store.stat("uploads", "a.jpg")


def test_content_that_does_not_fit_on_the_disk_leaves_no_half_of_it(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    kept = store.put("uploads", "a.jpg", new(b"kept"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(TransientError, match="File too large"):
            store.put("uploads", "b.jpg", new(bytes(3 << 20)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert list((tmp_path / ".tmp").iterdir()) == []
    assert store.read(kept.ref) == b"kept"


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    LocalJobStore(tmp_path).create(make_job())
    connection = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def test_readers_do_not_wait_for_a_writer(tmp_path: Path, locked: sqlite3.Connection) -> None:
    assert LocalJobStore(tmp_path).get("job-1").id == "job-1"
