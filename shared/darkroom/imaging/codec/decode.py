"""Decodes the bytes of a photograph into a picture, or rejects them with a clear error.

bytes ─▶ size in bytes ─▶ magic ─▶ header: pixels ─▶ full decode ─▶ sRGB ─▶ upright ─▶ Picture
"""

import struct
from dataclasses import dataclass

from darkroom.imaging.codec.decode_errors import reading
from darkroom.imaging.codec.formats.dimensions import declared_size
from darkroom.imaging.codec.formats.readers import described, read
from darkroom.imaging.codec.formats.sniff import LABELS, Format, sniff
from darkroom.imaging.codec.limits import Limits, require_bytes, require_size
from darkroom.imaging.codec.metadata import exif, xmp
from darkroom.imaging.codec.metadata.metadata import Metadata
from darkroom.imaging.codec.metadata.orientation import UPRIGHT, apply_orientation
from darkroom.imaging.codec.metadata.profile import to_srgb
from darkroom.imaging.codec.samples import join_notes
from darkroom.imaging.picture import Picture

#: Formats in which further pictures are frames of an animation.
_MOVING = frozenset({"gif", "webp", "png"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A picture and what is known about the file that it came from."""

    #: sRGB, orientation applied, uint8 or uint16.
    picture: Picture
    format: Format
    #: Colour mode of the file: bilevel, grey, palette, rgb, cmyk, ycbcr or lab.
    mode: str
    #: Bits per sample in the file.
    bits: int
    #: Number of pictures in the file; the first one is used.
    frames: int
    metadata: Metadata
    #: Sentences for the record of the job: what was converted, assumed or lost.
    notes: tuple[str, ...]


def decode(data: bytes, limits: Limits = Limits()) -> Decoded:  # noqa: B008 - a frozen record
    """Decode a whole file, whatever its name says, into sRGB with the orientation applied.

    Raises `BadImage` with the code empty_object, too_many_bytes, unsupported_format, zero_area, side_too_long,
    too_many_pixels, decompression_bomb, truncated, corrupt or not_finite. Costs about 20 ms a megapixel for a JPEG
    and, at its peak, 10 bytes a pixel (22 for WebP).
    """
    require_bytes(data, limits)
    name = sniff(data)
    with reading(f"{LABELS[name]} file"):
        _require_declared_size(data, name, limits)
        samples = read(data, name, limits)
        about = described(data, name)
    pixels, color_notes = to_srgb(samples, about.profile)
    turned = UPRIGHT if samples.upright else _orientation(about)
    alpha = None if samples.alpha is None else apply_orientation(samples.alpha, turned)
    return Decoded(
        picture=Picture(pixels=apply_orientation(pixels, turned), alpha=alpha),
        format=name,
        mode=samples.mode,
        bits=samples.bits,
        frames=samples.frames,
        metadata=about,
        notes=join_notes(_frame_notes(name, samples.frames), samples.notes, about.notes, color_notes),
    )


def _require_declared_size(data: bytes, name: Format, limits: Limits) -> None:
    size = declared_size(data, name)
    if size is not None:
        require_size(*size, limits)


def _orientation(about: Metadata) -> int:
    """EXIF's word first, then XMP's; damaged EXIF has none."""
    try:
        stated = exif.orientation(about.exif) if about.exif else None
    except (ValueError, struct.error):
        stated = None
    return stated or (xmp.orientation(about.xmp) if about.xmp else None) or UPRIGHT


def _frame_notes(name: Format, frames: int) -> tuple[str, ...]:
    if frames <= 1:
        return ()
    kind, unit = ("animated ", "frames") if name in _MOVING else ("", "pictures")
    return (f"{kind}{LABELS[name]} of {frames} {unit}: only the first is used",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Properties of a file that are read without decoding its pixels."""

    format: Format
    metadata: Metadata


def read_header(data: bytes, limits: Limits = Limits()) -> Header:  # noqa: B008 - a frozen record
    """Format and metadata of a file, as `decode` would tell them."""
    return Header(format=sniff(data), metadata=read_metadata(data, limits))


def read_metadata(data: bytes, limits: Limits = Limits()) -> Metadata:  # noqa: B008 - a frozen record
    """What `decode` would say about a file besides its pixels, without decoding them."""
    require_bytes(data, limits)
    name = sniff(data)
    with reading(f"{LABELS[name]} file"):
        _require_declared_size(data, name, limits)
        return described(data, name)
