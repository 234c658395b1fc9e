"""Compare bytes with the checksums that the list of networks states."""

import base64
import hashlib
from pathlib import Path

from darkroom.networks.sources import Release

#: Bytes of a file that are read at once.
_BLOCK = 1 << 20


class WrongChecksum(Exception):
    """The bytes are not those that the list describes; the message names both checksums."""


def digest_of(path: Path, algorithm: str) -> str:
    """Return the checksum of a file in hexadecimal digits."""
    found = hashlib.new(algorithm, usedforsecurity=algorithm != "md5")
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def require_release(path: Path, release: Release) -> None:
    """Raise WrongChecksum unless a downloaded file is the release."""
    size = path.stat().st_size
    if release.size is not None and size != release.size:
        raise WrongChecksum(f"has {size} bytes, expected {release.size}")
    algorithm, expected = ("sha256", release.sha256) if release.sha256 else ("md5", release.md5)
    _require(digest_of(path, algorithm), str(expected), algorithm)


def require_integrity(path: Path, integrity: str) -> None:
    """Raise WrongChecksum unless a package is the one with that integrity (`sha512-` and base64)."""
    algorithm, _, encoded = integrity.partition("-")
    _require(digest_of(path, algorithm), base64.b64decode(encoded).hex(), algorithm)


def require_sha256(data: bytes, expected: str, what: str) -> bytes:
    """Return `data`. Raises WrongChecksum, naming `what`, if it has another sha256."""
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise WrongChecksum(f"{what} has the sha256 {found}, expected {expected}")
    return data


def _require(found: str, expected: str, algorithm: str) -> None:
    if found != expected:
        raise WrongChecksum(f"has the {algorithm} {found}, expected {expected}")
