"""Encodes a finished picture as a file and reports what the format cannot hold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from darkroom.domain.errors import BadPipeline
from darkroom.imaging.codec.decode_errors import reason
from darkroom.imaging.codec.formats.sniff import LABELS
from darkroom.imaging.codec.formats.writers import Prepared
from darkroom.imaging.codec.intermediate import interleaved
from darkroom.imaging.codec.metadata.metadata import Metadata
from darkroom.imaging.codec.metadata.output_metadata import OutputFormat, ProfileChoice, Result, carry
from darkroom.imaging.codec.metadata.profile import PROFILE_ERRORS, from_srgb, is_srgb, srgb_bytes
from darkroom.imaging.codec.quality import EncodeOptions, write
from darkroom.imaging.codec.samples import join_notes, narrow
from darkroom.imaging.picture import Picture, Pixels

CONTENT_TYPES: Mapping[OutputFormat, str] = MappingProxyType({name: f"image/{name}" for name in get_args(OutputFormat)})

#: Longest side in pixels that a format's fields, or its encoder, can hold.
_MAX_SIDES: Mapping[OutputFormat, int] = MappingProxyType({"jpeg": 65500, "webp": 16383, "avif": 65536})

_KEEPS_16_BITS = frozenset({"png", "tiff"})

_BAND_ROWS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A finished file."""

    data: bytes
    content_type: str
    #: Quality of the file; None for a format without one.
    quality: int | None
    #: Messages for the user: what the format cannot hold, and what was done instead.
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Colored:
    """Pixels and the profile that says what they mean."""

    pixels: Pixels
    profile: bytes
    srgb: bool
    notes: tuple[str, ...] = ()


def encode(picture: Picture, options: EncodeOptions, metadata: Metadata) -> Encoded:
    """Write a picture in the requested format, with its metadata and a profile.

    What the format cannot hold is adapted and noted: alpha onto white for JPEG, 16 bits rounded to 8, IPTC left out.
    Raises `BadPipeline` only if the picture has more pixels a side than the format can hold. Costs about 50 ms a
    megapixel for JPEG, 160 for PNG, 140 for WebP, 450 for AVIF; with a target size, four to six times that.
    """
    _require_room(picture, options.format)
    fitting, shape_notes = _fitting(picture, options.format)
    colored = _in_profile(fitting.pixels, options.profile, metadata.profile)
    about = Result(width=picture.width, height=picture.height, format=options.format, srgb=colored.srgb)
    carried = carry(metadata, options.metadata_policy, about)
    prepared = Prepared(
        channels=interleaved(fitting.with_pixels(colored.pixels)),
        metadata=replace(carried.metadata, profile=colored.profile),
    )
    written = write(prepared, options)
    return Encoded(
        data=written.data,
        content_type=CONTENT_TYPES[options.format],
        quality=written.quality,
        notes=join_notes(shape_notes, colored.notes, carried.notes, written.notes),
    )


def _require_room(picture: Picture, name: OutputFormat) -> None:
    limit = _MAX_SIDES.get(name)
    if limit is not None and max(picture.width, picture.height) > limit:
        message = f"{picture.width}x{picture.height} exceeds the {limit} pixels a side that {LABELS[name]} can hold"
        raise BadPipeline(message, code="format_too_small")


def _fitting(picture: Picture, name: OutputFormat) -> tuple[Picture, tuple[str, ...]]:
    """The picture in the depth and with the channels that the format has."""
    notes: tuple[str, ...] = ()
    if picture.bits == 16 and name not in _KEEPS_16_BITS:
        alpha = None if picture.alpha is None else narrow(picture.alpha)
        picture = Picture(pixels=narrow(picture.pixels), alpha=alpha)
        notes = (f"16 bits were rounded to 8: {LABELS[name]} is written with 8",)
    if name == "jpeg" and picture.alpha is not None:
        picture = Picture(pixels=_on_white(narrow(picture.pixels), narrow(picture.alpha)))
        notes = (*notes, "JPEG has no transparency: the picture was laid on white")
    return picture, notes


def _on_white(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite in sRGB's own encoding, as browsers do, band by band."""
    laid = np.empty_like(pixels)
    for top in range(0, pixels.shape[0], _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        share = alpha[rows, :, np.newaxis].astype(np.uint32)
        laid[rows] = (pixels[rows] * share + 255 * (255 - share) + 127) // 255
    return laid


def _in_profile(pixels: Pixels, choice: ProfileChoice, original: bytes | None) -> _Colored:
    if choice == "srgb":
        return _Colored(pixels=pixels, profile=srgb_bytes(), srgb=True)
    if original is None:
        note = "the original has no colour profile: the result carries sRGB"
        return _Colored(pixels=pixels, profile=srgb_bytes(), srgb=True, notes=(note,))
    try:
        converted = from_srgb(pixels, original)
        return _Colored(pixels=converted, profile=original, srgb=is_srgb(original))
    except PROFILE_ERRORS as exc:
        note = f"the original's colour profile cannot be written: {reason(exc)}; the result carries sRGB"
        return _Colored(pixels=pixels, profile=srgb_bytes(), srgb=True, notes=(note,))
