"""Reads the chunks of a PNG and inserts further ones.

Format: Portable Network Graphics (PNG) Specification (Third Edition), W3C, 2025.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator

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


def chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Name and payload of each chunk up to IEND, checksums verified.

    Raises EOFError if the file ends before IEND and ValueError if a checksum is wrong.
    """
    view, at = memoryview(data), len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            raise EOFError(f"end of file after {len(data)} bytes, before the closing IEND chunk")
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            raise EOFError(f"end of file inside the chunk {name!r}, {end + 4 - len(data)} bytes are missing")
        if zlib.crc32(view[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise ValueError(f"the checksum of the chunk {name!r} is wrong")
        yield name, view[at + 8 : end]
        if name == b"IEND":
            return
        at = end + 4
    raise ValueError(f"more than {_MAX_CHUNKS} chunks")


def with_chunks(data: bytes, added: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The same pixels, described by `added` in place of whatever described them before."""
    kept = [chunk(name, payload) for name, payload in chunks(data) if name not in _DESCRIPTIVE]
    extra = (chunk(name, payload) for name, payload in added)
    return b"".join((SIGNATURE, kept[0], *extra, *kept[1:]))


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
    """The profile inside an iCCP chunk."""
    _, _, packed = bytes(payload).partition(b"\0")
    return inflate(packed[1:])


def read_xmp(payload: memoryview) -> bytes | None:
    """The XMP packet inside an iTXt chunk, or None if the chunk holds another text."""
    keyword, _, rest = bytes(payload).partition(b"\0")
    if keyword != XMP_KEYWORD:
        return None
    compressed, fields = rest[:1] == b"\x01", rest[2:].split(b"\0", 2)
    return inflate(fields[-1]) if compressed else fields[-1]


def inflate(packed: bytes) -> bytes:
    """Decompress at most `MAX_INFLATED_BYTES`; raises ValueError beyond."""
    stream = zlib.decompressobj()
    plain = stream.decompress(packed, MAX_INFLATED_BYTES)
    if stream.unconsumed_tail:
        raise ValueError(f"decompressed data too large: more than {MAX_INFLATED_BYTES} bytes in a compressed chunk")
    return plain
