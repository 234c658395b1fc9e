"""Writes each result as a whole: an unfinished file never has the name of a result."""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import click

#: Longest name in bytes that is kept in the name of an unfinished file; the rest of 255 is for its marks.
_MAX_NAME_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The destination of the results, from the command line."""

    path: Path
    #: Whether the text ended with a slash: it names a folder, even one that does not exist.
    is_folder: bool


def read_output(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Output | None:
    """Parse `--output`. A `Path` alone would not keep the slash at its end."""
    if value is None:
        return None
    return Output(path=Path(value), is_folder=value.endswith(("/", os.sep)))


def write_atomically(path: Path, data: bytes, *, part: Path | None = None) -> None:
    """Write a file under another name, then rename it; an existing file is replaced.

    `part` is the temporary file; a process that cleans up after another process chooses its name.
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
