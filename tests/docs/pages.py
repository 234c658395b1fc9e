"""The pages of this repository, and what can be read from them."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")


def pages() -> list[Path]:
    """The pages for people, the models' cards among them."""
    return [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "models").glob("*/README.md")),
    ]


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def page(name: str) -> str:
    """The text of a page by its path from the root."""
    return text_of(ROOT / name)


def blocks(path: Path) -> list[tuple[str, str]]:
    """Language and content of each fenced block."""
    return [(language, content) for _, language, content in FENCE.findall(text_of(path))]


def prose(path: Path) -> str:
    """The page without its fenced blocks."""
    return FENCE.sub("", text_of(path))


def spans(path: Path) -> list[str]:
    """The code spans outside fenced blocks."""
    return SPAN.findall(prose(path))


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table(name: str, heading: str) -> Iterator[list[str]]:
    """The rows, as cells, of the first table of page `name` whose header row begins with `heading`."""
    lines = page(name).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def names(cell: str) -> list[str]:
    """The code spans of one cell."""
    return SPAN.findall(cell)
