"""Writes results into a folder, completely or not at all."""

import os
from dataclasses import dataclass
from pathlib import Path

import click


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The destination of the results, from the command line."""

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
    """The hidden file beside `path` in which process `pid` writes it."""
    return path.with_name(f".{path.name[:200]}.{pid}.part")
