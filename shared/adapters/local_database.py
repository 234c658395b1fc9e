"""How do several processes on one computer share jobs, messages and the register of objects?

One SQLite file in WAL mode under the root directory. A commit survives the death of any process at any moment
(synchronous=NORMAL: after a power cut the last moments may be missing, never half a transaction).

A process has one connection, used by one thread at a time: SQLite lets one transaction write at a time anyway. The
connection is closed before every fork and opened again on the next use, because a connection that lives on in a
child breaks the locks of both: https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_
"""

import fcntl
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.errors import ConfigurationError, TransientError

FILE_NAME = "darkroom.sqlite3"
#: Grows with every change of the tables below.
SCHEMA_VERSION = 2
#: How long a writer waits for the others.
BUSY_TIMEOUT_S = 30.0

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: Moments are microseconds since 1970 in UTC.
_SCHEMA = (
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE objects (
        bucket TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL,
        size INTEGER NOT NULL, crc32c TEXT NOT NULL, content_type TEXT NOT NULL, metadata TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,  -- of the file; with its size, tells whether it still is the one we wrote
        path BLOB NOT NULL,         -- below the bucket's folder
        staged TEXT,                -- file that holds the content until it is moved to its path
        PRIMARY KEY (bucket, name)) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX objects_by_path ON objects (bucket, path)",
    "CREATE INDEX objects_staged ON objects (staged) WHERE staged IS NOT NULL",
    """CREATE TABLE jobs (
        id TEXT PRIMARY KEY, revision INTEGER NOT NULL, status TEXT NOT NULL, qc_status TEXT NOT NULL,
        owner TEXT NOT NULL, updated_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, body TEXT NOT NULL)""",
    "CREATE INDEX jobs_by_update ON jobs (updated_at, id)",
    "CREATE INDEX jobs_by_status ON jobs (status, updated_at, id)",
    "CREATE INDEX jobs_by_expiry ON jobs (expires_at, id)",
    """CREATE TABLE job_labels (
        job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (job_id, key)) WITHOUT ROWID""",
    "CREATE INDEX job_labels_by_value ON job_labels (key, value, job_id)",
    """CREATE TABLE messages (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, subscription TEXT NOT NULL,
        data BLOB NOT NULL, attributes TEXT NOT NULL, published_at INTEGER NOT NULL,
        available_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        lease TEXT NOT NULL DEFAULT '')""",
    "CREATE INDEX messages_by_subscription ON messages (subscription, sequence)",
    "CREATE INDEX messages_by_time ON messages (subscription, available_at)",
    """CREATE TABLE dead_letters (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, subscription TEXT NOT NULL,
        deliveries INTEGER NOT NULL, data BLOB NOT NULL, attributes TEXT NOT NULL, given_up_at INTEGER NOT NULL)""",
    "PRAGMA user_version = 1",
)
#: What each version adds to the one before; a file of any earlier version is brought up to date when it is opened.
_BATCHES = (
    """CREATE TABLE job_batches (
        job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, batch TEXT NOT NULL,
        PRIMARY KEY (job_id, batch)) WITHOUT ROWID""",
    "CREATE INDEX job_batches_by_batch ON job_batches (batch, job_id)",
    "PRAGMA user_version = 2",
)
_VERSIONS = (_SCHEMA, _BATCHES)


class LocalDatabase:
    """The database under one root directory; opened on first use, and again after a fork."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        _OPEN.add(self)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """For one statement that sees one state of the database."""
        with self._lock, _translated(self.root):
            yield self._opened()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """For statements that happen together or not at all, alone in the whole database."""
        with self._lock, _translated(self.root):
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def translated(self) -> Iterator[None]:
        """For work on files under the root: errors of the file system become TransientError."""
        with _translated(self.root):
            yield

    def close(self) -> None:
        """Give the file back; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def acquire(self) -> None:
        """Keep all threads out and close the connection: before a fork."""
        self._lock.acquire()
        self.close()

    def release(self) -> None:
        """Let the threads in again: after a fork, in the parent and in the child."""
        self._lock.release()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self.root)
        return self._connection


def to_microseconds(moment: datetime) -> int:
    """A moment as the tables hold it."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """A moment as the tables hold it, for people and programs."""
    return _EPOCH + value * _MICROSECOND


def _connect(root: Path) -> sqlite3.Connection:
    root.mkdir(parents=True, exist_ok=True)
    # Two processes that switch a fresh file to WAL at once lock each other out, whatever the busy timeout is.
    with (root / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = sqlite3.connect(
            root / FILE_NAME, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, root)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, root: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{root / FILE_NAME} was written by a newer version (schema {found}, this code knows {SCHEMA_VERSION}): "
            "use that version, or another directory"
        )
    for statements in _VERSIONS[found:]:
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")


@contextmanager
def _translated(root: Path) -> Iterator[None]:
    """The one place where SQLite's and the file system's errors become ours."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as exc:
        raise TransientError(f"the local store under {root} does not answer: {exc}") from exc
    except sqlite3.DatabaseError as exc:
        raise ConfigurationError(f"{root / FILE_NAME} is not usable: {exc}") from exc


_OPEN: "weakref.WeakSet[LocalDatabase]" = weakref.WeakSet()
_held: list[LocalDatabase] = []
_forking = threading.Lock()


def _before_fork() -> None:
    _forking.acquire()
    for database in list(_OPEN):
        database.acquire()
        _held.append(database)


def _after_fork() -> None:
    while _held:
        _held.pop().release()
    _forking.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
