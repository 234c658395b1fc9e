"""Runs every Python example of the pages that show the library."""

from pathlib import Path

import pytest

import darkroom
from darkroom.cli.support.degrade import Damage, degrade
from darkroom.cli.support.scene import landscape
from darkroom.domain import errors
from darkroom.library import Result
from tests.docs.pages import ROOT, blocks, names, table

EXAMPLES = [
    (name, number, code)
    for name in ("README.md", "docs/python.md")
    for number, (language, code) in enumerate(blocks(ROOT / name))
    if language == "python"
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `old.jpg` and a folder `photos`, as the examples expect."""
    photograph = degrade(landscape()[160:288, 200:328], Damage())
    (tmp_path / "photos").mkdir()
    for name in ("old.jpg", "photos/one.jpg", "photos/two.jpg"):
        (tmp_path / name).write_bytes(photograph)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "number", "code"), EXAMPLES, ids=lambda value: str(value)[:16].strip())
def test_the_example_runs(name: str, number: int, code: str, folder: Path) -> None:
    exec(compile(code, f"{name}:{number}", "exec"), {})


def test_the_pages_have_examples_and_use_every_public_function() -> None:
    text = "".join(code for _, _, code in EXAMPLES)
    assert {name for name, _, _ in EXAMPLES} == {"README.md", "docs/python.md"}
    assert [name for name in ("enhance(", "enhance_many(") if name not in text] == []


def test_the_table_of_the_result_is_the_result() -> None:
    documented = {names(cells[0])[0].partition("(")[0] for cells in table("docs/python.md", "attribute or method")}
    assert documented == {name for name in dir(Result) if not name.startswith("_")}


def test_the_errors_of_the_page_exist() -> None:
    for cells in table("docs/python.md", "error"):
        assert issubclass(getattr(errors, names(cells[0])[0].rpartition(".")[2]), errors.DarkroomError)
    assert {"enhance", "enhance_many"} <= set(darkroom.__all__)
