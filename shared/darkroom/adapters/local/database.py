"""The SQLite database in which the processes of one machine share jobs, messages and the register of objects.

One SQLite file in WAL mode under the root directory. A commit survives the death of any process at any moment
(synchronous=NORMAL: after a power cut the last moments may be missing, never half a transaction).

A process has one connection, used by one thread at a time: SQLite lets one transaction write at a time anyway. New
processes are spawned and never forked, because a connection that is open in two processes breaks the locks of both:
https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_
"""

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from darkroom.adapters.local.schema import SCHEMA_VERSION, bring_up_to_date, version_of
from darkroom.domain.errors import ConfigurationError, TransientError

FILE_NAME = "darkroom.sqlite3"
#: How long a writer waits for the others.
BUSY_TIMEOUT_S = 30.0
#: Value of the pragma `auto_vacuum` for INCREMENTAL.
_INCREMENTAL = 2
#: Largest write-ahead log that stays on disk when it is empty, in bytes.
_MAX_LOG_BYTES = 64 << 20
#: Free pages of 4 KiB that are kept for the next rows.
KEPT_FREE_PAGES = 1024
#: Free pages that one transaction gives back to the file system.
_GIVEN_BACK_AT_ONCE = 64

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class LocalDatabase:
    """The database under one root directory; opened on first use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()

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
                _give_back(connection)
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

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self.root)
        return self._connection


def to_microseconds(moment: datetime) -> int:
    """A time as an integer of the tables, in microseconds."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """The time for an integer of the tables."""
    return _EPOCH + value * _MICROSECOND


def _connect(root: Path) -> sqlite3.Connection:
    root.mkdir(parents=True, exist_ok=True)
    # Two processes that switch a fresh file to WAL at once lock each other out for any busy timeout.
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
    found = version_of(connection)
    if found > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{root / FILE_NAME} was written by a newer version (schema {found}, this one has {SCHEMA_VERSION}): "
            "use that version, or another directory"
        )
    if _vacuum_mode(connection) != _INCREMENTAL:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA journal_size_limit = {_MAX_LOG_BYTES}")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    bring_up_to_date(connection)
    if _vacuum_mode(connection) != _INCREMENTAL:
        # A file of release 0.1.0 is written anew once: https://www.sqlite.org/pragma.html#pragma_auto_vacuum
        connection.execute("VACUUM")


def _vacuum_mode(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("PRAGMA auto_vacuum").fetchone()[0]
    return found


def _give_back(connection: sqlite3.Connection) -> None:
    """Shorten the file in small steps if much of it is free, so that every transaction is short."""
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    for _ in range(min(free - KEPT_FREE_PAGES, _GIVEN_BACK_AT_ONCE)):
        # The sqlite3 module runs one step of a statement without columns, and each step frees one page.
        connection.execute("PRAGMA incremental_vacuum(1)")


@contextmanager
def _translated(root: Path) -> Iterator[None]:
    """The one place where SQLite's and the file system's errors become ours."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as exc:
        raise TransientError(f"the local store under {root} does not answer: {exc}") from exc
    except sqlite3.DatabaseError as exc:
        raise ConfigurationError(f"{root / FILE_NAME} is not usable: {exc}") from exc
