"""The examples in the docstrings run and say the truth."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "shared").with_suffix("").parts)
    for folder in ("stages", "imaging")
    for path in (ROOT / "shared" / "darkroom" / folder).rglob("*.py")
    if ">>>" in path.read_text()
)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of(module: str) -> None:
    found = doctest.testmod(import_module(module))
    assert found.attempted > 0
    assert found.failed == 0
