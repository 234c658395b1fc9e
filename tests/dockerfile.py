"""Reads the instructions of the image, and chooses the files that it copies as an engine would."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    keyword: str
    argument: str

    @property
    def words(self) -> list[str]:
        """The exec form. Raises JSONDecodeError for the shell form."""
        return json.loads(self.argument)


def instructions() -> list[Instruction]:
    """The instructions of the Dockerfile, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return [Instruction(keyword=keyword, argument=argument.strip()) for keyword, argument in pairs]


def last_stage() -> list[Instruction]:
    found = instructions()
    start = max(index for index, each in enumerate(found) if each.keyword == "FROM")
    return found[start:]


def the(keyword: str) -> Instruction:
    """The only instruction of that keyword in the last stage."""
    (found,) = (each for each in last_stage() if each.keyword == keyword)
    return found


def environment() -> dict[str, str]:
    pairs = (pair.partition("=") for each in last_stage() if each.keyword == "ENV" for pair in each.argument.split())
    return {name: value for name, _, value in pairs}


def health_check() -> list[str]:
    return json.loads(the("HEALTHCHECK").argument.partition("CMD ")[2])


def copied() -> Iterator[Path]:
    """Every file of the checkout that the first stage copies, relative to the root."""
    for each in instructions():
        if each.keyword == "COPY" and not each.argument.startswith("--from"):
            *sources, _target = each.argument.split()
            yield from (file for source in sources for file in _files(ROOT / source))


def _files(source: Path) -> Iterator[Path]:
    assert source.exists(), f"{source} is copied and does not exist"
    every = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
    yield from (path.relative_to(ROOT) for path in every if not is_ignored(path.relative_to(ROOT)))


def is_ignored(path: Path) -> bool:
    """By .dockerignore: the last pattern that matches the path or a folder above it decides."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.removeprefix("!").strip()
        if pattern and not pattern.startswith("#") and any(_matches(each, pattern) for each in (path, *path.parents)):
            ignored = not line.startswith("!")
    return ignored


def _matches(path: Path, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch(path.name, pattern[3:])
    return path.name != "" and len(path.parts) == len(Path(pattern).parts) and fnmatch(str(path), pattern)
