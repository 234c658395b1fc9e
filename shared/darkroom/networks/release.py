"""Download one file from an address, and go on where an earlier attempt stopped."""

from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from darkroom.networks.checksums import WrongChecksum, require_release
from darkroom.networks.sources import MAX_FILE_BYTES, Release

#: Seconds without any byte after which a server counts as not reachable.
TIMEOUT_S = 20.0
#: How often a download that breaks off goes on by itself.
ATTEMPTS = 4
#: Bytes that are read at once.
_BLOCK = 1 << 18

#: Receives the number of bytes so far, and the total if it is known.
Progress = Callable[[int, int | None], None]


class Unreachable(Exception):
    """A source returned nothing; the message contains the reason."""


def download(release: Release, part: Path, progress: Progress) -> Path:
    """Return `part`, which then holds the whole file, checked.

    Bytes that `part` holds already are not fetched again. If the download breaks off they stay for the next attempt;
    if the checksum is wrong they are deleted.

    Raises
    ------
    Unreachable
        The server cannot be reached, refuses, or breaks off again and again.
    WrongChecksum
        What came is another file.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    broken: Exception | None = None
    for _ in range(ATTEMPTS):
        try:
            if _fetch(release, part, progress):
                return _checked(release, part)
        except HTTPError as error:
            if error.code == 416 and part.is_file():  # no more bytes: the file is complete, or another one
                return _checked(release, part)
            raise Unreachable(f"{release.url} answers {error.code} {error.reason}") from error
        except URLError as error:
            raise Unreachable(f"{release.url} cannot be reached: {error.reason}") from error
        except (OSError, HTTPException) as error:
            broken = error
    here = part.stat().st_size if part.is_file() else 0
    raise Unreachable(f"{release.url} broke off {ATTEMPTS} times, at last after {here} bytes ({broken}); try again")


def _fetch(release: Release, part: Path, progress: Progress) -> bool:
    """Append what is missing; False if the server stopped before the end that it had announced."""
    here = part.stat().st_size if part.is_file() else 0
    request = Request(release.url, headers={"Range": f"bytes={here}-"} if here else {})
    with urlopen(request, timeout=TIMEOUT_S) as answer:
        if answer.status != 206:
            here = 0  # the server does not continue: it sends the whole file
        length = answer.headers["Content-Length"]
        total = here + int(length) if length is not None else release.size
        with part.open("ab" if here else "wb") as file:
            written = _copy(answer, file, here=here, total=total, progress=progress)
    return total is None or written >= total


def _copy(answer: IO[bytes], file: IO[bytes], *, here: int, total: int | None, progress: Progress) -> int:
    progress(here, total)
    while block := answer.read(_BLOCK):
        here += len(block)
        if here > MAX_FILE_BYTES:
            raise Unreachable(f"the file exceeds {MAX_FILE_BYTES} bytes")
        file.write(block)
        progress(here, total)
    return here


def _checked(release: Release, part: Path) -> Path:
    try:
        require_release(part, release)
    except WrongChecksum:
        part.unlink()
        raise
    return part
