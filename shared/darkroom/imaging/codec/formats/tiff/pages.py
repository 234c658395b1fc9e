"""Selects the photograph among the pictures of a TIFF.

A TIFF may hold reduced copies, transparency masks and further pages. NewSubfileType (tag 254) tells them apart: TIFF
Revision 6.0, Adobe, 1992, section 8. SubIFDs (tag 330): Adobe PageMaker 6.0 TIFF Technical Notes, 1995.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec.damage import EndsEarly
from darkroom.imaging.codec.metadata import ifd

_WIDTH, _LENGTH = 256, 257
_NEW_SUBFILE, _OLD_SUBFILE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 255, 262, 330, 50706
#: Bits of NewSubfileType: a reduced copy, a transparency mask.
_REDUCED, _MASK = 1, 4
#: Value of the older SubfileType for a reduced copy.
_OLD_REDUCED = 2
#: Photometric interpretations of a sensor's samples: colour filter array, linear raw. Source: DNG specification 1.6.
_SENSOR = frozenset({32803, 34892})
#: Number of directories that are examined.
_MAX_EXAMINED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The picture that stands for the file."""

    #: Where its directory begins, in bytes.
    offset: int
    tags: ifd.Directory
    #: Number of pictures in the file without reduced copies and masks.
    pictures: int
    #: Messages for the user.
    notes: tuple[str, ...] = ()


def main_page(data: bytes) -> Page:
    """The first picture that is neither a reduced copy nor a mask; if there is none, the largest.

    Raises `BadImage` for a camera's raw file (unsupported_format) and for a file that ends before its first directory
    does (truncated), and ValueError for a damaged first directory.
    """
    try:
        pages = list(islice(ifd.chain(data), _MAX_EXAMINED))
    except EndsEarly as exc:
        raise BadImage(f"the TIFF file ends too early: {exc}", code="truncated") from exc
    first = pages[0][1]
    below = list(_below(data, first)) if _is_secondary(first) else []
    found = [*pages, *below]
    chosen = next((each for each in found if not _is_secondary(each[1])), None)
    if any(_is_raw(tags) for _, tags in found) or (chosen is None and first.integers(_SUB_IFDS)):
        raise BadImage("the TIFF is a camera's raw file; develop it first", code="unsupported_format")
    offset, tags = chosen or max(found, key=lambda each: _area(each[1]))
    further = ifd.count_directories(data) - sum(_is_secondary(tags) for _, tags in pages)
    masked = any(tags.integer(_NEW_SUBFILE) & _MASK for _, tags in pages)
    notes = ("the file's transparency mask was left out",) if masked else ()
    return Page(offset=offset, tags=tags, pictures=max(1, further), notes=notes)


def declared_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of the main page. Raises what `main_page` raises."""
    tags = main_page(data).tags
    return tags.integer(_WIDTH), tags.integer(_LENGTH)


def _below(data: bytes, tags: ifd.Directory) -> Iterator[tuple[int, ifd.Directory]]:
    """The pictures in the SubIFDs; those that cannot be read are passed over."""
    for offset in tags.integers(_SUB_IFDS)[:_MAX_EXAMINED]:
        try:
            directory = ifd.directory_at(data, offset)
        except ValueError:
            continue
        if _area(directory):
            yield offset, directory


def _is_secondary(tags: ifd.Directory) -> bool:
    return bool(tags.integer(_NEW_SUBFILE) & (_REDUCED | _MASK)) or tags.integer(_OLD_SUBFILE) == _OLD_REDUCED


def _is_raw(tags: ifd.Directory) -> bool:
    return _DNG_VERSION in tags.entries or tags.integer(_PHOTOMETRIC) in _SENSOR


def _area(tags: ifd.Directory) -> int:
    return tags.integer(_WIDTH) * tags.integer(_LENGTH)
