"""Decompresses strips and tiles of a TIFF.

Compression schemes: TIFF Revision 6.0, Adobe, 1992; Adobe Photoshop TIFF Technical Notes, 2002 (deflate); the registry
of tags of the Library of Congress and libtiff (ZSTD, LZMA, WebP, LERC, JPEG 2000).
"""

import lzma
import struct
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.codec.formats.read_jpeg import require_pixels
from darkroom.imaging.codec.formats.tiff.fax import is_valid_fax
from darkroom.imaging.codec.formats.tiff.layout import (
    CCITT_RLE,
    CCITT_T4,
    CCITT_T6,
    JPEG,
    RGB,
    UNCOMPRESSED,
    Layout,
    unsupported,
)

_LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS = 5, 8, 32946, 32773
_LZMA, _ZSTD, _WEBP, _LERC = 34925, 50000, 50001, 34887
_JPEG_2000, _JPEG_2000_RGB = 34712, 33005
_JPEG_TABLES, _T4_OPTIONS, _LERC_PARAMETERS = 347, 292, 50674
#: Additional compressions of LERC: none, deflate, ZSTD.
_LERC_DEFLATE, _LERC_ZSTD = 1, 2

#: Names of compressions, for messages.
NAMES: Mapping[int, str] = MappingProxyType(
    {
        UNCOMPRESSED: "none",
        CCITT_RLE: "CCITT RLE",
        CCITT_T4: "CCITT T.4",
        CCITT_T6: "CCITT T.6",
        _LZW: "LZW",
        6: "old-style JPEG",
        JPEG: "JPEG",
        _DEFLATE: "deflate",
        9: "JBIG (T.85)",
        10: "JBIG (T.43)",
        32766: "NeXT",
        32771: "CCITT RLE with word alignment",
        _PACKBITS: "PackBits",
        32809: "ThunderScan",
        32908: "Pixar film",
        32909: "PixarLog",
        _OLD_DEFLATE: "deflate",
        33003: "JPEG 2000 of Aperio",
        _JPEG_2000_RGB: "JPEG 2000",
        34661: "JBIG",
        34676: "SGI LogLuv",
        34677: "SGI LogLuv 24",
        _JPEG_2000: "JPEG 2000",
        34713: "Nikon NEF",
        _LERC: "LERC",
        34892: "lossy JPEG of DNG",
        _LZMA: "LZMA",
        34933: "PNG",
        34934: "JPEG XR",
        _ZSTD: "ZSTD",
        _WEBP: "WebP",
        50002: "JPEG XL",
        52546: "JPEG XL",
    }
)


class Undecodable(Exception):
    """The bytes of a strip or tile cannot be decompressed."""


def name_of(compression: int) -> str:
    """The name of a compression scheme, with its number."""
    return f"{NAMES.get(compression, 'compression')} ({compression})"


def is_supported(compression: int) -> bool:
    """Whether strips and tiles of this compression are read."""
    return compression in _BYTES or compression in _PICTURES or compression == UNCOMPRESSED


def holds_pictures(compression: int) -> bool:
    """Whether each strip or tile is a picture by itself, and not a sequence of bytes."""
    return compression in _PICTURES


def decompress(data: bytes, compression: int, size: int) -> bytes:
    """At most `size` bytes, fewer if the data end early. Raises Undecodable."""
    try:
        return _BYTES[compression](data, size)
    except (RuntimeError, ValueError, MemoryError, zlib.error, lzma.LZMAError, EOFError) as exc:
        raise Undecodable from exc


def decode_picture(data: bytes, layout: Layout, rows: int) -> NDArray[Any]:
    """(rows, width of a block, samples) of a strip or tile that is a picture by itself. Raises Undecodable."""
    try:
        picture = _PICTURES[layout.compression](data, layout, rows)
    except (RuntimeError, ValueError, MemoryError, EOFError, struct.error, zlib.error) as exc:
        raise Undecodable from exc
    channels = np.atleast_3d(picture)[:rows, : layout.block_width]
    expected = sample_type(layout)
    if channels.shape != (rows, layout.block_width, layout.block_samples) or channels.itemsize != expected.itemsize:
        raise Undecodable
    return channels.view(expected)


def _inflate(data: bytes, size: int) -> bytes:
    """The stream is followed to its end, where its checksum stands."""
    stream = zlib.decompressobj()
    plain = stream.decompress(data, size)
    while not stream.eof and stream.unconsumed_tail:
        if stream.decompress(stream.unconsumed_tail, 1) and len(plain) >= size:
            break
    return plain


def _lzw(data: bytes, size: int) -> bytes:
    import imagecodecs  # loads in 20 ms: only some TIFF files need it

    return bytes(imagecodecs.lzw_decode(data, out=size))


def _packbits(data: bytes, size: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.packbits_decode(data, out=size + 127))[:size]


def _zstd(data: bytes, size: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.zstd_decode(data, out=size))


def _lzma(data: bytes, size: int) -> bytes:
    return lzma.LZMADecompressor().decompress(data, size)


def _ccitt(data: bytes, layout: Layout, rows: int) -> NDArray[Any]:
    import imagecodecs

    if layout.bits_reversed:
        data = bytes(imagecodecs.bitorder_decode(data))
    options = layout.tags.integer(_T4_OPTIONS)
    if not is_valid_fax(data, (rows, layout.block_width), layout.compression, options):
        raise Undecodable
    if layout.compression == CCITT_T4:
        return np.asarray(imagecodecs.ccittfax3_decode(data, rows, layout.block_width, t4options=options))
    decode = imagecodecs.ccittrle_decode if layout.compression == CCITT_RLE else imagecodecs.ccittfax4_decode
    return np.asarray(decode(data, rows, layout.block_width))


def _jpeg(data: bytes, layout: Layout, rows: int) -> NDArray[Any]:
    """RGB where the photometric interpretation is YCbCr, else the samples as they are.

    The last strip of a picture may have the height of the others. libjpeg would fill missing pixel data
    with grey.
    """
    import imagecodecs

    tables = layout.tags.value(_JPEG_TABLES)
    # The tables are a JPEG without a picture: its start and end markers are left out.
    require_pixels(data if tables is None else data[:2] + tables[2:-2] + data[2:])
    is_jfif = data[6:10] == b"JFIF"
    is_rgb = layout.photometric == RGB and layout.samples == layout.colors and not layout.separate
    source = RGB if is_rgb and not is_jfif else None
    target = RGB if is_rgb or layout.is_converted else None

    def decoded(height: int) -> NDArray[Any]:
        room = _room(layout, height)
        return np.asarray(
            imagecodecs.jpeg8_decode(data, tables=tables, colorspace=source, outcolorspace=target, out=room)
        )

    try:
        return decoded(rows)
    except ValueError:  # another size than the room
        return decoded(layout.block_height)


def _jpeg_2000(data: bytes, layout: Layout, rows: int) -> NDArray[Any]:
    import imagecodecs

    return np.asarray(imagecodecs.jpeg2k_decode(data, out=_room(layout, rows)))


def _webp(data: bytes, layout: Layout, rows: int) -> NDArray[Any]:
    import imagecodecs

    return np.asarray(imagecodecs.webp_decode(data, hasalpha=layout.samples == 4, out=_room(layout, rows)))


def _lerc(data: bytes, layout: Layout, rows: int) -> NDArray[Any]:
    import imagecodecs

    room = _room(layout, rows)
    packing = (*layout.tags.integers(_LERC_PARAMETERS), 0, 0)[1]
    if packing in (_LERC_DEFLATE, _LERC_ZSTD):
        # LERC adds a header and a mask to the samples.
        data = (_inflate if packing == _LERC_DEFLATE else _zstd)(data, 2 * room.nbytes + 65536)
    return np.asarray(imagecodecs.lerc_decode(data, out=room))


def _room(layout: Layout, rows: int) -> NDArray[Any]:
    """Where a strip or tile is decoded to: a picture of another size does not fit, and is refused before it is read."""
    shape = (rows, layout.block_width, layout.block_samples)
    return np.empty(shape if layout.block_samples > 1 else shape[:2], sample_type(layout))


def sample_type(layout: Layout) -> np.dtype[Any]:
    """The numpy type of one unpacked sample."""
    size = next((size for size in (1, 2, 4) if layout.bits <= 8 * size), 8)
    kind = {"unsigned": "u", "signed": "i", "float": "f"}[layout.format]
    if kind == "f" and layout.bits == 24:
        raise unsupported("24-bit floats in this compression")
    return np.dtype(f"{kind}{size}")


_BYTES: Mapping[int, Callable[[bytes, int], bytes]] = MappingProxyType(
    {_LZW: _lzw, _DEFLATE: _inflate, _OLD_DEFLATE: _inflate, _PACKBITS: _packbits, _LZMA: _lzma, _ZSTD: _zstd}
)
_PICTURES: Mapping[int, Callable[[bytes, Layout, int], NDArray[Any]]] = MappingProxyType(
    {
        CCITT_RLE: _ccitt,
        CCITT_T4: _ccitt,
        CCITT_T6: _ccitt,
        JPEG: _jpeg,
        _JPEG_2000: _jpeg_2000,
        _JPEG_2000_RGB: _jpeg_2000,
        _WEBP: _webp,
        _LERC: _lerc,
    }
)
