"""Yields the samples of a TIFF, strip by strip or tile by tile."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec.formats.tiff import codecs
from darkroom.imaging.codec.formats.tiff.codecs import Undecodable
from darkroom.imaging.codec.formats.tiff.layout import (
    CCITT_RLE,
    CCITT_T4,
    CCITT_T6,
    UNCOMPRESSED,
    Layout,
    unsupported,
)

_HORIZONTAL, _FLOATING = 2, 3
#: Rows of an uncompressed strip that are read at once: a strip may be the whole picture.
_BAND_ROWS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of the picture."""

    top: int
    left: int
    #: Index of the channel for separate planes, else 0.
    plane: int
    #: (rows, columns, samples): integers or floats as the file holds them, in the machine's byte order.
    samples: NDArray[Any]


def blocks(data: bytes, layout: Layout, planes: Sequence[int]) -> Iterator[Block]:
    """The parts of the picture, cut to its size; of separate planes only those in `planes`.

    Raises `BadImage` with the code unsupported_format for a compression or predictor that is not read, truncated if
    the file ends inside a strip or tile, and corrupt if one is missing or cannot be decompressed.
    """
    _require_known(layout)
    each_plane = layout.across * layout.down
    count = each_plane * (layout.samples if layout.separate else 1)
    if len(layout.offsets) < count:
        raise _damaged(f"it lists {len(layout.offsets)} of {count} {layout.unit}s")
    source = _Source(data, layout, count)
    for plane in planes if layout.separate else range(1):
        for place in range(each_plane):
            top, left = place // layout.across * layout.block_height, place % layout.across * layout.block_width
            room = layout.height - top, layout.width - left
            rows = layout.block_height if layout.tiled else min(layout.block_height, room[0])
            for start, samples in source.read(plane * each_plane + place, rows):
                cut = samples[: max(0, room[0] - start), : room[1]]
                yield Block(top=top + start, left=left, plane=plane, samples=cut)


def _require_known(layout: Layout) -> None:
    if not codecs.is_supported(layout.compression):
        raise unsupported(f"{codecs.name_of(layout.compression)} compression")
    if layout.compression in (CCITT_RLE, CCITT_T4, CCITT_T6) and (layout.bits, layout.block_samples) != (1, 1):
        raise unsupported(f"{codecs.name_of(layout.compression)} compression of {layout.bits}-bit samples")
    if codecs.holds_pictures(layout.compression) or layout.predictor == 1:
        return
    whole_bytes = layout.bits in (8, 16, 32, 64)
    known = layout.predictor == _HORIZONTAL or (layout.predictor == _FLOATING and layout.format == "float")
    if not known or not whole_bytes:
        raise unsupported(f"predictor {layout.predictor} for {layout.bits}-bit {layout.format} samples")


def _damaged(reason: str) -> BadImage:
    return BadImage(f"the TIFF file is damaged: {reason}", code="corrupt")


class _Source:
    """Reads and decompresses strips and tiles by their number."""

    def __init__(self, data: bytes, layout: Layout, count: int) -> None:
        self._data, self._layout, self._count = data, layout, count
        self._starts = sorted(set(layout.offsets[:count]))

    def read(self, index: int, rows: int) -> Iterator[tuple[int, NDArray[Any]]]:
        """First row and samples of each part of a strip or tile of `rows` rows."""
        layout = self._layout
        if layout.compression == UNCOMPRESSED:
            yield from self._uncompressed(index, rows)
        elif codecs.holds_pictures(layout.compression):
            yield 0, self._picture(index, rows)
        else:
            yield 0, _unpacked(self._decompressed(index, _byte_count(layout, rows)), layout, rows)

    def _uncompressed(self, index: int, rows: int) -> Iterator[tuple[int, NDArray[Any]]]:
        layout, start, end = self._layout, self._layout.offsets[index], self._end(index)
        if end - start < _byte_count(layout, rows):
            raise self._short(index, max(0, end - start), _byte_count(layout, rows))
        step = rows if layout.predictor == _FLOATING else _BAND_ROWS // layout.subsampling[1] * layout.subsampling[1]
        for top in range(0, rows, max(1, step)):
            height = min(max(1, step), rows - top)
            at = start + _byte_count(layout, top)
            piece = _in_bit_order(self._data[at : at + _byte_count(layout, height)], layout)
            yield top, _unpacked(piece, layout, height)

    def _decompressed(self, index: int, size: int) -> bytes:
        """The bytes of a strip or tile; where the stated length is wrong, all up to the next one are tried."""
        layout, got = self._layout, 0
        for end in self._ends(index):
            piece = _in_bit_order(self._data[layout.offsets[index] : end], layout)
            try:
                plain = codecs.decompress(piece, layout.compression, size)
            except Undecodable:
                continue
            if len(plain) >= size:
                return plain
            got = max(got, len(plain))
        raise self._short(index, got, size)

    def _picture(self, index: int, rows: int) -> NDArray[Any]:
        layout = self._layout
        for end in self._ends(index):
            try:
                return codecs.decode_picture(self._data[layout.offsets[index] : end], layout, rows)
            except Undecodable:
                continue
        raise self._short(index, 0, 0)

    def _ends(self, index: int) -> list[int]:
        """Where the bytes of a strip or tile may end, the stated place first; none where they would be empty."""
        ends = dict.fromkeys((self._stated_end(index), self._end(index)))
        return [end for end in ends if end > self._layout.offsets[index]]

    def _stated_end(self, index: int) -> int:
        sizes = self._layout.sizes
        return self._layout.offsets[index] + (sizes[index] if index < len(sizes) else 0)

    def _end(self, index: int) -> int:
        """Where the bytes of a strip or tile end at the latest: at its stated end, the next one, or the file's end."""
        following = bisect_right(self._starts, self._layout.offsets[index])
        next_start = self._starts[following] if following < len(self._starts) else len(self._data)
        return min(max(self._stated_end(index), next_start), len(self._data))

    def _short(self, index: int, got: int, size: int) -> BadImage:
        layout = self._layout
        name = f"{layout.unit} {index + 1} of {self._count}"
        if self._stated_end(index) > len(self._data):
            message = f"{name} reaches to byte {self._stated_end(index)}, the file has {len(self._data)}"
            return BadImage(f"the TIFF file ends too early: {message}", code="truncated")
        if got:
            return _damaged(f"{name} holds {got} of {size} bytes")
        return _damaged(f"{name} cannot be decoded (compression: {codecs.name_of(layout.compression)})")


def _byte_count(layout: Layout, rows: int) -> int:
    """Bytes of `rows` rows of a strip or tile without compression; each row begins at a full byte."""
    if not layout.is_subsampled:
        return rows * (-(-layout.block_width * layout.block_samples * layout.bits // 8))
    across, down = layout.subsampling
    return -(-rows // down) * -(-layout.block_width // across) * (across * down + 2) * layout.bits // 8


def _in_bit_order(data: bytes, layout: Layout) -> bytes:
    if not layout.bits_reversed:
        return data
    import imagecodecs

    return bytes(imagecodecs.bitorder_decode(data))


def _unpacked(data: bytes, layout: Layout, rows: int) -> NDArray[Any]:
    """(rows, width of a block, samples) from the bytes of these rows."""
    if layout.is_subsampled:
        return _upsampled(_numbers(data, layout), layout, rows)
    shape = rows, layout.block_width, layout.block_samples
    if layout.predictor == _FLOATING:
        return _without_float_differences(np.frombuffer(data, np.uint8), shape, layout.bits // 8)
    samples: NDArray[Any] = _numbers(data, layout).reshape(shape)
    return np.cumsum(samples, axis=1, dtype=samples.dtype) if layout.predictor == _HORIZONTAL else samples


def _numbers(data: bytes, layout: Layout) -> NDArray[Any]:
    """All samples of some bytes in a row."""
    if layout.bits not in (8, 16, 32, 64):
        return _odd_numbers(data, layout)
    stored = codecs.sample_type(layout).newbyteorder(layout.tags.order)
    native: NDArray[Any] = np.frombuffer(data, stored).astype(stored.newbyteorder("="), copy=False)
    return native


def _odd_numbers(data: bytes, layout: Layout) -> NDArray[Any]:
    """Samples of another length than whole numbers of the machine: the highest bit first in either byte order."""
    import imagecodecs

    if layout.format == "float":
        return np.asarray(imagecodecs.float24_decode(data, byteorder=layout.tags.order))
    stored = codecs.sample_type(layout)
    unsigned = np.dtype(f"u{stored.itemsize}")
    run = layout.block_width * layout.block_samples
    values = np.asarray(imagecodecs.packints_decode(data, unsigned, layout.bits, runlen=run))
    if layout.format == "unsigned":
        return values
    sign = unsigned.type(1 << (layout.bits - 1))
    signed: NDArray[Any] = ((values ^ sign).astype(np.int64) - int(sign)).astype(stored)
    return signed


def _without_float_differences(stored: NDArray[np.uint8], shape: tuple[int, int, int], size: int) -> NDArray[Any]:
    """Floats whose bytes stand in planes, the highest first, each byte as the difference from the pixel before.

    Source: Adobe Photoshop TIFF Technical Note 3, 2005.
    """
    rows, columns, samples = shape
    summed = np.cumsum(stored.reshape(rows, size * columns, samples), axis=1, dtype=np.uint8)
    planes = summed.reshape(rows, size, columns * samples).swapaxes(1, 2)
    floats = np.ascontiguousarray(planes).view(f">f{size}").reshape(shape)
    native: NDArray[Any] = floats.astype(floats.dtype.newbyteorder("="))
    return native


def _upsampled(units: NDArray[Any], layout: Layout, rows: int) -> NDArray[Any]:
    """(rows, width, 3) from units of the luma samples of `across` by `down` pixels and one pair of chroma samples."""
    across, down = layout.subsampling
    grid = units.reshape(-(-rows // down), -(-layout.block_width // across), across * down + 2)
    units_of_luma = grid[..., :-2].reshape(*grid.shape[:2], down, across)
    luma = units_of_luma.swapaxes(1, 2).reshape(grid.shape[0] * down, grid.shape[1] * across)
    chroma = grid[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    return np.dstack((luma, chroma))[:rows, : layout.block_width]
