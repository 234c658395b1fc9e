"""The register of objects, and the events that new objects cause."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from darkroom.adapters.broker import Routes
from darkroom.adapters.finalized import finalized_event
from darkroom.adapters.local.database import from_microseconds, to_microseconds
from darkroom.adapters.local.files import Fingerprint
from darkroom.adapters.local.queue import enqueue
from darkroom.adapters.prefixes import end_of_prefix
from darkroom.domain.messages import ObjectRef
from darkroom.domain.topology import Subscription
from darkroom.runtime.ports import Clock, ObjectInfo

_COLUMNS = "bucket, name, generation, size, crc32c, content_type, metadata, created_at, mtime_ns, path, staged"
_SELECT = f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND "
#: Rows in one statement of a listing.
_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An object on its way into the register."""

    bucket: str
    name: str
    content_type: str
    crc32c: str
    file: Fingerprint
    path: bytes
    staged: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An object in the register."""

    info: ObjectInfo
    #: Size and time of the content's file when it was registered.
    file: Fingerprint
    #: Below the bucket's folder.
    path: bytes
    #: Name in the staging folder, until the content is at its path.
    staged: str | None


class Register:
    """Reads and writes rows within the caller's transaction."""

    def __init__(self, clock: Clock, notify: Mapping[str, str], subscriptions: Collection[Subscription]) -> None:
        self._clock = clock
        self._notify = dict(notify)
        self._routes = Routes(subscriptions)

    def find(self, connection: sqlite3.Connection, bucket: str, name: str) -> Entry | None:
        return _one(connection.execute(f"{_SELECT} name = ?", (bucket, name)))

    def at_path(self, connection: sqlite3.Connection, bucket: str, path: bytes) -> Entry | None:
        return _one(connection.execute(f"{_SELECT} path = ?", (bucket, path)))

    def after(self, connection: sqlite3.Connection, bucket: str, name: str, *, prefix: str) -> list[Entry]:
        """The next objects after `name` in order of names, of those with the prefix `prefix`."""
        end = end_of_prefix(prefix)
        bound, values = ("", ()) if end is None else ("AND name < ? ", (end,))
        rows = connection.execute(
            f"{_SELECT} name > ? AND name >= ? {bound}ORDER BY name LIMIT ?", (bucket, name, prefix, *values, _PAGE)
        )
        return [_entry(row) for row in rows]

    def staged(self, connection: sqlite3.Connection, bucket: str) -> list[Entry]:
        """The objects whose content is not at its path yet."""
        return [_entry(row) for row in connection.execute(f"{_SELECT} staged IS NOT NULL", (bucket,))]

    def all_staged(self, connection: sqlite3.Connection) -> set[str]:
        """Names in the staging folder that belong to an object."""
        return {row[0] for row in connection.execute("SELECT staged FROM objects WHERE staged IS NOT NULL")}

    def files(self, connection: sqlite3.Connection, bucket: str) -> Iterator[tuple[bytes, int, int]]:
        """Path, size and mtime_ns of every object."""
        return connection.execute("SELECT path, size, mtime_ns FROM objects WHERE bucket = ?", (bucket,))

    def add(self, connection: sqlite3.Connection, new: NewEntry) -> Entry:
        """Write the row of a new generation, and publish the event if the bucket has a topic."""
        now = self._clock.now()
        values = (
            new.bucket,
            new.name,
            _next_generation(connection, to_microseconds(now)),
            new.file.size,
            new.crc32c,
            new.content_type,
            json.dumps(dict(new.metadata), ensure_ascii=False),
            to_microseconds(now),
            new.file.mtime_ns,
            new.path,
            new.staged,
        )
        marks = ",".join("?" * len(values))
        connection.execute(f"INSERT OR REPLACE INTO objects ({_COLUMNS}) VALUES ({marks})", values)
        entry = _entry(values)
        if new.bucket in self._notify:
            data, attributes = finalized_event(entry.info)
            receivers = self._routes.of(self._notify[new.bucket])
            enqueue(connection, receivers, data=data, attributes=attributes, now=now)
        return entry

    def move(self, connection: sqlite3.Connection, entry: Entry, *, path: bytes, staged: str | None) -> None:
        """Note where the content of an object is."""
        connection.execute(
            "UPDATE objects SET path = ?, staged = ? WHERE bucket = ? AND name = ? AND generation = ?",
            (path, staged, entry.info.ref.bucket, entry.info.ref.name, entry.info.ref.generation),
        )

    def touch(self, connection: sqlite3.Connection, entry: Entry, mtime_ns: int) -> None:
        """Note that the file of an object has another time, and the same content."""
        connection.execute(
            "UPDATE objects SET mtime_ns = ? WHERE bucket = ? AND name = ? AND generation = ?",
            (mtime_ns, entry.info.ref.bucket, entry.info.ref.name, entry.info.ref.generation),
        )

    def remove(self, connection: sqlite3.Connection, ref: ObjectRef) -> None:
        connection.execute(
            "DELETE FROM objects WHERE bucket = ? AND name = ? AND generation = ?",
            (ref.bucket, ref.name, ref.generation),
        )


def _next_generation(connection: sqlite3.Connection, now_us: int) -> int:
    """Microseconds since 1970 as in Cloud Storage, but greater than every generation before."""
    row = connection.execute("SELECT value FROM counters WHERE name = 'generation'").fetchone()
    generation = max(now_us, row[0] + 1 if row else 1)
    connection.execute("INSERT OR REPLACE INTO counters VALUES ('generation', ?)", (generation,))
    return generation


def _one(cursor: sqlite3.Cursor) -> Entry | None:
    row = cursor.fetchone()
    return None if row is None else _entry(row)


def _entry(row: tuple[Any, ...]) -> Entry:
    bucket, name, generation, size, crc32c, content_type, metadata, created_at, mtime_ns, path, staged = row
    info = ObjectInfo(
        ref=ObjectRef(bucket=bucket, name=name, generation=generation),
        size_bytes=size,
        content_type=content_type,
        crc32c=crc32c,
        metadata=json.loads(metadata),
        created_at=from_microseconds(created_at),
    )
    return Entry(info=info, file=Fingerprint(size=size, mtime_ns=mtime_ns), path=path, staged=staged)
