"""Extracts the descriptions of a JPEG.

A damaged description is left out with a note; it never costs the picture. Formats: JFIF 1.02; Exif 2.32; Adobe XMP
Specification, part 3; ICC.1:2022, annex B.4.
"""

from collections.abc import Callable
from typing import Any

from darkroom.imaging.codec.damage import Damaged
from darkroom.imaging.codec.formats import jpeg
from darkroom.imaging.codec.formats.jpeg import Jpeg
from darkroom.imaging.codec.metadata import photoshop
from darkroom.imaging.codec.metadata.metadata import Metadata, aspect_note, exif_block, exif_dpi, plausible_dpi

_EXIF, _XMP, _EXTENDED_XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_ICC, _PHOTOSHOP = b"ICC_PROFILE\0", b"Photoshop 3.0\0"
_PER_INCH, _PER_CENTIMETRE, _ASPECT = 1, 2, 0
#: Shortest whole payload of the segments that have a fixed head: JFIF, Adobe, a part of a profile.
_HEADS = (
    (jpeg.APP0, b"JFIF\0", 14),
    (jpeg.APP14, b"Adobe", jpeg.ADOBE_BYTES),
    (jpeg.APP2, _ICC, 14),
)


def from_jpeg(data: bytes) -> Metadata:
    """From the segments before the end marker of a JPEG."""
    parsed = jpeg.parse(data)
    exif = exif_block(_first(parsed, _EXIF))
    dpi, density_notes = _density(parsed)
    profile, profile_notes = _left_out_if_damaged("colour profile", lambda: _profile(parsed))
    resources = b"".join(each.removeprefix(_PHOTOSHOP) for each in parsed.payloads(jpeg.APP13, _PHOTOSHOP))
    return Metadata(
        exif=exif,
        xmp=_first(parsed, _XMP),
        iptc=photoshop.iptc(resources),
        dpi=dpi or (exif_dpi(exif) if exif else None),
        profile=profile,
        notes=(*_short_notes(parsed), *density_notes, *profile_notes, *_loss_notes(parsed)),
    )


def _first(parsed: Jpeg, head: bytes) -> bytes | None:
    found = parsed.payloads(jpeg.APP1, head)
    return found[0].removeprefix(head) or None if found else None


def _density(parsed: Jpeg) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    density = jpeg.density(parsed)
    if density is None:
        return None, ()
    if density.unit == _ASPECT:
        return None, aspect_note(density.across, density.down)
    per_inch = {_PER_INCH: 1.0, _PER_CENTIMETRE: 2.54}.get(density.unit)
    return (plausible_dpi((density.across * per_inch, density.down * per_inch)) if per_inch else None), ()


def _profile(parsed: Jpeg) -> bytes | None:
    """The parts of the profile in their order, which need not be the file's. Raises `Damaged` if one is missing."""
    parts = {each[12]: each for each in parsed.payloads(jpeg.APP2, _ICC) if len(each) >= 14}
    if not parts:
        return None
    count = max(each[13] for each in parts.values())
    if set(parts) != set(range(1, count + 1)):
        raise Damaged(f"it has {len(parts)} of {count} parts")
    return b"".join(parts[number][14:] for number in sorted(parts))


def _left_out_if_damaged(name: str, read: Callable[[], Any]) -> tuple[Any, tuple[str, ...]]:
    try:
        return read(), ()
    except Damaged as exc:
        return None, (f"the {name} is damaged and was left out: {exc}",)


def _short_notes(parsed: Jpeg) -> tuple[str, ...]:
    short = (
        (head.rstrip(b"\0").decode("ascii"), len(payload))
        for marker, head, shortest in _HEADS
        for payload in parsed.payloads(marker, head)
        if len(payload) < shortest
    )
    return tuple(f"the {name} segment of {size} bytes is too short and was left out" for name, size in short)


def _loss_notes(parsed: Jpeg) -> tuple[str, ...]:
    comments = [each for each in parsed.payloads(jpeg.COMMENT, b"") if each]
    extended = parsed.payloads(jpeg.APP1, _EXTENDED_XMP)
    notes = []
    if comments:
        notes.append(f"a comment of {sum(map(len, comments))} bytes was left out")
    if extended:
        notes.append(f"extended XMP of {sum(map(len, extended))} bytes was left out")
    if parsed.trailing:
        notes.append(f"{parsed.trailing} bytes behind the end of the JPEG were left out (a video or further pictures)")
    return tuple(notes)
