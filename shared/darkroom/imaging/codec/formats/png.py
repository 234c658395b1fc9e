"""Reads the chunks of a PNG and inserts further ones.

Format: Portable Network Graphics (PNG) Specification (Third Edition), W3C, 2025.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec.damage import Damaged, EndsEarly

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = b"XML:com.adobe.xmp"

#: Largest decompressed profile or text: real ones stay far below, and a chunk can expand a thousandfold.
MAX_INFLATED_BYTES = 4_000_000

#: The chunk that declares sRGB, with the perceptual rendering intent.
SRGB_CHUNK = (b"sRGB", b"\0")

#: A picture of 100 MB in the usual chunks of 8 kB has 12,000.
_MAX_CHUNKS = 200_000

#: Chunks that describe the picture to a human or a colour engine, replaced as a whole when a result is written.
_DESCRIPTIVE = frozenset(
    {b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"eXIf", b"iTXt", b"zTXt", b"tEXt", b"pHYs", b"tIME"}
)
#: Chunks without which no pixel can be decoded. Source: section 11.2.
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
#: Samples a pixel of each colour type. Source: section 11.2.1.
_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
#: Bits a sample that each colour type allows. Source: section 11.2.1.
_DEPTHS = {
    GREY: (1, 2, 4, 8, 16),
    RGB: (8, 16),
    PALETTE: (1, 2, 4, 8),
    GREY_ALPHA: (8, 16),
    RGBA: (8, 16),
}
#: First column, first row, column step and row step of the seven passes of Adam7. Source: section 8.1.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
#: Bytes that are decompressed at once when the pixel data are counted.
_COUNTED_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The fields of IHDR that decide how many bytes the pixels have."""

    width: int
    height: int
    #: Bits per sample.
    depth: int
    color_type: int
    interlaced: bool

    @property
    def pixel_bytes(self) -> int:
        """Bytes of the decompressed pixel data, with the filter byte of each row."""
        passes = _PASSES if self.interlaced else ((0, 0, 1, 1),)
        return sum(self._pass_bytes(*each) for each in passes)

    def _pass_bytes(self, left: int, top: int, across: int, down: int) -> int:
        columns, rows = -(-(self.width - left) // across), -(-(self.height - top) // down)
        bits = columns * _CHANNELS[self.color_type] * self.depth
        return rows * (1 + (bits + 7) // 8) if columns > 0 and rows > 0 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The readable chunks of a PNG, with notes about the others."""

    header: Header
    #: Name and payload in the order of the file, IHDR first; ancillary chunks with a wrong checksum are left out.
    chunks: tuple[tuple[bytes, memoryview], ...]
    notes: tuple[str, ...] = field(default=())

    def payloads(self, name: bytes) -> list[memoryview]:
        """The payloads of all chunks of a name."""
        return [payload for each, payload in self.chunks if each == name]


def contents(data: bytes) -> Contents:
    """All chunks up to IEND. Raises `Damaged` if a critical one is damaged or missing, `EndsEarly` without IEND."""
    kept, notes, end = [], [], len(data)
    for each in chunks(data):
        end = each.end
        if each.whole:
            kept.append((each.name, each.payload))
        elif each.name in _CRITICAL:
            raise Damaged(f"the checksum of the chunk {_shown(each.name)} is wrong")
        else:
            notes.append(f"the chunk {_shown(each.name)} has a wrong checksum and was left out")
    if data[end:].strip(b"\0"):
        notes.append(f"{len(data) - end} bytes behind the end of the PNG were left out")
    return Contents(header=_header(kept), chunks=tuple(kept), notes=tuple(dict.fromkeys(notes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk as it stands in the file."""

    name: bytes
    payload: memoryview
    #: Whether the checksum is right.
    whole: bool
    #: Offset of the first byte behind the chunk.
    end: int


def chunks(data: bytes) -> Iterator[Chunk]:
    """Each chunk up to IEND. Raises `EndsEarly` if the file ends before IEND."""
    view, at = memoryview(data), len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            raise EndsEarly(f"end of file after {len(data)} bytes, before the closing IEND chunk")
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            raise EndsEarly(f"end of file inside the chunk {_shown(name)}, {end + 4 - len(data)} bytes are missing")
        whole = zlib.crc32(view[at + 4 : end]) == struct.unpack_from(">I", data, end)[0]
        yield Chunk(name=name, payload=view[at + 8 : end], whole=whole, end=end + 4)
        if name == b"IEND":
            return
        at = end + 4
    raise Damaged(f"more than {_MAX_CHUNKS} chunks")


def with_chunks(data: bytes, added: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The same pixels, described by `added` in place of the descriptions before."""
    kept = [chunk(each.name, each.payload) for each in chunks(data) if each.name not in _DESCRIPTIVE]
    extra = (chunk(name, payload) for name, payload in added)
    return b"".join((SIGNATURE, kept[0], *extra, *kept[1:]))


def pixels_only(found: Contents, *, transparency: bool = False) -> bytes:
    """A PNG of the critical chunks, with tRNS on request: a damaged description cannot stop a decoder there."""
    wanted = _CRITICAL | {b"tRNS"} if transparency else _CRITICAL
    kept = (chunk(name, payload) for name, payload in found.chunks if name in wanted)
    return b"".join((SIGNATURE, *kept))


def require_pixels(found: Contents) -> None:
    """Raise `Damaged` unless the compressed pixel data unfold to as many bytes as the header announces.

    Decoders fill the rest of a broken picture with black and do not say so. Costs one decompression.
    """
    stream, got, expected = zlib.decompressobj(), 0, found.header.pixel_bytes
    try:
        for payload in found.payloads(b"IDAT"):
            rest: bytes | memoryview = payload
            while got < expected and not stream.eof and rest:
                got += len(stream.decompress(rest, _COUNTED_AT_ONCE))
                rest = stream.unconsumed_tail
        while got < expected and not stream.eof and (more := stream.decompress(b"", _COUNTED_AT_ONCE)):
            got += len(more)
    except zlib.error as exc:
        raise Damaged(f"its pixel data break off after {got} of {expected} bytes") from exc
    if got < expected:
        raise EndsEarly(f"its pixel data end after {got} of {expected} bytes")


def chunk(name: bytes, payload: bytes | memoryview) -> bytes:
    """One chunk: length, name, payload, checksum."""
    body = name + bytes(payload)
    return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))


def profile_chunk(profile: bytes) -> tuple[bytes, bytes]:
    """An iCCP chunk."""
    return b"iCCP", b"ICC profile\0\0" + zlib.compress(profile, 9)


def xmp_chunk(xmp: bytes) -> tuple[bytes, bytes]:
    """An uncompressed iTXt chunk under the keyword that Adobe's XMP specification, part 3, names."""
    return b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + xmp


def density_chunk(dpi: tuple[float, float]) -> tuple[bytes, bytes]:
    """A pHYs chunk, in pixels per metre."""
    across, down = (round(value / 0.0254) for value in dpi)
    return b"pHYs", struct.pack(">IIB", across, down, 1)


def read_profile(payload: memoryview) -> bytes:
    """The profile inside an iCCP chunk. Raises `Damaged` if it cannot be decompressed."""
    _, _, packed = bytes(payload).partition(b"\0")
    return inflate(packed[1:])


def read_text(name: bytes, payload: memoryview) -> tuple[bytes, bytes]:
    """Keyword and text of a tEXt, zTXt or iTXt chunk. Raises `Damaged` if the text cannot be decompressed."""
    keyword, _, rest = bytes(payload).partition(b"\0")
    if name == b"tEXt":
        return keyword, rest
    if name == b"zTXt":
        return keyword, inflate(rest[1:])
    fields = rest[2:].split(b"\0", 2)
    return keyword, inflate(fields[-1]) if rest[:1] == b"\x01" else fields[-1]


def inflate(packed: bytes) -> bytes:
    """Decompress at most `MAX_INFLATED_BYTES`; raises `Damaged` for damaged data, `BadImage` beyond the limit."""
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(packed, MAX_INFLATED_BYTES)
    except zlib.error as exc:
        raise Damaged("its compressed data are damaged") from exc
    if stream.unconsumed_tail:
        message = f"a compressed chunk of the PNG is too large: it unfolds to more than {MAX_INFLATED_BYTES} bytes"
        raise BadImage(message, code="decompression_bomb", limit=MAX_INFLATED_BYTES)
    if not stream.eof:
        raise Damaged("its compressed data end too early")
    return plain


def _shown(name: bytes) -> str:
    return repr(name.decode("latin-1"))


def _header(kept: list[tuple[bytes, memoryview]]) -> Header:
    name, payload = kept[0]
    if name != b"IHDR" or len(payload) != 13:
        raise Damaged(f"the first chunk is {_shown(name)} of {len(payload)} bytes instead of IHDR of 13")
    width, height, depth, color_type, *methods = struct.unpack(">IIBBBBB", payload)
    if depth not in _DEPTHS.get(color_type, ()):
        raise Damaged(f"colour type {color_type} with {depth} bits does not exist")
    if methods[0] or methods[1] or methods[2] > 1:
        raise Damaged("compression method {}, filter method {} or interlace method {} does not exist".format(*methods))
    if not any(each == b"IDAT" for each, _ in kept):
        raise Damaged("it has no pixel data")
    if unknown := [_shown(each) for each, _ in kept if not each[0] & 0x20 and each not in _CRITICAL]:
        raise Damaged(f"the critical chunk {unknown[0]} is unknown")
    if color_type == PALETTE:
        _require_palette(kept)
    return Header(width=width, height=height, depth=depth, color_type=color_type, interlaced=methods[2] == 1)


def _require_palette(kept: list[tuple[bytes, memoryview]]) -> None:
    palettes = [len(payload) for name, payload in kept if name == b"PLTE"]
    if len(palettes) != 1 or not 3 <= palettes[0] <= 768 or palettes[0] % 3:
        raise Damaged(f"its palettes have {palettes} bytes instead of one of 3 to 768 in steps of 3")
