"""An installed wheel does its work: nothing of the checkout is on the path, and no package that only tests need."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from PIL import Image

from darkroom.cli.support.degrade import Damage, degrade
from darkroom.cli.support.scene import landscape
from darkroom.domain.pipeline import PRESETS
from tests.e2e.service import ROOT

#: What the wheel is built from; anything else in the checkout must not matter.
_SOURCES = (
    "shared",
    "functions",
    "models",
    "setup.py",
    "MANIFEST.in",
    "pyproject.toml",
    "requirements.in",
    "README.md",
    "LICENSE",
)
#: Seconds for one command of the installed package on a busy machine.
_TIMEOUT_S = 240


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources: no left-over of an earlier build can get into it."""
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in _SOURCES:
        _copy(ROOT / name, copy / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "-w", str(out), str(copy)], check=True, cwd=out)
    (built,) = out.glob("*.whl")
    return built


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(source, target)


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the wheel, and with what its own requirements name."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for path in _required_paths(wheel):
        if not (site / path.name).exists():
            (site / path.name).symlink_to(path)
    return folder / "bin"


def _required_paths(wheel: Path) -> Iterator[Path]:
    """The folders and modules of every distribution that the wheel's metadata require, where the tests have them."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        required = re.findall(r"^Requires-Dist: ([\w.-]+)", archive.read(metadata).decode(), re.MULTILINE)
    for name in required:
        found = distribution(name)
        tops = {path.parts[0] for path in found.files or () if path.parts[0] not in ("..", "__pycache__")}
        yield from (Path(str(found.locate_file(top))) for top in tops)


def _run(programs: Path, folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [str(programs / command[0]), *command[1:]],
        cwd=folder,
        env={**kept, "PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small photograph with every fault that makes a preset open its networks, in a folder of its own."""
    damage = Damage(cast=(0.22, 0.17, 0.11), blur_sigma=1.6, noise_sigma=8.0)
    path = tmp_path_factory.mktemp("photographs") / "photo.jpg"
    path.write_bytes(degrade(landscape()[160:416, 200:456], damage))
    return path


def test_whatever_the_registry_names_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        models = tomllib.loads(archive.read("darkroom/models/registry.toml").decode())["model"]
    named = {f"darkroom/models/{each['file']}" for model in models for each in (model, model.get("int8")) if each}
    assert named <= packed
    assert any(name.endswith("/detail.onnx") for name in named)


def test_the_environment_has_nothing_of_the_checkout_and_no_package_of_the_tests(programs: Path, photo: Path) -> None:
    code = (
        "import importlib.util as i, darkroom\n"
        "print(darkroom.__file__, *(i.find_spec(n) is None for n in ('skimage', 'pytest', 'tests', 'shared')))"
    )
    done = _run(programs, photo.parent, "python", "-c", code)
    assert done.returncode == 0, done.stderr
    file, *absent = done.stdout.split()
    assert Path(file).is_relative_to(programs.parent)
    assert absent == ["True"] * 4


def test_every_registered_model_opens_from_the_wheel(programs: Path, photo: Path) -> None:
    code = (
        "from darkroom.runtime.bootstrap import build_local_runner, installed_models\n"
        "from darkroom.runtime.settings import read_settings\n"
        "settings = read_settings({})\n"
        "bench = build_local_runner(settings, 1)\n"
        "for it in installed_models(settings).entries: print(bench.models.open(it.stage, it.ref.id) and it.ref.id)"
    )
    done = _run(programs, photo.parent, "python", "-c", code)
    assert done.returncode == 0, done.stderr
    registry = tomllib.loads((ROOT / "models" / "registry.toml").read_text("utf-8"))
    assert done.stdout.split() == [model["id"] for model in registry["model"]]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_runs_from_the_wheel_on_a_photograph_in_another_folder(
    programs: Path, photo: Path, tmp_path: Path, preset: str
) -> None:
    done = _run(programs, tmp_path, "darkroom", "run", str(photo), "-o", "out", "--preset", preset)
    assert done.returncode == 0, done.stderr
    (result,) = (path for path in (tmp_path / "out").rglob("*") if path.suffix not in ("", ".json"))
    with Image.open(result) as image:
        image.load()


def test_the_demo_runs_to_its_end_from_the_wheel(programs: Path, tmp_path: Path) -> None:
    done = _run(programs, tmp_path, "darkroom", "demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "contact-sheet.png",
        "landscape.jpg",
        "manifest.json",
        "reference.png",
        "result.jpg",
    ]
    gains = re.search(r"gain\s+\S\s+\+([\d.]+) dB\s+\S\s+\+([\d.]+)", done.stdout)
    assert gains is not None, done.stdout
    assert float(gains[1]) > 1.0
    assert float(gains[2]) > 0.1
