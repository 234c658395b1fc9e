"""Obtain a known network: from the first of its sources that can be reached, or from a file brought by hand."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from darkroom.domain.errors import ModelUnusable
from darkroom.networks.checksums import WrongChecksum, require_integrity, require_release
from darkroom.networks.packages import fetch, graph_in
from darkroom.networks.release import Progress, Unreachable, download
from darkroom.networks.sources import Release, Source


def obtain(name: str, sources: Sequence[Source], cache: Path, progress: Progress) -> bytes:
    """Return the ONNX graph from the first source that gives it.

    Parameters
    ----------
    name
        Of the network, for messages and for files in `cache`.
    sources
        In the order in which they are tried.
    cache
        Folder in which a download that broke off waits; nothing stays in it after a success.
    progress
        Receives the progress of a download in bytes.

    Raises
    ------
    ModelUnusable
        Code `network_unreachable`, with every source and what was wrong with it.
    """
    failed = []
    for source in sources:
        try:
            return _from(name, source, cache, progress)
        except Unreachable as error:
            failed.append(str(error))
        except WrongChecksum as error:
            failed.append(f"{source}: {error}")
    raise ModelUnusable(
        f"no source of {name!r} could be used: {'; '.join(failed) or 'none is known'}. "
        f"Bring one of these files by hand with --from FILE",
        code="network_unreachable",
    )


def _from(name: str, source: Source, cache: Path, progress: Progress) -> bytes:
    if isinstance(source, Release):
        part = download(source, cache / f"{name}.part", progress)
        graph = part.read_bytes()
        part.unlink()
        return graph
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache, prefix=f"{name}.") as folder:
        return graph_in(source, fetch(source, Path(folder)))


def obtain_from(name: str, sources: Sequence[Source], file: Path) -> bytes:
    """Return the ONNX graph from a file that is one of the sources.

    Raises ModelUnusable, code `network_checksum_mismatch`, if it is none of them.
    """
    differs = []
    for source in sources:
        try:
            return _in_file(source, file)
        except WrongChecksum as error:
            differs.append(f"it is not {source}: {error}")
    raise ModelUnusable(
        f"{file} is no known file of {name!r}: {'; '.join(differs) or 'none is known'}. "
        f"An export of your own is installed by darkroom models add",
        code="network_checksum_mismatch",
    )


def _in_file(source: Source, file: Path) -> bytes:
    if isinstance(source, Release):
        require_release(file, source)
        return file.read_bytes()
    require_integrity(file, source.integrity)
    with TemporaryDirectory() as folder:
        suffix = ".tgz" if source.kind == "npm" else ".whl"
        copy = shutil.copyfile(file, Path(folder) / f"package{suffix}")
        return graph_in(source, copy)
