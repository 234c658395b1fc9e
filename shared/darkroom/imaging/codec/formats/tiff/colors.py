"""Converts palettes and YCbCr to RGB, unifies the encodings of Lab, and divides premultiplied alpha out."""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec.formats.tiff.layout import ICC_LAB, Layout
from darkroom.imaging.codec.metadata import ifd
from darkroom.imaging.picture import Pixels

_COLOR_MAP, _COEFFICIENTS, _REFERENCE = 320, 529, 532
#: Shares of red, green and blue in luma. Source: ITU-R BT.601.
_BT_601 = (0.299, 0.587, 0.114)
#: White of L in the 16-bit encoding of ICC Lab; 65535 would be 100.4. Source: TIFF Technical Note "ICC L*a*b*", 2002.
_ICC_WHITE = 0xFF00
#: Rows converted at once, so that no float copy of the whole picture arises.
_BAND_ROWS = 64


def palette_colors(indices: NDArray[np.uint8] | NDArray[np.uint16], layout: Layout) -> NDArray[np.uint8]:
    """(H, W, 3) from (H, W): the colours of a palette. Raises `BadImage` (corrupt) for a palette that is too short.

    The format has 16 bits for each value. Where none exceeds 255 the writer meant 8 bits, as libtiff takes it.
    """
    values = layout.tags.integers(_COLOR_MAP)
    entries = 1 << layout.bits
    if len(values) < 3 * entries:
        message = f"the TIFF file is damaged: its palette has {len(values)} values, {3 * entries} are needed"
        raise BadImage(message, code="corrupt")
    table = np.array(values[: 3 * entries], np.uint16).reshape(3, entries).T
    narrow = (table if table.max() <= 255 else table >> 8).astype(np.uint8)
    colors: NDArray[np.uint8] = narrow[indices]
    return colors


def unify_lab(channels: Pixels, layout: Layout) -> None:
    """Bring the first three channels, in place, to CIE Lab: L over the full range, a and b signed.

    ICC Lab has a and b with zero in the middle, and at 16 bits its L ends at FF00.
    """
    if layout.photometric != ICC_LAB:
        return
    channels[..., 1:3] ^= channels.dtype.type(1 << (8 * channels.itemsize - 1))
    if channels.dtype == np.uint16:
        light = channels[..., 0].clip(0, _ICC_WHITE).astype(np.uint32)
        channels[..., 0] = (light * 65535 + _ICC_WHITE // 2) // _ICC_WHITE


def rgb_from_ycbcr(channels: Pixels, layout: Layout) -> None:
    """Turn the first three channels into RGB, in place. Source: TIFF 6.0, section 21."""
    top = float(np.iinfo(channels.dtype).max)
    middle = (top + 1.0) / 2.0
    black_white = _rationals(layout.tags, _REFERENCE, (0.0, top, middle, top, middle, top))
    red, green, blue = _rationals(layout.tags, _COEFFICIENTS, _BT_601)
    zero = np.array(black_white[0::2], np.float32)
    # Chroma spans half the range in each direction.
    reach = np.array([top, middle - 1.0, middle - 1.0], np.float32)
    scale = reach / np.maximum(np.array(black_white[1::2], np.float32) - zero, 1.0)
    matrix = np.array(
        [
            [1.0, 0.0, 2.0 - 2.0 * red],
            [1.0, -(2.0 - 2.0 * blue) * blue / green, -(2.0 - 2.0 * red) * red / green],
            [1.0, 2.0 - 2.0 * blue, 0.0],
        ],
        np.float32,
    )
    for rows in bands(channels.shape[0]):
        colors = (channels[rows, :, :3] - zero) * scale @ matrix.T
        channels[rows, :, :3] = np.rint(np.clip(colors, 0.0, top))


def unpremultiply(channels: Pixels) -> None:
    """Divide the colours by the last channel, in place."""
    top = np.float32(np.iinfo(channels.dtype).max)
    for rows in bands(channels.shape[0]):
        alpha = np.maximum(channels[rows, :, -1:], 1).astype(np.float32)
        straight = channels[rows, :, :-1] * (top / alpha)
        channels[rows, :, :-1] = np.minimum(np.rint(straight), top)


def bands(height: int) -> Iterator[slice]:
    """The rows in bands of equal height."""
    return (slice(top, top + _BAND_ROWS) for top in range(0, height, _BAND_ROWS))


def _rationals(tags: ifd.Directory, tag: int, default: tuple[float, ...]) -> tuple[float, ...]:
    """The values of a RATIONAL tag; `default` if it is absent, of another length, or divides by zero."""
    entry = tags.entries.get(tag)
    if entry is None or entry.kind != ifd.RATIONAL or entry.count != len(default):
        return default
    parts = struct.unpack(f"{tags.order}{2 * entry.count}I", entry.value)
    if not all(parts[1::2]):
        return default
    return tuple(number / part for number, part in zip(parts[0::2], parts[1::2], strict=True))
