"""Selects the metadata that is written into the result."""

import struct
from dataclasses import dataclass, replace
from typing import Any, Literal

from darkroom.imaging.codec.decode_errors import reason
from darkroom.imaging.codec.formats.sniff import LABELS
from darkroom.imaging.codec.metadata import exif, ifd, xmp
from darkroom.imaging.codec.metadata.metadata import Metadata

OutputFormat = Literal["jpeg", "png", "webp", "tiff", "avif"]
MetadataPolicy = Literal["keep", "no_gps", "strip"]
ProfileChoice = Literal["srgb", "original"]

#: What a JPEG segment holds after its length, its `Exif\0\0`, XMP or Photoshop header.
_JPEG_EXIF_BYTES, _JPEG_XMP_BYTES, _JPEG_IPTC_BYTES = 65533 - 6, 65533 - 29, 65533 - 14 - 13
_HOLDS_IPTC = frozenset({"jpeg", "tiff"})

_CLAIMS_NOTE = "XMP properties that announce a video, a gain map or other data outside the picture were left out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What is written beside the pixels of a result."""

    metadata: Metadata
    notes: tuple[str, ...] = ()

    def without(self, note: str, **fields: None) -> "Carried":
        """The same without some fields, and why."""
        left_out: dict[str, Any] = dict(fields)
        return Carried(metadata=replace(self.metadata, **left_out), notes=(*self.notes, note))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a description must know of the picture that it will accompany."""

    width: int
    height: int
    format: OutputFormat
    #: Whether the pixels are sRGB, and not the colours of the original's profile.
    srgb: bool = True


def carry(metadata: Metadata, policy: MetadataPolicy, result: Result) -> Carried:
    """The descriptions for a result: brought up to date, places removed on request, and cut to what its format holds.

    `strip` leaves nothing but what the caller puts in as the profile. Otherwise the result names this software.
    """
    if policy == "strip":
        return Carried(metadata=Metadata())
    keep_gps = policy == "keep"
    carried = _with_exif(Carried(metadata=replace(metadata, profile=None)), result, keep_gps=keep_gps)
    return _fitted(_with_xmp(carried, result, keep_gps=keep_gps), result.format)


def _with_exif(carried: Carried, result: Result, *, keep_gps: bool) -> Carried:
    metadata = carried.metadata
    space = exif.SRGB if result.srgb else exif.UNCALIBRATED
    changes = exif.Changes(
        width=result.width, height=result.height, keep_gps=keep_gps, color_space=space, dpi=metadata.dpi
    )
    fresh = exif.marked_only(changes)
    if metadata.exif is None:
        return replace(carried, metadata=replace(metadata, exif=fresh))
    try:
        block = exif.cleaned(metadata.exif, changes)
    except (ValueError, struct.error) as exc:
        kept = carried.without(f"the EXIF data is damaged and was left out: {reason(exc)}", exif=None)
        return replace(kept, metadata=replace(kept.metadata, exif=fresh))
    notes = (*carried.notes, *ifd.losses(ifd.read_tree(metadata.exif)))
    return replace(carried, metadata=replace(metadata, exif=block), notes=notes)


def _with_xmp(carried: Carried, result: Result, *, keep_gps: bool) -> Carried:
    packet = carried.metadata.xmp
    if packet is None:
        return carried
    try:
        cleaned = xmp.cleaned(packet, width=result.width, height=result.height, keep_gps=keep_gps)
    except ValueError as exc:
        return carried.without(f"the XMP data was left out: {reason(exc)}", xmp=None)
    notes = (*carried.notes, _CLAIMS_NOTE) if xmp.announces_data(packet) else carried.notes
    return Carried(metadata=replace(carried.metadata, xmp=cleaned), notes=notes)


def _fitted(carried: Carried, name: OutputFormat) -> Carried:
    if carried.metadata.iptc and name not in _HOLDS_IPTC:
        carried = carried.without(f"{LABELS[name]} has no place for IPTC data: it was left out", iptc=None)
    if name != "jpeg":
        return carried
    for field, label, limit in (
        ("exif", "EXIF", _JPEG_EXIF_BYTES),
        ("xmp", "XMP", _JPEG_XMP_BYTES),
        ("iptc", "IPTC", _JPEG_IPTC_BYTES),
    ):
        size = len(getattr(carried.metadata, field) or b"")
        if size > limit:
            note = f"{size} bytes of {label} exceed the {limit} that a JPEG holds: they were left out"
            carried = carried.without(note, **{field: None})
    return carried
