"""Reads the size of a picture from the header of its file, before anything is decoded."""

import re
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from darkroom.imaging.codec.formats.sniff import Format
from darkroom.imaging.codec.formats.tiff import pages

#: Start-of-frame markers: C0 to CF without DHT (C4), JPG (C8) and DAC (CC), ITU-T T.81 table B.1.
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: A marker; stray bytes and fill bytes before it are passed over, as libjpeg does.
_MARKER = re.compile(rb"\xff([^\x00\xff])", re.DOTALL)
#: Markers that stand alone, without a length: TEM, RST0 to RST7, SOI.
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})


def declared_size(data: bytes, name: Format) -> tuple[int, int] | None:
    """Width and height by the header; None where only the container's own reader can tell (AVIF, HEIC).

    Raises the errors of parsing (`ValueError`, `struct.error`) on a header that is cut short.
    """
    read = _READERS.get(name)
    return read(data) if read else None


def _png(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise ValueError(f"the first chunk is {data[12:16]!r} instead of IHDR")
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
    raise ValueError(f"the first chunk is {chunk!r} instead of VP8, VP8L or VP8X")


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return width, height
        if marker in (0xD9, 0xDA):
            raise ValueError(f"no frame header before marker FF{marker:02X}")
        at += 0 if marker in _BARE_MARKERS else struct.unpack_from(">H", data, at)[0]
    raise EOFError(f"end of file before the frame header, after {len(data)} bytes")


_READERS: Mapping[Format, Callable[[bytes], tuple[int, int]]] = MappingProxyType(
    {"png": _png, "gif": _gif, "bmp": _bmp, "webp": _webp, "jpeg": _jpeg, "tiff": pages.declared_size}
)
