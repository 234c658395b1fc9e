"""Reads the size of a picture from the header of its file, before anything is decoded."""

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from darkroom.imaging.codec.damage import Damaged
from darkroom.imaging.codec.formats import isobmff, jpeg
from darkroom.imaging.codec.formats.sniff import Format
from darkroom.imaging.codec.formats.tiff import pages


def declared_size(data: bytes, name: Format) -> tuple[int, int] | None:
    """Width and height by the header; None for an AVIF or HEIC whose header does not have them.

    Raises `Damaged` or `struct.error` on a header that is damaged or cut short.
    """
    read = _READERS.get(name)
    return read(data) if read else None


def _png(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise Damaged(f"the first chunk is {data[12:16]!r} instead of IHDR")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return width, height
    width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # a negative height means that the top row comes first


def _webp(data: bytes) -> tuple[int, int]:
    chunk = data[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if chunk == b"VP8L":
        packed = struct.unpack_from("<I", data, 21)[0]
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise Damaged(f"the first chunk is {chunk!r} instead of VP8, VP8L or VP8X")


def _jpeg(data: bytes) -> tuple[int, int]:
    frame = jpeg.frame(data)
    return frame.width, frame.height


def _boxed(data: bytes) -> tuple[int, int] | None:
    return isobmff.container(data).size()


_READERS: Mapping[Format, Callable[[bytes], tuple[int, int] | None]] = MappingProxyType(
    {
        "png": _png,
        "gif": _gif,
        "bmp": _bmp,
        "webp": _webp,
        "jpeg": _jpeg,
        "tiff": pages.declared_size,
        "avif": _boxed,
        "heic": _boxed,
    }
)
