"""Stores the content of objects in files, and detects files that were changed."""

import os
import re
import stat
import uuid
from dataclasses import dataclass
from pathlib import Path

from darkroom.adapters.local.database import FILE_NAME
from darkroom.adapters.object_rules import crc32c_base64
from darkroom.domain.errors import ObjectNotFound

#: Folder under the root for content that is not at its own path yet.
STAGING = ".tmp"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{0,221}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Size and time of a file, which show whether it was changed."""

    size: int
    mtime_ns: int


def fingerprint_of(path: Path) -> Fingerprint | None:
    """The fingerprint of a regular file; None for anything else, symbolic links too."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Fingerprint(size=found.st_size, mtime_ns=found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def read_exactly(path: Path, file: Fingerprint, crc32c: str) -> bytes | None:
    """The content of a regular file of that size and checksum, else None.

    The time is not compared: `touch` changes it without changing the content.
    """
    found = fingerprint_of(path)
    if found is None or found.size != file.size:
        return None
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    return data if crc32c_base64(data) == crc32c else None


class LocalFiles:
    """The folders under one root directory; no path from this class leads out of it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, bucket: str) -> Path:
        """The folder of a bucket. Raises ObjectNotFound for what cannot be a bucket's name."""
        if not _BUCKET.fullmatch(bucket) or bucket.startswith(FILE_NAME):
            raise ObjectNotFound(f"there is no bucket {bucket!r}")
        return self._root / bucket

    def stage(self, data: bytes) -> tuple[str, Fingerprint]:
        """Write content into the staging folder and return its name there."""
        staged = uuid.uuid4().hex
        path = self.staged(staged)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.write_bytes(data)
            return staged, Fingerprint(size=len(data), mtime_ns=path.stat().st_mtime_ns)
        except OSError:
            # On a full disk the half that was written would take the room that others need.
            path.unlink(missing_ok=True)
            raise

    def staged(self, name: str) -> Path:
        return self._root / STAGING / name

    def at(self, bucket: str, path: bytes) -> Path:
        """The file at a path below the bucket's folder."""
        return self.folder(bucket) / os.fsdecode(path)

    def is_free(self, bucket: str, path: bytes) -> bool:
        """Whether a file can be written there: real folders or nothing on the way, a file or nothing at its end."""
        folder, target = self.folder(bucket), self.at(bucket, path)
        between = target.relative_to(folder).parents
        ways = [folder / part for part in between]
        return not any(_is_obstacle(way) for way in ways) and (
            not os.path.lexists(target) or fingerprint_of(target) is not None
        )

    def place(self, staged: str, bucket: str, path: bytes) -> bool:
        """Move staged content to its path and replace an existing file. Return False if something else blocks the path.

        Content that is not staged any more was moved before.
        """
        source, target = self.staged(staged), self.at(bucket, path)
        if not source.exists():
            return True
        if not self.is_free(bucket, path):
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
        return True

    def remove(self, bucket: str, path: bytes) -> None:
        """Delete a file, and the folders that are empty then."""
        folder, target = self.folder(bucket), self.at(bucket, path)
        target.unlink(missing_ok=True)
        for parent in target.relative_to(folder).parents[:-1]:
            try:
                (folder / parent).rmdir()
            except OSError:
                # Not empty, or not ours to remove: then nothing above it is empty either.
                return


def _is_obstacle(path: Path) -> bool:
    """Whether something other than a real folder is there; a symbolic link could lead out of the root."""
    try:
        return not stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return True
