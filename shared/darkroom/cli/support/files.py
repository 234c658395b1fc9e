"""Writes results into a folder, completely or not at all."""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import click

#: Longest name in bytes that is kept in the name of an unfinished file; the rest of 255 is for its marks.
_MAX_NAME_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where results go, as the command line says it."""

    path: Path
    #: Whether it ended with a slash, and so is a folder whether it exists or not.
    is_folder: bool


def read_output(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Output | None:
    """The value of `--output`; a path on its own forgets the slash."""
    if value is None:
        return None
    return Output(path=Path(value), is_folder=value.endswith(("/", os.sep)))


def write_atomically(path: Path, data: bytes, *, part: Path | None = None) -> None:
    """Write a file that appears under its name only when it is complete, and replaces what is there.

    `part` is the file that it grows in; whoever may have to clean up after another process chooses it.
    """
    part = part or part_of(path, os.getpid())
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path, pid: int) -> Path:
    """The hidden file beside `path` in which process `pid` writes it.

    A long name is replaced by its checksum: file systems limit names to 255 bytes, and a cut name would not be unique.
    """
    name = os.fsencode(path.name)
    stem = path.name if len(name) <= _MAX_NAME_BYTES else sha256(name).hexdigest()
    return path.with_name(f".{stem}.{pid}.part")
