"""Virtual environments that hold the packages of a staged function's requirements, and no others.

An environment is assembled from the packages that are installed for the tests: every pinned package must be installed
in the pinned version, and its files are linked. This needs no package index and takes about a second. `make setup` has
installed the same pins with their hashes. `make bench` installs each list of requirements from the package index.

There is one environment for each distinct list of requirements, under `build/environments/`.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from infra.staging.requirements import PIN
from tests.infra.terraform import ROOT, unavailable

_READY = ".ready"


def environment_for(requirements: Path) -> Path:
    """The folder of programs of an environment with exactly these requirements, linked from this environment."""
    return _kept("linked", requirements, _link_all)


def installed_environment_for(requirements: Path) -> Path:
    """The folder of programs of an environment with exactly these requirements, installed from the package index."""
    return _kept("installed", requirements, _install)


def _kept(kind: str, requirements: Path, fill: Callable[[Path, Path], None]) -> Path:
    source = requirements.read_bytes() + sys.version.encode() + sys.prefix.encode()
    folder = ROOT / "build" / "environments" / f"{kind}-{hashlib.sha256(source).hexdigest()[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _READY).exists():
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder)], check=True)
            fill(folder, requirements)
            _check(folder)
            (folder / _READY).touch()
    return folder / "bin"


def _link_all(folder: Path, requirements: Path) -> None:
    packages = folder / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    for pin in PIN.finditer(requirements.read_text(encoding="utf-8")):
        package = distribution(pin["name"])
        assert package.version == pin["version"], f"{pin['pin']} is staged, {package.version} is installed here"
        for source, name in _files(package):
            _link(source, Path(os.path.normpath(packages / name)), folder)


def _files(package: Distribution) -> Iterator[tuple[Path, str]]:
    """The installed files of a package with their path below `site-packages`, and their bytecode where it exists."""
    for file in package.files or ():
        source = Path(str(package.locate_file(file)))
        compiled = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        if source.suffix != ".pyc":
            yield source, str(file)
        if source.suffix == ".py" and compiled.exists():
            yield compiled, str(Path(file).parent / "__pycache__" / compiled.name)


def _link(source: Path, target: Path, folder: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.parent == folder / "bin":
        # The first line of a program names the Python of its environment.
        lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
        target.write_text(f"#!{folder / 'bin' / 'python'}\n" + "".join(lines[1:]), encoding="utf-8")
        target.chmod(0o755)
        return
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def _install(folder: Path, requirements: Path) -> None:
    # Without dependencies: the list must be complete.
    install = ["install", "--quiet", "--no-deps", "--no-compile", "--require-hashes", "-r", str(requirements)]
    done = _pip(folder, *install)
    if done.returncode:
        unavailable(f"the staged requirements cannot be installed: {done.stderr.strip()[-500:]}")


def _check(folder: Path) -> None:
    checked = _pip(folder, "check")
    assert checked.returncode == 0, checked.stdout


def _pip(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    return subprocess.run([*pip, *arguments], capture_output=True, text=True, check=False)
