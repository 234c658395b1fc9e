"""TIFF files of every kind, made on the spot."""

import struct
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from darkroom.imaging.codec.metadata import ifd

LZW, PACKBITS = 5, 32773
NEW_SUBFILE, FILL_ORDER, STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_SIZES = 254, 266, 273, 278, 279
_PRIVATE = 65000


def tiff(values: np.ndarray, photometric: str = "minisblack", **options: Any) -> bytes:
    """A TIFF of one picture, written by tifffile."""
    sink = BytesIO()
    tifffile.imwrite(sink, np.ascontiguousarray(values), photometric=photometric, **options)
    return sink.getvalue()


def pages(*values: np.ndarray, subfiles: Sequence[int]) -> bytes:
    """A TIFF of several pictures of RGB or grey with their NewSubfileType."""
    sink = BytesIO()
    with tifffile.TiffWriter(sink) as writer:
        for each, subfile in zip(values, subfiles, strict=True):
            kind = "rgb" if each.ndim == 3 else "mask" if subfile & 4 else "minisblack"
            writer.write(np.ascontiguousarray(each), photometric=kind, subfiletype=subfile, metadata=None)
    return sink.getvalue()


def plain(tags: dict[int, int | Sequence[int] | ifd.Entry | None], samples: bytes = bytes(24)) -> bytes:
    """An uncompressed grey TIFF of 4 rows of 6 samples, written by hand, with `tags` added, changed or left out."""
    layout = {256: 6, 257: 4, 258: 8, 259: 1, 262: 1, 273: ifd.HEADER_BYTES, 277: 1, 278: 4, 279: len(samples)}
    entries = {tag: _entry(value) for tag, value in (layout | tags).items() if value is not None}
    return ifd.write_tree(ifd.Directory(order="<", entries=entries), between=samples)


def _entry(value: int | Sequence[int] | ifd.Entry) -> ifd.Entry:
    if isinstance(value, ifd.Entry):
        return value
    return ifd.long("<", *([value] if isinstance(value, int) else value))


def tiff_with_tag(data: bytes, old: int, new: int, value: int | None = None) -> bytes:
    """A little-endian classic TIFF whose tag `old` is called `new`, and has another value if one is given."""
    entry = tifffile.TiffFile(BytesIO(data)).pages[0].tags[old]
    changed = bytearray(data)
    changed[entry.offset : entry.offset + 2] = struct.pack("<H", new)
    if value is not None:
        size = {1: 1, 3: 2, 4: 4}[entry.dtype]
        changed[entry.valueoffset : entry.valueoffset + size] = value.to_bytes(size, "little")
    return bytes(changed)


def with_bits_reversed(values: np.ndarray, photometric: str, **options: Any) -> bytes:
    """A TIFF whose bytes have their lowest bit first (FillOrder 2)."""
    data = tiff(values, photometric, extratags=[(_PRIVATE, 3, 1, 2, True)], **options)
    reversed_bits = bytearray(tiff_with_tag(data, _PRIVATE, FILL_ORDER))
    for start, end in extents(data):
        reversed_bits[start:end] = imagecodecs.bitorder_decode(data[start:end])
    return bytes(reversed_bits)


def extents(data: bytes) -> list[tuple[int, int]]:
    """Where each strip or tile begins and ends."""
    page = tifffile.TiffFile(BytesIO(data)).pages[0]
    return [(at, at + size) for at, size in zip(page.dataoffsets, page.databytecounts, strict=True)]


def fax(bilevel: np.ndarray, compression: str, **options: Any) -> bytes:
    """A bilevel TIFF by one of libtiff's CCITT encoders."""
    sink = BytesIO()
    Image.fromarray(bilevel).save(sink, "TIFF", compression=compression, **options)
    return sink.getvalue()
