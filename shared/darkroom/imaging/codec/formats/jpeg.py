"""Reads the segments of a JPEG.

    SOI ─▶ segments ─▶ SOS + pixel data ─▶ (more segments and scans) ─▶ EOI ─▶ other data: a video, further pictures

A segment has a length, so bytes inside it are never taken for markers. Format: ITU-T T.81 (JPEG), annex B; JFIF 1.02.
"""

import re
import struct
from dataclasses import dataclass
from itertools import islice

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec.damage import Damaged, EndsEarly

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
APP0, APP1, APP2, APP13, APP14, COMMENT = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE
_EOI, _SOS, _SOF_JPEG_LS = 0xD9, 0xDA, 0xF7
#: Start-of-frame markers: C0 to CF without DHT (C4), JPG (C8) and DAC (CC). Source: T.81, table B.1.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Those that the decoders read: baseline, extended and progressive, by Huffman or arithmetic coding.
_READABLE_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_READABLE_PRECISION = 8
_LOSSLESS_FRAMES = frozenset({0xC3, 0xCB})
#: Markers without a length: TEM, RST0 to RST7, SOI.
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
#: Markers of applications and comments: nothing that a decoder needs, except JFIF and Adobe.
DESCRIPTIVE = frozenset({*range(0xE0, 0xF0), COMMENT})
#: A marker; stray bytes and fill bytes before it are passed over, as libjpeg does.
_MARKER = re.compile(rb"\xff([^\x00\xff])", re.DOTALL)
#: A marker that ends the data of a scan: not a stuffed zero and not a restart marker.
_SCAN_END = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])", re.DOTALL)

#: Progressive files have about ten scans. Thousands of empty ones fit into a small file and take minutes to decode.
MAX_SCANS = 200
#: Largest number of segments that are read; a profile or extended XMP of 100 MB has 1,600.
_MAX_SEGMENTS = 100_000

#: Bytes of a JFIF segment without thumbnail, of an Adobe segment and of the head of a profile's segment.
_JFIF_BYTES, ADOBE_BYTES = 14, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A marker, what follows it, and the pixel data of a scan."""

    marker: int
    #: Payload without the length.
    payload: bytes
    #: Pixel data behind an SOS segment; empty for others.
    scan: bytes = b""

    @property
    def encoded(self) -> bytes:
        """The bytes of the segment in a file."""
        return struct.pack(">BBH", 0xFF, self.marker, len(self.payload) + 2) + self.payload + self.scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Jpeg:
    """The segments up to EOI."""

    segments: tuple[Segment, ...]
    #: Whether EOI ends the picture.
    closed: bool
    #: Number of bytes behind EOI; 0 if they are padding.
    trailing: int

    def payloads(self, marker: int, head: bytes) -> list[bytes]:
        """The payloads of all segments of a marker that begin with `head`."""
        return [each.payload for each in self.segments if each.marker == marker and each.payload.startswith(head)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The start-of-frame segment."""

    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """The density of a JFIF segment."""

    #: 0 means that the numbers are an aspect ratio, 1 per inch, 2 per centimetre.
    unit: int
    across: int
    down: int


def frame(data: bytes) -> Frame:
    """Width and height. Raises `Damaged` without a frame."""
    at = len(SOI)
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker in _FRAMES or marker == _SOF_JPEG_LS:
            return _frame(data, at)
        if marker in (_EOI, _SOS):
            raise Damaged(f"no frame header before marker FF{marker:02X}")
        at += 0 if marker in _BARE else _length(data, at)
    raise EndsEarly(f"end of file before the frame header, after {len(data)} bytes")


def parse(data: bytes) -> Jpeg:
    """All segments up to EOI.

    Raises `Damaged` or `EndsEarly` if a segment is broken, `BadImage` for more than `MAX_SCANS` scans and for a kind
    of JPEG that is not read.
    """
    segments: list[Segment] = []
    at, scans = len(SOI), 0
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker == _EOI:
            return Jpeg(segments=tuple(segments), closed=True, trailing=_trailing(data[at:]))
        if marker in _BARE:
            continue
        end = at + _length(data, at)
        if end > len(data) and scans:
            break
        if end > len(data) or len(segments) >= _MAX_SEGMENTS:
            raise _unfinished(data, marker, segments)
        if marker in _FRAMES or marker == _SOF_JPEG_LS:
            _require_readable(marker, data[at + 2] if end > at + 2 else 0)
        stop = _scan_end(data, end) if marker == _SOS else end
        segments.append(Segment(marker=marker, payload=data[at + 2 : end], scan=data[end:stop]))
        scans += marker == _SOS
        if scans > MAX_SCANS:
            raise _too_many_scans()
        at = stop
    if not scans:
        raise EndsEarly(f"end of file before the pixel data, after {len(data)} bytes")
    return Jpeg(segments=tuple(segments), closed=False, trailing=0)


def pixels_only(jpeg: Jpeg) -> bytes:
    """A JPEG without descriptions: a damaged one cannot stop a decoder there. JFIF and Adobe mark the colours."""
    parts = [SOI]
    if density(jpeg) is not None:
        parts.append(Segment(marker=APP0, payload=b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0").encoded)
    adobe = (each for each in jpeg.payloads(APP14, b"Adobe") if len(each) >= ADOBE_BYTES)
    parts += [Segment(marker=APP14, payload=payload).encoded for payload in islice(adobe, 1)]
    for each in jpeg.segments:
        if each.marker not in DESCRIPTIVE:
            parts.append(each.encoded)
    return b"".join((*parts, EOI))


def density(jpeg: Jpeg) -> Density | None:
    """The density of the first whole JFIF segment."""
    for payload in jpeg.payloads(APP0, b"JFIF\0"):
        if len(payload) >= _JFIF_BYTES:
            unit, across, down = struct.unpack_from(">BHH", payload, 7)
            return Density(unit=unit, across=across, down=down)
    return None


def _length(data: bytes, at: int) -> int:
    if at + 2 > len(data):
        raise EndsEarly(f"end of file inside a segment, after {len(data)} bytes")
    length: int = struct.unpack_from(">H", data, at)[0]
    if length < 2:
        raise Damaged(f"a segment at byte {at} has a length of {length}, less than 2")
    return length


def _trailing(rest: bytes) -> int:
    return len(rest) if rest.strip(b"\0\xff\r\n") else 0


def _scan_end(data: bytes, start: int) -> int:
    found = _SCAN_END.search(data, start)
    return found.start() if found else len(data)


def _frame(data: bytes, at: int) -> Frame:
    if at + 7 > len(data):
        raise EndsEarly(f"end of file inside the frame header, after {len(data)} bytes")
    height, width = struct.unpack_from(">HH", data, at + 3)
    return Frame(width=width, height=height)


def _require_readable(marker: int, precision: int) -> None:
    if marker == _SOF_JPEG_LS:
        raise _unsupported("a JPEG-LS picture")
    if marker in _LOSSLESS_FRAMES:
        raise _unsupported("a lossless JPEG")
    if marker not in _READABLE_FRAMES:
        raise _unsupported(f"a hierarchical JPEG (marker FF{marker:02X})")
    if precision != _READABLE_PRECISION:
        raise _unsupported(f"a JPEG of {precision} bits a sample")


def _unsupported(what: str) -> BadImage:
    return BadImage(f"the file is {what}; JPEG is read with 8 bits, baseline or progressive", code="unsupported_format")


def _unfinished(data: bytes, marker: int, segments: list[Segment]) -> Damaged:
    if len(segments) >= _MAX_SEGMENTS:
        return Damaged(f"more than {_MAX_SEGMENTS} segments")
    return EndsEarly(f"end of file inside the segment FF{marker:02X}, after {len(data)} bytes")


def _too_many_scans() -> BadImage:
    message = f"the JPEG file has more than {MAX_SCANS} scans, each of which is a pass over the whole picture"
    return BadImage(f"{message}; at most {MAX_SCANS} are read", code="decompression_bomb", limit=MAX_SCANS)
