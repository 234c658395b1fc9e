"""Tests how a TIFF may store its samples: compression, strips and tiles, wrong lengths, and damage."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec import decode
from tests import pictures
from tests.tiffs import (
    LZW,
    ROWS_PER_STRIP,
    STRIP_OFFSETS,
    STRIP_SIZES,
    extents,
    fax,
    plain,
    tiff,
    tiff_with_tag,
    with_bits_reversed,
)

HEIGHT, WIDTH = 21, 35
SCENE = pictures.scene(HEIGHT, WIDTH)
COLOR = pictures.scene16(HEIGHT, WIDTH)
FLOATS = (COLOR / 65535).astype(np.float32)
#: Stored values and the pixels that they are.
KINDS = {"8 bits": (SCENE, SCENE), "16 bits": (COLOR, COLOR), "floats": (FLOATS, COLOR)}
PARTS = {"one strip": {}, "strips": {"rowsperstrip": 8}, "tiles": {"tile": (16, 32)}}


def code_of(data: bytes) -> str:
    with pytest.raises(BadImage) as caught:
        decode(data)
    assert "0x" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("parts", sorted(PARTS))
@pytest.mark.parametrize("compression", ["lzw", "deflate", "packbits", "zstd", "lzma"])
def test_every_compression_is_read_exactly(compression: str, parts: str, separate: bool) -> None:
    layout = {"planarconfig": "separate" if separate else "contig", "compression": compression, **PARTS[parts]}
    for stored, expected in KINDS.values():
        for order in ">" if compression == "lzma" else "<>":  # its encoder is slow
            for predictor in (False, True) if compression != "packbits" else (False,):
                values = stored.transpose(2, 0, 1) if separate else stored
                data = tiff(values, "rgb", byteorder=order, predictor=predictor, **layout)
                assert np.array_equal(decode(data).picture.pixels, expected)


@pytest.mark.parametrize("parts", ["one strip", "strips", "tiles"])
@pytest.mark.parametrize("compression", ["jpeg2000", "lerc", "webp"])
def test_strips_and_tiles_that_are_pictures_of_their_own_are_read_exactly(compression: str, parts: str) -> None:
    options = {"lossless": True} if compression == "webp" else {}
    kinds = ["8 bits"] if compression == "webp" else ["8 bits", "16 bits"]
    for kind in kinds:
        data = tiff(KINDS[kind][0], "rgb", compression=compression, compressionargs=options, **PARTS[parts])
        assert np.array_equal(decode(data).picture.pixels, KINDS[kind][1])


@pytest.mark.parametrize("parts", sorted(PARTS))
@pytest.mark.parametrize("photometric", ["rgb", "ycbcr", "minisblack"])
def test_jpeg_in_a_tiff_is_what_libtiff_makes_of_it(photometric: str, parts: str) -> None:
    stored = SCENE[..., 1] if photometric == "minisblack" else SCENE
    data = tiff(stored, photometric, compression="jpeg", **PARTS[parts])
    with Image.open(BytesIO(data)) as image:
        expected = np.asarray(image.convert("RGB"))
    assert np.abs(decode(data).picture.pixels.astype(int) - expected).max() <= 2


def test_twelve_bit_jpeg_in_a_tiff_is_read() -> None:
    import imagecodecs

    values = (COLOR[..., 0] >> 4).astype(np.uint16)
    encoded = imagecodecs.jpeg8_encode(values, level=100, bitspersample=12)
    tags = {256: WIDTH, 257: HEIGHT, 258: 12, 259: 7, 278: HEIGHT}
    pixels = decode(plain(tags, encoded)).picture.pixels[..., 0]
    assert np.abs(pixels / 65535 - values / 4095).max() < 0.01


_T4_OPTIONS = 292
FAX = {
    "T.4": ("group3", {}),
    "T.4 with aligned rows": ("group3", {"tiffinfo": {_T4_OPTIONS: 4}}),
    "T.4 of two dimensions": ("group3", {"tiffinfo": {_T4_OPTIONS: 5}}),
    "T.6": ("group4", {}),
    "T.6 in strips": ("group4", {"strip_size": 100}),
    "RLE": ("tiff_ccitt", {}),
}
BILEVEL = {
    "a scene": SCENE[..., 0] > 120,
    "noise": np.random.default_rng(0).random((40, 77)) < 0.5,
    "long runs": np.indices((30, 6000)).sum(axis=0) % 5500 < 2700,
    "all white": np.ones((9, 9), bool),
    "all black": np.zeros((9, 9), bool),
}


@pytest.mark.parametrize("kind", sorted(FAX))
def test_fax_is_read_exactly(kind: str) -> None:
    compression, options = FAX[kind]
    for bilevel in BILEVEL.values():
        decoded = decode(fax(bilevel, compression, **options))
        assert decoded.mode == "bilevel"
        assert np.array_equal(decoded.picture.pixels[..., 0], bilevel * np.uint8(255))


@pytest.mark.parametrize("kind", sorted(FAX.keys() - {"T.6 in strips"}))
def test_fax_that_decodes_to_noise_is_corrupt(kind: str) -> None:
    compression, options = FAX[kind]
    data = fax(BILEVEL["noise"], compression, **options)
    start, end = extents(data)[0]
    random = np.random.default_rng(1)
    for at in (start, (start + end) // 2):
        damaged = bytearray(data)
        damaged[at:end] = random.bytes(end - at)
        assert code_of(bytes(damaged)) == "corrupt"


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits"])
def test_bytes_may_have_their_lowest_bit_first(compression: str | None) -> None:
    data = with_bits_reversed(COLOR, "rgb", compression=compression, rowsperstrip=8)
    assert np.array_equal(decode(data).picture.pixels, COLOR)


# Tags that are missing or wrong


def test_tiles_may_be_listed_as_strips() -> None:
    data = tiff(SCENE, "rgb", tile=(16, 32))
    data = tiff_with_tag(tiff_with_tag(data, 324, STRIP_OFFSETS), 325, STRIP_SIZES)
    assert np.array_equal(decode(data).picture.pixels, SCENE)


@pytest.mark.parametrize("compression", [None, "lzw", "zstd"])
@pytest.mark.parametrize("size", [0, 1, 10_000_000])
def test_a_wrong_length_of_a_strip_whose_bytes_are_there_does_not_matter(size: int, compression: str | None) -> None:
    data = tiff(SCENE, "rgb", compression=compression)
    assert np.array_equal(decode(tiff_with_tag(data, STRIP_SIZES, STRIP_SIZES, size)).picture.pixels, SCENE)


@pytest.mark.parametrize("tag", [STRIP_SIZES, ROWS_PER_STRIP])
def test_a_missing_length_or_number_of_rows_does_not_matter(tag: int) -> None:
    private = 65000
    for data in (tiff(SCENE, "rgb"), tiff(SCENE, "rgb", compression="lzw", rowsperstrip=7)):
        assert np.array_equal(decode(tiff_with_tag(data, tag, private)).picture.pixels, SCENE)
    bilevel = SCENE[..., 0] > 120
    pixels = decode(tiff_with_tag(fax(bilevel, "group4"), tag, private)).picture.pixels
    assert np.array_equal(pixels[..., 0], bilevel * np.uint8(255))


def test_a_missing_photometric_interpretation_is_grey_or_rgb() -> None:
    samples = bytes(range(72))
    assert decode(plain({262: None}, samples[:24])).mode == "grey"
    assert decode(plain({262: None, 277: 3, 258: (8, 8, 8)}, samples)).mode == "rgb"


# Damage


@pytest.mark.parametrize(
    "compression", [None, "lzw", "deflate", "packbits", "zstd", "lzma", "jpeg2000", "webp", "jpeg"]
)
def test_a_tiff_that_ends_too_early_is_truncated(compression: str | None) -> None:
    data = tiff(np.tile(SCENE, (4, 4, 1)), "rgb", compression=compression, rowsperstrip=16)
    start, end = extents(data)[-1]
    assert code_of(data[: (start + end) // 2]) == "truncated"


def test_a_tiff_whose_directory_is_cut_off_is_truncated() -> None:
    data = pictures.tiff16()
    at = struct.unpack("<I", data[4:8])[0]
    assert code_of(data[: at + 20]) == "truncated"
    assert code_of(data[: at - 20]) == "truncated"


@pytest.mark.parametrize("compression", ["lzw", "deflate", "packbits", "zstd", "lzma", "jpeg2000"])
def test_a_strip_of_zeros_is_corrupt_and_not_a_black_picture(compression: str) -> None:
    data = bytearray(tiff(pictures.scene(40, 60), "rgb", compression=compression, rowsperstrip=16))
    start, end = extents(bytes(data))[1]
    data[start:end] = bytes(end - start)
    assert code_of(bytes(data)) == "corrupt"


@pytest.mark.parametrize("photometric", ["rgb", "ycbcr", "minisblack"])
def test_a_jpeg_strip_with_half_of_its_pixels_and_an_end_is_corrupt(photometric: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    data = bytearray(tiff(noise if photometric != "minisblack" else noise[..., 0], photometric, compression="jpeg"))
    start, end = extents(bytes(data))[0]
    middle = (start + end) // 2
    data[middle:end] = b"\xff\xd9" + bytes(end - middle - 2)
    assert code_of(bytes(data)) == "corrupt"


def test_a_wrong_checksum_of_deflate_is_corrupt() -> None:
    stream = bytearray(zlib.compress(bytes(range(24)), 0))
    stream[-10] ^= 1
    assert code_of(plain({259: 8}, bytes(stream))) == "corrupt"


def test_a_strip_that_is_not_listed_or_has_no_bytes_is_corrupt() -> None:
    assert code_of(plain({278: 1})) == "corrupt"
    assert code_of(plain({259: LZW, 273: 0, 279: 0})) == "corrupt"


def test_a_tile_larger_than_any_picture_is_corrupt() -> None:
    assert code_of(plain({322: 1 << 20, 323: 1 << 20})) == "corrupt"


@pytest.mark.parametrize("compression", ["webp", "jpeg2000", "jpeg"])
def test_a_strip_of_another_size_than_the_picture_is_corrupt(compression: str) -> None:
    data = tiff(np.tile(SCENE, (4, 4, 1)), "rgb", compression=compression)
    assert code_of(tiff_with_tag(tiff_with_tag(data, 257, 257, 5), ROWS_PER_STRIP, ROWS_PER_STRIP, 5)) == "corrupt"
