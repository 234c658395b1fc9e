"""Tests that docs/formats.md agrees with the code."""

import re
from pathlib import Path
from typing import get_args

import pytest

from darkroom.domain.sizes import MAX_SIDE
from darkroom.imaging.codec import ACCEPTED, DEFAULT_QUALITY, Limits, OutputFormat
from darkroom.imaging.codec.formats.sniff import LABELS

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


def table_after(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its own head."""
    lines = DOCUMENT.split(f"\n{heading}\n", 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_every_code_of_bad_input_is_in_the_table_and_no_other() -> None:
    in_code = {
        code
        for module in (ROOT / "shared" / "darkroom" / "imaging" / "codec").rglob("*.py")
        for code in re.findall(r'Bad(?:Image|Pipeline)\([^()]*(?:\([^()]*\)[^()]*)*code="(\w+)"', module.read_text())
    }
    documented = [row[1].strip("`") for row in table_after("## Bad input")]
    assert len(documented) == len(set(documented))
    assert set(documented) == in_code


def test_every_accepted_format_has_a_row() -> None:
    assert [row[0] for row in table_after("## What comes in")] == [LABELS[name] for name in ACCEPTED]


def test_every_output_format_has_a_row_with_its_default_quality() -> None:
    rows = {row[0]: row[-1] for row in table_after("## What goes out")}
    expected = {LABELS[name]: str(DEFAULT_QUALITY.get(name, "lossless")) for name in get_args(OutputFormat)}
    assert rows == expected


@pytest.mark.parametrize(
    "words",
    [f"{Limits().max_bytes // 10**6} MB", f"{Limits().max_pixels // 10**6} MP", f"{MAX_SIDE:,} pixels"],
)
def test_the_limits_stand_as_they_are(words: str) -> None:
    assert words in DOCUMENT
