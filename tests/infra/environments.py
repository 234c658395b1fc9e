"""Virtual environments that hold what a staged function asks for, and nothing else.

One for each distinct list of requirements, kept under `build/environments/` by the list's digest. They need a package
index; without one the tests skip with the reason, or fail where Terraform is required.
"""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

from tests.infra.terraform import ROOT, unavailable

_READY = ".ready"


def environment_for(requirements: Path) -> Path:
    """The folder of programs of an environment with exactly these requirements."""
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = ROOT / "build" / "environments" / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _READY).exists():
            _make(folder, requirements)
    return folder / "bin"


def _make(folder: Path, requirements: Path) -> None:
    run = [sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder)]
    subprocess.run(run, check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    # Without dependencies: the list must be complete, which `check` then confirms.
    install = [*pip, "install", "--quiet", "--no-deps", "--no-compile", "--require-hashes", "-r", str(requirements)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        unavailable(f"the staged requirements cannot be installed: {done.stderr.strip()[-500:]}")
    checked = subprocess.run([*pip, "check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    (folder / _READY).touch()
