"""Buckets as folders under a root directory, with a register in SQLite that is the authority.

An object is there as soon as its row is committed, whole or not at all, whenever a process dies:

    write .tmp/x ──▶ commit row {generation, staged: x} + event ──▶ move x to its path ──▶ commit row {staged: NULL}
        nothing yet          the object exists, in .tmp/x        the object exists, under its own name

A reader that finds a row which is still staged completes the move. A file that does not have the size and checksum of
its row is not that object any more: people may change the folders as they like. The time spares computing the checksum.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from darkroom.adapters.local.database import LocalDatabase, to_microseconds
from darkroom.adapters.local.files import LocalFiles, fingerprint_of, read_exactly
from darkroom.adapters.local.names import candidate_paths
from darkroom.adapters.local.register import Entry, NewEntry, Register
from darkroom.adapters.local.uploads import FolderWatch
from darkroom.adapters.object_rules import (
    already_there,
    check_object,
    crc32c_base64,
    generation_gone,
    not_found,
    valid_name,
)
from darkroom.adapters.system import SystemClock
from darkroom.domain.errors import TransientError
from darkroom.domain.messages import ObjectRef
from darkroom.domain.topology import SUBSCRIPTIONS, Subscription
from darkroom.runtime.ports import Clock, NewObject, ObjectInfo

#: Number of retries if the content is moved between reading the register and opening the file.
_LOOKS = 5
#: Age after which staged content without a row is no longer being written.
ABANDONED = timedelta(hours=1)


def _nothing(step: str) -> None:
    """The default checkpoint."""


class LocalObjectStore:
    """Buckets as folders.

    `notify` names the topic for each bucket whose new objects are published, in the transaction that writes them.
    `checkpoint` is called with the name of each step of a write once that is done: for tests that crash in between.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock | None = None,
        notify: Mapping[str, str] | None = None,
        subscriptions: Collection[Subscription] = SUBSCRIPTIONS,
        checkpoint: Callable[[str], None] = _nothing,
    ) -> None:
        self._clock = clock or SystemClock()
        self._database = LocalDatabase(root)
        self._files = LocalFiles(root)
        self._register = Register(self._clock, notify or {}, subscriptions)
        self._watches: dict[str, FolderWatch] = {}
        self._checkpoint = checkpoint

    def stat(self, bucket: str, name: str) -> ObjectInfo:
        entry = self._live(bucket, name)
        if entry is None:
            raise not_found(bucket, name)
        return entry.info

    def read(self, ref: ObjectRef) -> bytes:
        for _ in range(_LOOKS):
            entry = self._entry(ref.bucket, ref.name)
            if entry is None or entry.info.ref != ref:
                break
            if (data := self._content(entry)) is not None:
                return data
        raise generation_gone(ref)

    def read_latest(self, bucket: str, name: str) -> bytes:
        for _ in range(_LOOKS):
            entry = self._entry(bucket, name)
            if entry is None:
                break
            if (data := self._content(entry)) is not None:
                return data
        raise not_found(bucket, name)

    def _content(self, entry: Entry) -> bytes | None:
        """The content as it was registered; None if it has been moved, changed or deleted."""
        contents = (read_exactly(path, entry.file, entry.info.crc32c) for path in self._locations(entry))
        return next((data for data in contents if data is not None), None)

    def create(self, bucket: str, name: str, new: NewObject) -> ObjectInfo:
        return self._write(bucket, name, new, only_if_absent=True)

    def put(self, bucket: str, name: str, new: NewObject) -> ObjectInfo:
        return self._write(bucket, name, new, only_if_absent=False)

    def list(self, bucket: str, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        last = after
        while entries := self._entries_after(bucket, last, prefix):
            for entry in entries:
                if self._is_live(entry) or self._live(bucket, entry.info.ref.name) is not None:
                    yield entry.info
            last = entries[-1].info.ref.name

    def delete(self, ref: ObjectRef) -> None:
        # Moved first: otherwise the file of the generation before would stay at the path.
        self._settle(ref.bucket, ref.name)
        with self._database.transaction() as connection:
            entry = self._register.find(connection, ref.bucket, ref.name)
            if entry is None or entry.info.ref != ref:
                return
            if self._is_live(entry):
                self._files.remove(ref.bucket, entry.path)
            self._register.remove(connection, ref)

    def discover(self, bucket: str) -> Sequence[ObjectInfo]:
        """Bring the register up to date with what people did in the bucket's folder, and return the new objects.

        A new or changed file counts once two calls in succession found it unchanged. Its object and the event are
        written together, so that neither can be lost or doubled by a crash.
        """
        with self._database.reading() as connection:
            staged = self._register.staged(connection, bucket)
        for entry in staged:
            self._settle(bucket, entry.info.ref.name)
        if bucket not in self._watches:
            self._watches[bucket] = FolderWatch(self._database, self._files, self._register, bucket=bucket)
        return self._watches[bucket].scan()

    def take_ignored(self) -> Sequence[str]:
        """Sentences about files in the watched folders that do not become objects, each file's once."""
        return [sentence for watch in tuple(self._watches.values()) for sentence in watch.take_ignored()]

    def remove_abandoned(self) -> int:
        """Delete the staged content that killed writers left behind, and return how many files that were."""
        before_ns = to_microseconds(self._clock.now() - ABANDONED) * 1000
        staging = self._files.staged("")
        with self._database.transaction() as connection:
            kept = self._register.all_staged(connection)
            old = [path for path in staging.glob("*") if path.name not in kept and path.stat().st_mtime_ns < before_ns]
            for path in old:
                path.unlink(missing_ok=True)
        return len(old)

    def forget_missing(self, bucket: str) -> int:
        """Remove the rows of objects whose files were deleted, and return their number.

        Such an object is absent for every reader already. Nothing is removed while the bucket's folder is missing or
        empty: it may be on a disk that is not mounted.
        """
        folder = self._files.folder(bucket)
        with self._database.translated():
            if not folder.is_dir() or not any(folder.iterdir()):
                return 0
        removed, last = 0, ""
        while entries := self._entries_after(bucket, last, ""):
            last = entries[-1].info.ref.name
            removed += self._forget([entry for entry in entries if self._is_missing(entry)])
        return removed

    def _is_missing(self, entry: Entry) -> bool:
        return entry.staged is None and fingerprint_of(self._files.at(entry.info.ref.bucket, entry.path)) is None

    def _forget(self, entries: Sequence[Entry]) -> int:
        with self._database.transaction() as connection:
            for entry in entries:
                self._register.remove(connection, entry.info.ref)
        return len(entries)

    def close(self) -> None:
        """Give the database file back; the next use opens it again."""
        self._database.close()

    def _write(self, bucket: str, name: str, new: NewObject, *, only_if_absent: bool) -> ObjectInfo:
        check_object(name, new)
        self._files.folder(bucket)
        with self._database.translated():
            staged, file = self._files.stage(new.data)
        self._checkpoint("staged")
        try:
            with self._database.transaction() as connection:
                old = self._register.find(connection, bucket, name)
                if only_if_absent and old is not None and self._is_live(old):
                    raise already_there(bucket, name)
                entry = self._register.add(
                    connection,
                    NewEntry(
                        bucket=bucket,
                        name=name,
                        content_type=new.content_type,
                        crc32c=crc32c_base64(new.data),
                        file=file,
                        path=self._free_path(connection, bucket, name),
                        staged=staged,
                        metadata=new.metadata,
                    ),
                )
                self._checkpoint("inserted")
        except Exception:  # the transaction is rolled back; on a full disk, what is left behind would stay for an hour
            self._files.staged(staged).unlink(missing_ok=True)
            raise
        self._checkpoint("committed")
        if old is not None and old.staged is not None:
            self._files.staged(old.staged).unlink(missing_ok=True)
        self._settle(bucket, name)
        self._checkpoint("settled")
        return entry.info

    def _settle(self, bucket: str, name: str) -> None:
        """Move staged content to its path, or to another one if that path is now blocked."""
        for _ in range(_LOOKS):
            with self._database.transaction() as connection:
                entry = self._register.find(connection, bucket, name)
                if entry is None or entry.staged is None:
                    return
                if self._files.place(entry.staged, bucket, entry.path):
                    self._checkpoint("moved")
                    self._register.move(connection, entry, path=entry.path, staged=None)
                    return
                path = self._free_path(connection, bucket, name)
                self._register.move(connection, entry, path=path, staged=entry.staged)

    def _free_path(self, connection: sqlite3.Connection, bucket: str, name: str) -> bytes:
        """The path for the object: its earlier path, or the best free one."""
        old = self._register.find(connection, bucket, name)
        before = [old.path] if old else []
        for path in [*before, *candidate_paths(name)]:
            owner = self._register.at_path(connection, bucket, path)
            if (owner is None or owner.info.ref.name == name) and self._files.is_free(bucket, path):
                return path
        raise TransientError(f"no path in {self._files.folder(bucket)} is free for object {name!r}")

    def _entry(self, bucket: str, name: str) -> Entry | None:
        if not valid_name(name):
            return None
        self._files.folder(bucket)
        with self._database.reading() as connection:
            return self._register.find(connection, bucket, name)

    def _entries_after(self, bucket: str, last: str, prefix: str) -> Sequence[Entry]:
        with self._database.reading() as connection:
            return self._register.after(connection, bucket, last, prefix=prefix)

    def _live(self, bucket: str, name: str) -> Entry | None:
        """The object, if its content still is what was registered."""
        for _ in range(_LOOKS):
            entry = self._entry(bucket, name)
            if entry is None or self._is_live(entry):
                return entry
        return None

    def _is_live(self, entry: Entry) -> bool:
        return any(
            fingerprint_of(path) == entry.file or read_exactly(path, entry.file, entry.info.crc32c) is not None
            for path in self._locations(entry)
        )

    def _locations(self, entry: Entry) -> Sequence[Path]:
        """Possible paths of the content. It may be at its final path while its row is still marked as staged."""
        own = self._files.at(entry.info.ref.bucket, entry.path)
        return (own,) if entry.staged is None else (self._files.staged(entry.staged), own)
