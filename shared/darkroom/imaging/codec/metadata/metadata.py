"""Extracts EXIF, XMP, IPTC, resolution and ICC profile from a file."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from darkroom.imaging.codec.damage import Damaged
from darkroom.imaging.codec.formats.tiff.pages import main_page
from darkroom.imaging.codec.metadata import ifd

_XMP, _IPTC, _ICC = 700, 33723, 34675
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_ORIENTATION = 274
_CENTIMETRE = 3
#: Adobe's image resource that holds the IPTC records.
_IPTC_RESOURCE = 0x0404

#: Tags of a TIFF's first directory that describe the photograph and not the layout of the file's samples:
#: description, make, model, orientation, resolution, software, dates, artist, host, rating, copyright, XP tags.
_DESCRIPTIVE_TAGS = frozenset(
    {269, 270, 271, 272, 274, 282, 283, 285, 296, 305, 306, 315, 316, 0x4746, 0x4749, 33432, *range(0x9C9B, 0x9CA0)}
)
#: Those that do not depend on which of the file's pictures is meant.
_ABOUT_THE_PHOTOGRAPH = _DESCRIPTIVE_TAGS - {_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _ORIENTATION}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Descriptions as the file held them; None where it held none."""

    #: A TIFF block that begins with II or MM, without the `Exif\\0\\0` that JPEG puts before it.
    exif: bytes | None = None
    #: An XMP packet, UTF-8 XML.
    xmp: bytes | None = None
    #: IPTC-IIM records, without Adobe's resource header around them.
    iptc: bytes | None = None
    #: Horizontal and vertical pixels per inch.
    dpi: tuple[float, float] | None = None
    #: The embedded ICC profile.
    profile: bytes | None = None
    #: Messages for the user: descriptions that are damaged and were left out.
    notes: tuple[str, ...] = ()


def from_info(info: Mapping[Any, Any]) -> Metadata:
    """From the `info` of a picture opened by Pillow or by libheif's binding."""
    resources = info.get("photoshop")
    iptc = resources.get(_IPTC_RESOURCE) if isinstance(resources, dict) else None
    return Metadata(
        exif=exif_block(_bytes_or_none(info.get("exif"))),
        xmp=_bytes_or_none(info.get("xmp")),
        iptc=_bytes_or_none(iptc),
        dpi=plausible_dpi(info.get("dpi")),
        profile=_bytes_or_none(info.get("icc_profile")),
    )


def from_tiff(data: bytes) -> Metadata:
    """From the directory of a TIFF's photograph; its descriptive tags become an EXIF block.

    Where another picture comes first, its directory may have the descriptions that the photograph's lacks.
    """
    tree, first = ifd.read_tree(data, main_page(data).offset), ifd.read_tree(data)
    described = {tag: entry for tag, entry in tree.entries.items() if tag in _DESCRIPTIVE_TAGS}
    kept = {tag: entry for tag, entry in first.entries.items() if tag in _ABOUT_THE_PHOTOGRAPH} | described
    children = {**first.children, **tree.children}
    directory = ifd.Directory(order=tree.order, entries=kept, children=children)
    return Metadata(
        exif=ifd.write_tree(directory) if kept.keys() & _ABOUT_THE_PHOTOGRAPH or children else None,
        xmp=tree.value(_XMP) or first.value(_XMP),
        iptc=tree.value(_IPTC) or first.value(_IPTC),
        dpi=_tiff_dpi(tree),
        profile=tree.value(_ICC),
        notes=ifd.losses(first) or ifd.losses(tree),
    )


def exif_block(exif: bytes | None) -> bytes | None:
    """EXIF without the marker that JPEG needs and that some writers put into other formats as well."""
    while exif and exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    return exif or None


def exif_dpi(block: bytes) -> tuple[float, float] | None:
    """Pixels per inch of an EXIF block; None if it has none or cannot be parsed."""
    try:
        return _tiff_dpi(ifd.first_directory(block))
    except (Damaged, struct.error):
        return None


def aspect_note(across: int, down: int) -> tuple[str, ...]:
    """A note if a file's aspect ratio `across` to `down` of densities is not 1: pixels here are square."""
    if across == down or not across or not down:
        return ()
    return (f"the pixels are not square (densities {across}:{down}): they were taken as square",)


def _tiff_dpi(tree: ifd.Directory) -> tuple[float, float] | None:
    per_unit = 2.54 if tree.integer(_RESOLUTION_UNIT, 2) == _CENTIMETRE else 1.0
    across, down = tree.ratio(_X_RESOLUTION), tree.ratio(_Y_RESOLUTION)
    return plausible_dpi((across * per_unit, down * per_unit)) if across and down else None


def plausible_dpi(dpi: Any) -> tuple[float, float] | None:
    """Densities as files can hold them: 1 to 65535 pixels per inch."""
    if not isinstance(dpi, tuple) or len(dpi) != 2:
        return None
    # PNG counts per metre: rounding gives back the number that was meant.
    across, down = round(float(dpi[0]), 2), round(float(dpi[1]), 2)
    return (across, down) if all(math.isfinite(value) and 1 <= value <= 65535 for value in (across, down)) else None


def _bytes_or_none(value: Any) -> bytes | None:
    return value if isinstance(value, bytes) and value else None
