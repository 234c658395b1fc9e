"""Tests that a PNG with damaged descriptions is read, and that missing pixel data are named."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec import decode
from darkroom.imaging.codec.formats.png import Header
from tests import pictures
from tests.descriptions import camera_exif
from tests.pictures import png_chunk, png_file


def grey_png(depth: int, *chunks: bytes, method: int = 0, rows: bytes | None = None) -> bytes:
    """A PNG of 16x16 grey pixels whose columns count up, modulo the number of values."""
    values = np.arange(16) % (1 << min(depth, 8))
    bits = "".join(f"{int(value):0{depth}b}" for value in values)
    row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8)
    header = struct.pack(">IIBBBBB", 16, 16, depth, 0, method, 0, 0)
    packed = zlib.compress(row * 16 if rows is None else rows)
    return png_file(png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", packed))


def bad_checksum(chunk: bytes) -> bytes:
    return chunk[:-1] + bytes([chunk[-1] ^ 1])


def raw_exif(keyword: bytes, block: bytes) -> bytes:
    text = b"\nexif\n" + str(len(block)).encode().rjust(8) + b"\n" + block.hex().encode() + b"\n"
    return png_chunk(b"zTXt", keyword + b"\0\0" + zlib.compress(text))


PLAIN = pictures.png_bytes()


def with_chunks(*chunks: bytes) -> bytes:
    return PLAIN[:33] + b"".join(chunks) + PLAIN[33:]


#: Chunks between header and pixels, and words of the note about them.
HARMLESS = {
    "an empty sRGB": (png_chunk(b"sRGB", b""), "'sRGB' is damaged"),
    "a short gAMA": (png_chunk(b"gAMA", b"\1"), "'gAMA' is damaged"),
    "a short cHRM": (png_chunk(b"cHRM", b"\1"), "'cHRM' is damaged"),
    "a short pHYs": (png_chunk(b"pHYs", bytes(3)), "'pHYs' is damaged"),
    "a profile that is not compressed": (png_chunk(b"iCCP", b"icc\0\0garbage"), "'iCCP' is damaged"),
    "a text that is not compressed": (png_chunk(b"zTXt", b"Title\0\0garbage"), "'zTXt' is damaged"),
    "an international text cut short": (
        png_chunk(b"iTXt", b"Title\0\1\0\0\0" + zlib.compress(bytes(500))[:-6]),
        "'iTXt' is damaged",
    ),
    "a text with a wrong checksum": (bad_checksum(png_chunk(b"tEXt", b"Title\0x")), "wrong checksum"),
    "a private chunk with a wrong checksum": (bad_checksum(png_chunk(b"vpAg", b"x")), "wrong checksum"),
    "texts": (png_chunk(b"tEXt", b"Title\0x") + png_chunk(b"tEXt", b"Author\0y"), "left out: Title, Author"),
    "transparency of the wrong length": (png_chunk(b"tRNS", b"\0"), "transparency (tRNS) was left out"),
    "PQ by code points": (png_chunk(b"cICP", bytes([9, 16, 0, 1])), "primaries 9 and transfer 16"),
    "linear light by code points": (png_chunk(b"cICP", bytes([1, 8, 0, 1])), "primaries 1 and transfer 8"),
    "sRGB by code points": (png_chunk(b"cICP", bytes([1, 13, 0, 1])), ""),
    "pixels twice as wide as high": (png_chunk(b"pHYs", struct.pack(">IIB", 1, 2, 0)), "not square"),
    "a raw profile that is no number": (
        png_chunk(b"tEXt", b"Raw profile type exif\0\nexif\n  4\nzzzz"),
        "'tEXt' is damaged",
    ),
}


@pytest.mark.parametrize("what", sorted(HARMLESS))
def test_a_png_is_read_whatever_its_descriptions_hold(what: str) -> None:
    chunks, words = HARMLESS[what]
    decoded = decode(with_chunks(chunks))
    assert np.array_equal(decoded.picture.pixels, pictures.scene())
    assert len(decoded.notes) == bool(words)
    assert words in " ".join(decoded.notes)


@pytest.mark.parametrize("keyword", [b"Raw profile type exif", b"Raw profile type APP1"])
def test_exif_in_a_raw_profile_is_read(keyword: bytes) -> None:
    data = with_chunks(raw_exif(keyword, b"Exif\0\0" + camera_exif()))
    assert decode(data).metadata.exif == camera_exif()
    assert decode(data).notes == ()


def test_an_exif_chunk_counts_before_a_raw_profile() -> None:
    data = with_chunks(raw_exif(b"Raw profile type exif", b"II*\0"), png_chunk(b"eXIf", camera_exif()))
    assert decode(data).metadata.exif == camera_exif()


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("junk", [0, 1])
def test_the_transparent_grey_of_every_depth_becomes_transparent(depth: int, junk: int) -> None:
    if depth == 16:
        data = pictures.raw_png(np.tile(np.arange(16, dtype=np.uint16), (16, 1)), png_chunk(b"tRNS", b"\0\1"))
    else:  # bits above the depth do not count
        data = grey_png(depth, png_chunk(b"tRNS", struct.pack(">H", 1 | junk << depth)))
    alpha = decode(data).picture.alpha
    assert alpha is not None
    expected = np.arange(16) % (1 << min(depth, 8)) == 1
    assert np.array_equal(alpha == 0, np.tile(expected, (16, 1)))


def test_opencv_finds_the_same_transparent_colour() -> None:
    mark = pictures.scene()[5, 7]
    data = with_chunks(png_chunk(b"tRNS", mark.astype(">u2").tobytes()))
    alpha = decode(data).picture.alpha
    assert np.array_equal(alpha, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)[..., 3])


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_opencv_reads_the_same_grey_of_every_depth(depth: int) -> None:
    data = grey_png(depth)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(decode(data).picture.pixels[..., 0], expected)


BROKEN = {
    "half of the pixel data": (grey_png(8, rows=bytes(17 * 8)), "truncated", "end after 136 of 272 bytes"),
    "no pixel data": (png_file(PLAIN[8:33]), "corrupt", "no pixel data"),
    "pixel data that are not compressed": (
        png_file(PLAIN[8:33], png_chunk(b"IDAT", b"garbage")),
        "corrupt",
        "break off after 0 of",
    ),
    "compression method 128": (grey_png(8, method=0x80), "corrupt", "compression method 128"),
    "an unknown critical chunk": (with_chunks(png_chunk(b"ABCD", b"")), "corrupt", "critical chunk 'ABCD'"),
    "a header with a wrong checksum": (PLAIN[:8] + bad_checksum(PLAIN[8:33]) + PLAIN[33:], "corrupt", "'IHDR'"),
    "a palette of 4 bytes": (
        png_file(
            png_chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 3, 0, 0, 0)),
            png_chunk(b"PLTE", bytes(4)),
            png_chunk(b"IDAT", zlib.compress(bytes(20))),
        ),
        "corrupt",
        "palettes",
    ),
    "Apple's own kind": (PLAIN[:8] + png_chunk(b"CgBI", bytes(4)) + PLAIN[8:], "unsupported_format", "CgBI"),
}


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_a_png_without_all_its_pixels_is_an_error(what: str) -> None:
    data, code, words = BROKEN[what]
    with pytest.raises(BadImage) as caught:
        decode(data)
    assert caught.value.code == code
    assert words in str(caught.value)


def test_an_interlaced_png_has_as_many_bytes_as_its_passes() -> None:
    header = Header(width=8, height=8, depth=8, color_type=2, interlaced=True)
    assert header.pixel_bytes == 15 + 8 * 8 * 3  # the seven passes have 15 rows
