"""What is installed from a wheel has every file that the code reads."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_file_beside_the_code_is_declared_as_data_of_its_package() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    patterns = tools["setuptools"]["package-data"]["shared"]
    packaged = {path for pattern in patterns for path in (ROOT / "shared").glob(pattern)}
    files = {path for path in (ROOT / "shared").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in files if path.suffix != ".py"} == {path for path in packaged if path.suffix != ".py"}
    assert packaged
