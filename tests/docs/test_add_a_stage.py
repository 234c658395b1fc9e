"""The worked example of CONTRIBUTING.md is true: applied to a copy of the code, it makes a stage that runs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
#: A fenced block that names the file it belongs to.
BLOCK = re.compile(r"^```(python|diff) file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


def apply_diff(text: str, diff: str) -> str:
    """`text` with the lines of `diff` changed; its lines must stand there exactly once."""
    lines = [line or " " for line in diff.splitlines()]
    old = "".join(line[1:] + "\n" for line in lines if line[0] in " -")
    new = "".join(line[1:] + "\n" for line in lines if line[0] in " +")
    assert text.count(old) == 1, f"these lines stand {text.count(old)} times in the file:\n{old}"
    return text.replace(old, new)


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with the example applied."""
    copy = tmp_path_factory.mktemp("repository")
    for folder in ("shared", "functions", "models", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "training"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for kind, name, content in BLOCKS:
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if kind == "python" else apply_diff(path.read_text(), content))
    return copy


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(copy / "shared"),
        "HOME": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


def test_the_example_touches_every_file_that_it_names() -> None:
    assert [(kind, name) for kind, name, _ in BLOCKS] == [
        *[("diff", "shared/darkroom/domain/parameters.py")] * 3,
        ("python", "shared/darkroom/stages/dust.py"),
        ("python", "functions/dust/main.py"),
        ("diff", "shared/darkroom/domain/presets.py"),
    ]


def test_the_new_stage_runs_from_the_command_line(extended: Path) -> None:
    specked = np.full((48, 48, 3), 90, np.uint8)
    specked[::8, ::8] = 255
    cv2.imwrite(str(extended / "specked.png"), specked)
    done = run(extended, "-m", "darkroom", "run", "specked.png", "-o", "clean.png", "--stages", "dust:size=3")
    assert done.returncode == 0, done.stderr
    clean = cv2.imread(str(extended / "clean.png"))
    assert clean is not None
    assert (clean.min(), clean.max()) == (90, 90)


def test_its_docstrings_example_is_true(extended: Path) -> None:
    done = run(extended, "-m", "doctest", "shared/darkroom/stages/dust.py")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_topology_and_the_presets_know_it_without_more_ado(extended: Path) -> None:
    code = (
        "from darkroom.domain.topology import SUBSCRIPTIONS; from darkroom.domain.presets import PRESET_RULES;"
        "print([s.name for s in SUBSCRIPTIONS if s.function == 'dust'], 'dust' in PRESET_RULES['restore'].stages)"
    )
    done = run(extended, "-c", code)
    assert (done.stdout.strip(), done.stderr) == ("['stage-dust'] True", "")
    tests = run(extended, "-m", "pytest", "-q", "tests/unit/test_topology.py")
    assert tests.returncode == 0, tests.stdout


def test_the_examples_code_passes_lint_and_format(extended: Path) -> None:
    files = sorted({name for _, name, _ in BLOCKS})
    for check in (["check"], ["format", "--check"]):
        done = run(extended, "-m", "ruff", *check, *files)
        assert done.returncode == 0, done.stdout
