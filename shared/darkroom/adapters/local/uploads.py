"""Finds the files that users added to, changed in or removed from the folder of a bucket."""

import os
import re
import sqlite3
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from darkroom.adapters.content_types import HEAD_BYTES, content_type_of
from darkroom.adapters.local.database import LocalDatabase
from darkroom.adapters.local.files import Fingerprint, LocalFiles, fingerprint_of
from darkroom.adapters.local.names import name_of
from darkroom.adapters.local.register import NewEntry, Register
from darkroom.adapters.object_rules import encode_crc32c, valid_name
from darkroom.domain.formats import PICTURE_SUFFIXES
from darkroom.domain.new_job import SIDECAR_SUFFIX
from darkroom.runtime.logs import log
from darkroom.runtime.ports import ObjectInfo

#: Hidden files, backups of editors, what file managers leave, and downloads or copies that are not finished.
_UNFINISHED = re.compile(
    rb"^\.|~$|\.(part|partial|tmp|temp|crdownload|download|swp)$|^(thumbs\.db|desktop\.ini)$", re.IGNORECASE
)
_CHUNK_BYTES = 1 << 20
#: Hidden files that are reported; macOS adds a `._` file to every file on a foreign disk, and these are not.
_HIDDEN_PICTURE = re.compile(
    rf"^\.(?!_).*({'|'.join(map(re.escape, sorted(PICTURE_SUFFIXES)))})$".encode(), re.IGNORECASE
)
_MOST_UNTOLD = 1000


def is_unfinished(name: str) -> bool:
    """Whether a file with this name is ignored until it is renamed."""
    return _UNFINISHED.search(os.fsencode(name)) is not None


class FolderWatch:
    """Remembers what the last scan of one bucket's folder found."""

    def __init__(self, database: LocalDatabase, files: LocalFiles, register: Register, *, bucket: str) -> None:
        self._database = database
        self._files = files
        self._register = register
        self._bucket = bucket
        self._folder = files.folder(bucket)
        #: Files that differ from the register, as the last scan found them.
        self._unsettled: dict[bytes, Fingerprint] = {}
        self._ignored: set[bytes] = set()
        #: The latest sentences about ignored files, for the caller.
        self._untold: deque[str] = deque(maxlen=_MOST_UNTOLD)

    def scan(self) -> list[ObjectInfo]:
        """Register files that are stable since the last scan, remove deleted ones, and return the new objects."""
        with self._database.translated():
            self._folder.mkdir(parents=True, exist_ok=True)
        with self._database.reading() as connection:
            registered = {path: (size, mtime) for path, size, mtime in self._register.files(connection, self._bucket)}
        with self._database.translated():
            found = dict(self._files_below(self._folder))
        self._forget(registered.keys() - found.keys())
        changed = {
            path: Fingerprint(size=file[0], mtime_ns=file[1])
            for path, file in found.items()
            if registered.get(path) != file
        }
        stable = [path for path, file in changed.items() if self._unsettled.get(path) == file]
        self._unsettled = changed
        infos = [self._add(path, changed[path]) for path in sorted(stable, key=_descriptions_first)]
        return [info for info in infos if info is not None]

    def _add(self, path: bytes, file: Fingerprint) -> ObjectInfo | None:
        content = self._inspect(path, file)
        if content is None:
            return None
        with self._database.transaction() as connection:
            crc32c, head = content
            if self._is_touched(connection, path, file, crc32c=crc32c):
                return None
            name = self._name_for(connection, path, file)
            if name is None:
                return None
            new = NewEntry(
                bucket=self._bucket,
                name=name,
                content_type=content_type_of(head, name),
                crc32c=crc32c,
                file=file,
                path=path,
            )
            return self._register.add(connection, new).info

    def _is_touched(self, connection: sqlite3.Connection, path: bytes, file: Fingerprint, *, crc32c: str) -> bool:
        """Whether only the time of the file changed; the new time is stored, and the object stays the same."""
        here = self._register.at_path(connection, self._bucket, path)
        if here is None or here.staged is not None or (here.file.size, here.info.crc32c) != (file.size, crc32c):
            return False
        self._register.touch(connection, here, file.mtime_ns)
        return True

    def _name_for(self, connection: sqlite3.Connection, path: bytes, file: Fingerprint) -> str | None:
        """The name of the object in a file, None if it is registered already or cannot be one."""
        here = self._register.at_path(connection, self._bucket, path)
        if here is not None:
            return None if here.file == file or here.staged is not None else here.info.ref.name
        name = name_of(path)
        if not valid_name(name):
            self._ignore(path, "its path is too long")
            return None
        there = self._register.find(connection, self._bucket, name)
        if there is not None and (there.staged or fingerprint_of(self._files.at(self._bucket, there.path))):
            self._ignore(path, "its name is that of another object")
            return None
        return name

    def _inspect(self, path: bytes, file: Fingerprint) -> tuple[str, bytes] | None:
        """Checksum and first bytes of a file, None if it was changed or cannot be read."""
        target = self._files.at(self._bucket, path)
        try:
            content = _checksum(target)
        except OSError as exc:
            self._ignore(path, f"it cannot be read: {exc.strerror}")
            return None
        return content if fingerprint_of(target) == file else None

    def _ignore(self, path: bytes, reason: str) -> None:
        """Report once why a file does not become an object; every scan checks it again."""
        if path not in self._ignored:
            self._ignored.add(path)
            file = self._folder / os.fsdecode(path)
            sentence = f"Ignored {str(file)!a}: {reason}."
            log("WARNING", "upload_ignored", sentence)
            self._untold.append(sentence)

    def take_ignored(self) -> list[str]:
        """The sentences about ignored files since the last call."""
        return [self._untold.popleft() for _ in range(len(self._untold))]

    def _forget(self, missing: set[bytes]) -> None:
        """Remove the objects whose files were deleted; hidden files are only ignored."""
        for path in missing:
            with self._database.transaction() as connection:
                entry = self._register.at_path(connection, self._bucket, path)
                deleted = fingerprint_of(self._files.at(self._bucket, path)) is None
                if entry is not None and entry.staged is None and deleted:
                    self._register.remove(connection, entry.info.ref)

    def _files_below(self, folder: Path) -> Iterator[tuple[bytes, tuple[int, int]]]:
        """Path, size and mtime_ns of every finished regular file; symbolic links are not followed."""
        pending = [(os.fsencode(folder), b"")]
        while pending:
            where, prefix = pending.pop()
            for entry in self._entries(where, prefix):
                if entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, prefix + entry.name + b"/"))
                elif entry.is_file(follow_symlinks=False):
                    found = entry.stat(follow_symlinks=False)
                    yield prefix + entry.name, (found.st_size, found.st_mtime_ns)

    def _entries(self, folder: bytes, prefix: bytes) -> list[os.DirEntry[bytes]]:
        """The complete files of a folder; nothing if it was removed in the meantime or cannot be read."""
        try:
            with os.scandir(folder) as entries:
                found = list(entries)
        except FileNotFoundError:
            return []
        except PermissionError:
            self._ignore(prefix, "the folder cannot be read")
            return []
        for entry in found:
            self._ignore_if_meant(entry, prefix)
        return [entry for entry in found if not _UNFINISHED.search(entry.name)]

    def _ignore_if_meant(self, entry: os.DirEntry[bytes], prefix: bytes) -> None:
        """Report links and hidden pictures; a file whose name marks it as unfinished will be renamed."""
        if entry.is_symlink():
            if not _UNFINISHED.search(entry.name):
                self._ignore(prefix + entry.name, "symbolic links are not followed")
        elif _HIDDEN_PICTURE.search(entry.name):
            self._ignore(prefix + entry.name, "a name that starts with a dot is hidden")


def _descriptions_first(path: bytes) -> tuple[bool, bytes]:
    """A photograph and the file that describes it may be copied together; the description must be there first."""
    return not path.endswith(os.fsencode(SIDECAR_SUFFIX)), path


def _checksum(path: Path) -> tuple[str, bytes]:
    value, head = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            value = google_crc32c.extend(value, chunk)
            head = head or chunk[:HEAD_BYTES]
    return encode_crc32c(value), head
