"""Tests of an installed wheel in an environment without the checkout and without the packages of the tests."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser
from importlib.metadata import distribution
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from darkroom.cli.support.degrade import Damage, degrade
from darkroom.cli.support.scene import landscape
from darkroom.domain.pipeline import PRESETS
from tests.dockerfile import copied, environment, health_check, the
from tests.e2e.service import ROOT
from tests.emulators import free_port

#: Seconds for one command of the installed package on a busy machine.
_TIMEOUT_S = 240


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the files that the image copies: no left-over of an earlier build can get into it."""
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in copied():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "-w", str(out), str(copy)], check=True, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the wheel and what its metadata require without an extra."""
    return _environment(wheel, tmp_path_factory.mktemp("environment"), extras=())


@pytest.fixture(scope="module")
def programs_with_gcp(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the extra `gcp`."""
    return _environment(wheel, tmp_path_factory.mktemp("environment-gcp"), extras=("gcp",))


def _environment(wheel: Path, folder: Path, *, extras: tuple[str, ...]) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in sorted(_closure(_required_by(wheel), extras)):
        _link(name, site)
    return folder / "bin"


def _required_by(wheel: Path) -> list[str]:
    """The lines `Requires-Dist` of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return HeaderParser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist") or []


def _closure(lines: Iterable[str], extras: tuple[str, ...]) -> set[str]:
    """Every distribution that these requirements and their own requirements need, in the versions of the tests."""
    waiting, found = list(_applicable(lines, extras)), set[tuple[str, tuple[str, ...]]]()
    while waiting:
        requirement = waiting.pop()
        entry = canonicalize_name(requirement.name), tuple(sorted(requirement.extras))
        if entry not in found:
            found.add(entry)
            waiting += _applicable(distribution(entry[0]).requires or (), entry[1])
    return {name for name, _ in found}


def _applicable(lines: Iterable[str], extras: tuple[str, ...]) -> Iterator[Requirement]:
    for requirement in map(Requirement, lines):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _link(name: str, site: Path) -> None:
    """Link every file of a distribution that the tests have; folders of a namespace are shared, so they are created."""
    found = distribution(name)
    for path in found.files or ():
        target = site / str(path)
        if ".." in path.parts or "__pycache__" in path.parts or target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(Path(str(found.locate_file(path))))


def _run(
    programs: Path, folder: Path, *command: str, settings: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [str(programs / command[0]), *command[1:]],
        cwd=folder,
        env={**kept, "PATH": f"{programs}:/usr/bin:/bin", **(settings or {})},
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
        "import darkroom, importlib.util as i, pathlib, sys\n"
        "absent = [i.find_spec(name) is None for name in ('skimage', 'pytest', 'tests', 'shared')]\n"
        "clouds = (path for folder in sys.path for path in pathlib.Path(folder, 'google', 'cloud').glob('*'))\n"
        "clients = [path for path in clouds if not path.name.startswith('functions')]  # of functions-framework\n"
        "print(darkroom.__file__, *absent, clients == [])"
    )
    done = _run(programs, photo.parent, "python", "-c", code)
    assert done.returncode == 0, done.stderr
    file, *absent = done.stdout.split()
    assert Path(file).is_relative_to(programs.parent)
    assert absent == ["True"] * 5


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


def test_the_library_enhances_a_photograph_without_any_google_client(programs: Path, photo: Path) -> None:
    code = f"from darkroom import enhance; print(enhance({str(photo)!r}, preset='optimize').content_type)"
    done = _run(programs, photo.parent, "python", "-c", code)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "image/jpeg", "")


def test_the_service_runs_as_the_image_starts_it(programs: Path, photo: Path, tmp_path: Path) -> None:
    """`darkroom demo` starts the stages and the supervisor; `darkroom up` also starts the HTTP API.

    The folder of the volume and the port are this machine's; everything else stands in the Dockerfile.
    """
    port, volume = str(free_port()), str(tmp_path / "data")
    settings = {
        name: value.replace(the("VOLUME").argument, volume) for name, value in environment().items() if name != "PATH"
    } | {"HOME": "/nonexistent"}
    start, check = (
        [word.replace(the("EXPOSE").argument, port) for word in words]
        for words in (the("ENTRYPOINT").words + the("CMD").words, health_check())
    )
    refused = _run(programs, tmp_path, *start, settings=settings)
    assert refused.returncode == 1
    assert "would be open to the network: create a key first" in refused.stderr
    created = _run(programs, tmp_path, "darkroom", "keys", "create", "ada", "admin", settings=settings)
    (key,) = re.findall(r"dk_\w+", created.stdout)
    service = subprocess.Popen(
        [str(programs / start[0]), *start[1:]],
        cwd=tmp_path,
        env={"PATH": f"{programs}:/usr/bin:/bin", **settings},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert (
            next(iter(service.stdout))
            == f"http://0.0.0.0:{port}/ is the album: add photographs and see their results.\n"
        )  # type: ignore[arg-type]
        done = _run(
            programs, tmp_path, "darkroom", "submit", str(photo), "--preset", "optimize", "--wait", settings=settings
        )
        assert done.returncode == 0, done.stderr
        healthy = _run(programs, tmp_path, *check, settings=settings)
        assert healthy.returncode == 0, healthy.stderr
        request = Request(f"http://127.0.0.1:{port}/v1/jobs", headers={"X-Api-Key": key})
        with urlopen(request, timeout=_TIMEOUT_S) as response:
            (job,) = json.load(response)["jobs"]
        assert job["status"] == "completed"
    finally:
        service.terminate()
        service.communicate(timeout=_TIMEOUT_S)
    assert service.returncode == 0
    assert _run(programs, tmp_path, *check, settings=settings).returncode == 1


_GCP = {"DARKROOM_BACKEND": "gcp", "DARKROOM_PROJECT": "test-project"}


def test_a_command_for_google_cloud_names_the_missing_extra_in_one_line(programs: Path, tmp_path: Path) -> None:
    done = _run(programs, tmp_path, "darkroom", "jobs", settings=_GCP)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"darkroom: the module [\w.]+ is not installed: pip install 'darkroom\[gcp\]'\n", done.stderr)


def test_sign_in_with_google_names_the_missing_extra_before_anything_starts(programs: Path, tmp_path: Path) -> None:
    settings = {"DARKROOM_GOOGLE_AUDIENCE": "https://darkroom.example"}
    done = _run(programs, tmp_path, "darkroom", "up", "--port", "0", settings=settings)
    assert done.returncode == 1
    assert done.stderr == "darkroom: the module google.auth is not installed: pip install 'darkroom[server]'\n"


def test_with_the_extra_the_clients_of_google_cloud_are_there(programs_with_gcp: Path, tmp_path: Path) -> None:
    code = "from google.cloud import firestore, pubsub_v1, storage; import google.auth.transport.requests"
    done = _run(programs_with_gcp, tmp_path, "python", "-c", code)
    assert (done.returncode, done.stderr) == (0, "")
