"""Reads TIFF files of almost any sample type.

Pillow reads what has 8 bits or fewer. OpenCV reads what Pillow would cut to 8 bits or refuse: 16-bit colour, 32-bit
integers, floats. What neither reads rightly is refused by name.
"""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec.intermediate import decode_unchanged
from darkroom.imaging.codec.limits import Limits, require_size
from darkroom.imaging.codec.metadata import ifd
from darkroom.imaging.codec.samples import Samples, from_pillow, split_alpha, widen
from darkroom.imaging.picture import Pixels

_WIDTH, _LENGTH = 256, 257
_SUBFILE, _BITS, _PHOTOMETRIC, _SAMPLES, _PLANAR, _EXTRA, _FORMAT = 254, 258, 262, 277, 284, 338, 339
_STRIP_OFFSETS, _STRIP_SIZES, _TILE_OFFSETS, _TILE_SIZES = 273, 279, 324, 325
_SUB_IFDS, _COLOR_FILTER_ARRAY, _DNG_VERSION = 330, 32803, 50706
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_PREMULTIPLIED = 1

#: Sample kinds as (bits, format) that OpenCV reads and Pillow does not keep.
_GREY_KINDS = frozenset({(16, _UNSIGNED), (16, _SIGNED), (32, _UNSIGNED), (32, _SIGNED), (32, _FLOAT), (64, _FLOAT)})
_COLOR_KINDS = frozenset({(16, _UNSIGNED), (32, _FLOAT), (64, _FLOAT)})

#: Rows converted at once, so that no float copy of the whole picture arises.
_BAND_ROWS = 64


def read_tiff(data: bytes, limits: Limits) -> Samples:
    """The first picture of a TIFF, upright: Pillow and OpenCV both apply its orientation tag."""
    tags = ifd.first_directory(data)
    require_size(tags.integer(_WIDTH), tags.integer(_LENGTH), limits)
    _refuse_raw(tags)
    _require_whole(data, tags)
    return _read_deep(data, tags) if _is_deep(tags) else _read_plain(data, tags)


def _refuse_raw(tags: ifd.Directory) -> None:
    """A camera's raw file is a TIFF whose first picture is a preview: it must not pass for the photograph."""
    preview = tags.integer(_SUBFILE) & 1 and tags.integers(_SUB_IFDS)
    if preview or _DNG_VERSION in tags.entries or tags.integer(_PHOTOMETRIC) == _COLOR_FILTER_ARRAY:
        raise BadImage("the TIFF is a camera's raw file; develop it first", code="unsupported_format")


def _require_whole(data: bytes, tags: ifd.Directory) -> None:
    """Every strip or tile must lie within the file: OpenCV does not say why it gives up."""
    offsets = tags.integers(_STRIP_OFFSETS) or tags.integers(_TILE_OFFSETS)
    sizes = tags.integers(_STRIP_SIZES) or tags.integers(_TILE_SIZES)
    end = max((offset + size for offset, size in zip(offsets, sizes, strict=False)), default=0)
    if end > len(data):
        raise EOFError(f"end of file after {len(data)} bytes, the samples reach to {end}")


def _kind(tags: ifd.Directory) -> tuple[int, int]:
    """Bits and format of the samples; (0, 0) if they differ between channels."""
    bits, formats = set(tags.integers(_BITS) or (1,)), set(tags.integers(_FORMAT) or (_UNSIGNED,))
    return (bits.pop(), formats.pop()) if len(bits) == len(formats) == 1 else (0, 0)


def _is_deep(tags: ifd.Directory) -> bool:
    samples, photometric = tags.integer(_SAMPLES, 1), tags.integer(_PHOTOMETRIC)
    if photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO):
        return samples == 1 and _kind(tags) in _GREY_KINDS
    # OpenCV reads separate planes as if they were interleaved.
    interleaved = tags.integer(_PLANAR, 1) == 1
    return photometric == _RGB and samples in (3, 4) and interleaved and _kind(tags) in _COLOR_KINDS


def _read_plain(data: bytes, tags: ifd.Directory) -> Samples:
    bits = max(tags.integers(_BITS) or (1,))
    if bits > 8 and tags.integer(_PLANAR, 1) != 1:  # Pillow reads separate planes of 16 bits as if they had 8
        raise BadImage(_unreadable(tags), code="unsupported_format")
    try:
        with Image.open(BytesIO(data), formats=("TIFF",)) as image:
            image.load()
            samples = _twelve_bits(image) if image.mode == "I;16" else from_pillow(image)
    except UnidentifiedImageError as exc:
        raise BadImage(_unreadable(tags), code="unsupported_format") from exc
    notes = (
        (f"{bits}-bit TIFF samples of this layout were read with 8 bits",) if bits > samples.values.itemsize * 8 else ()
    )
    return replace(samples, bits=bits, frames=ifd.count_directories(data), upright=True, notes=notes)


def _twelve_bits(image: Image.Image) -> Samples:
    return Samples(values=widen(np.asarray(image), 12), space="grey", mode="grey")


def _unreadable(tags: ifd.Directory) -> str:
    bits, formats = tags.integers(_BITS) or (1,), tags.integers(_FORMAT) or (_UNSIGNED,)
    return (
        f"no reader for a TIFF with photometric interpretation {tags.integer(_PHOTOMETRIC)}, "
        f"bits per sample {bits}, sample format {formats} and planar configuration {tags.integer(_PLANAR, 1)}"
    )


def _read_deep(data: bytes, tags: ifd.Directory) -> Samples:
    values = decode_unchanged(data)
    if values.dtype.kind == "f":
        integers, notes = _from_float(values)
    else:
        integers, notes = _from_integers(values)
    if tags.integer(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        integers = 65535 - integers
    grey = integers.ndim == 2
    colors, alpha = (integers, None) if grey else _split_bgr(integers, tags)
    return Samples(
        values=colors,
        space="grey" if grey else "rgb",
        mode="grey" if grey else "rgb",
        alpha=alpha,
        bits=_kind(tags)[0],
        frames=ifd.count_directories(data),
        upright=True,
        notes=notes,
    )


def _split_bgr(channels: NDArray[np.uint16], tags: ifd.Directory) -> tuple[Pixels, Pixels | None]:
    channels[..., :3] = channels[..., 2::-1].copy()
    if channels.shape[2] == 3:
        return channels, None
    if tags.integer(_EXTRA) == _PREMULTIPLIED:
        _unpremultiply(channels)
    return split_alpha(channels)


def _unpremultiply(channels: NDArray[np.uint16]) -> None:
    for rows in _bands(channels.shape[0]):
        alpha = np.maximum(channels[rows, :, 3:], 1).astype(np.float32)
        straight = channels[rows, :, :3] * (np.float32(65535.0) / alpha)
        channels[rows, :, :3] = np.minimum(np.rint(straight), 65535)


def _from_integers(values: NDArray[Any]) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
    bits = values.dtype.itemsize * 8
    if values.dtype.kind == "u":
        return widen(values, bits), ()
    lowest = int(values.min())
    note = f"signed {bits}-bit samples: negative values (down to {lowest}) became black"
    # The positive half of a signed type has one bit less.
    return widen(values.clip(0), bits - 1), (note,) if lowest < 0 else ()


def _from_float(values: NDArray[Any]) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
    integers = np.empty(values.shape, np.uint16)
    lowest, highest = np.inf, -np.inf
    for rows in _bands(values.shape[0]):
        band = values[rows]
        if not np.isfinite(band).all():
            bad = int(np.count_nonzero(~np.isfinite(band)))
            message = f"{bad} samples in rows {rows.start} to {rows.start + len(band) - 1} are NaN or infinite"
            raise BadImage(message, code="not_finite")
        lowest, highest = min(lowest, float(band.min())), max(highest, float(band.max()))
        integers[rows] = np.rint(np.clip(band, 0.0, 1.0) * 65535)
    if lowest >= 0.0 and highest <= 1.0:
        return integers, ()
    return integers, (f"float samples from {lowest:g} to {highest:g} were clipped to the range 0 to 1",)


def _bands(height: int) -> Iterator[slice]:
    return (slice(top, top + _BAND_ROWS) for top in range(0, height, _BAND_ROWS))
