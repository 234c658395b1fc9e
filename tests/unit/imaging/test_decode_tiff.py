"""Tests which sample types of TIFF are read, how, and which are rejected by name."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec import decode
from darkroom.imaging.codec.metadata import ifd
from darkroom.imaging.codec.metadata.orientation import apply_orientation
from tests import pictures
from tests.tiffs import plain, tiff, tiff_with_tag

COLOR = pictures.scene16()
WITH_ALPHA = pictures.scene16(channels=4)
GREY = np.ascontiguousarray(COLOR[..., 0])
SCENE = pictures.scene()
SCENE_WITH_ALPHA = pictures.scene_with_alpha()
GREY_SCENE = np.ascontiguousarray(SCENE[..., 1])


def stacked(grey: np.ndarray) -> np.ndarray:
    return np.dstack((grey, grey, grey))


def planes(values: np.ndarray) -> np.ndarray:
    return values.transpose(2, 0, 1)


EXACT = {
    "16-bit RGB": (tiff(COLOR, "rgb"), COLOR),
    "16-bit RGB, big endian": (tiff(COLOR, "rgb", byteorder=">"), COLOR),
    "16-bit RGB, BigTIFF": (tiff(COLOR, "rgb", bigtiff=True), COLOR),
    "8-bit grey, BigTIFF, big endian": (tiff(GREY_SCENE, bigtiff=True, byteorder=">"), stacked(GREY_SCENE)),
    "16-bit RGB in tiles": (tiff(np.tile(COLOR, (4, 4, 1)), "rgb", tile=(32, 32)), np.tile(COLOR, (4, 4, 1))),
    "16-bit grey": (tiff(GREY), stacked(GREY)),
    "16-bit grey, white is zero": (tiff(GREY, "miniswhite"), stacked(65535 - GREY)),
    "8-bit grey, white is zero": (tiff(GREY_SCENE, "miniswhite"), stacked(255 - GREY_SCENE)),
    "32-bit unsigned": (tiff(GREY.astype(np.uint32) << 16), stacked(GREY)),
    "32-bit unsigned RGB": (tiff(COLOR.astype(np.uint32) << 16, "rgb"), COLOR),
    "32-bit signed RGB": (tiff(COLOR.astype(np.int32) << 15, "rgb"), COLOR),
    "64-bit unsigned": (tiff(GREY.astype(np.uint64) << 48), stacked(GREY)),
    "64-bit float": (tiff(GREY / 65535), stacked(GREY)),
    "64-bit float RGB, big endian": (tiff(COLOR / 65535, "rgb", byteorder=">"), COLOR),
    "32-bit float RGB": (tiff((COLOR / 65535).astype(np.float32), "rgb"), COLOR),
    "32-bit float RGB in separate planes": (
        tiff(planes((COLOR / 65535).astype(np.float32)), "rgb", planarconfig="separate"),
        COLOR,
    ),
    "8-bit RGB in separate planes": (tiff(planes(SCENE), "rgb", planarconfig="separate"), SCENE),
    "16-bit RGB in separate planes": (tiff(planes(COLOR), "rgb", planarconfig="separate"), COLOR),
    "a palette": (
        tiff(np.arange(256, dtype=np.uint8).reshape(16, 16), "palette", colormap=COLOR[:4].reshape(256, 3).T),
        (COLOR[:4].reshape(16, 16, 3) >> 8).astype(np.uint8),
    ),
    "a palette of 8-bit values": (
        tiff(GREY_SCENE, "palette", colormap=stacked(np.arange(256, dtype=np.uint16))[0].T),
        stacked(GREY_SCENE),
    ),
}


@pytest.mark.parametrize("kind", sorted(EXACT))
def test_samples_of_this_kind_are_read_exactly(kind: str) -> None:
    data, expected = EXACT[kind]
    decoded = decode(data)
    assert decoded.picture.pixels.dtype == expected.dtype
    assert np.array_equal(decoded.picture.pixels, expected)
    assert decoded.notes == ()


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 7, 9, 10, 12, 14, 15])
def test_samples_of_any_number_of_bits_fill_the_range_of_8_or_16(bits: int, photometric: str) -> None:
    top, full = (1 << bits) - 1, 255 if bits <= 8 else 65535
    values = (np.arange(63).reshape(7, 9) * 37) % (top + 1)
    stored = values.astype(bool if bits == 1 else np.uint8 if bits <= 8 else np.uint16)
    decoded = decode(tiff(stored, photometric, bitspersample=bits, rowsperstrip=2))
    expected = (values * full + top // 2) // top
    assert decoded.bits == bits
    assert np.array_equal(decoded.picture.pixels, stacked(full - expected if photometric == "miniswhite" else expected))


def packed(values: np.ndarray, bits: int) -> bytes:
    """Rows of samples, the highest bit first, each row up to a full byte."""
    rows = ("".join(f"{value:0{bits}b}" for value in row.ravel()) for row in values)
    return b"".join(int(row.ljust(-(-len(row) // 8) * 8, "0"), 2).to_bytes(-(-len(row) // 8), "big") for row in rows)


@pytest.mark.parametrize("order", ["<", ">"])
def test_twelve_bits_of_a_sample_stand_in_the_same_order_in_either_byte_order(order: ifd.Order) -> None:
    values = np.arange(4 * 6 * 3).reshape(4, 6, 3) * 57
    layout = {256: 6, 257: 4, 259: 1, 262: 2, 273: 8, 277: 3, 278: 4, 279: len(packed(values, 12))}
    entries = {tag: ifd.long(order, value) for tag, value in layout.items()} | {258: ifd.short(order, 12, 12, 12)}
    data = ifd.write_tree(ifd.Directory(order=order, entries=entries), between=packed(values, 12))
    decoded = decode(data)
    assert decoded.bits == 12
    assert np.array_equal(decoded.picture.pixels, np.rint(values * (65535 / 4095)))


@pytest.mark.parametrize("value", range(1, 9))
def test_pictures_of_every_depth_are_turned_upright(value: int) -> None:
    orientation = [(274, 3, 1, value, True)]
    for stored in (COLOR, SCENE):
        pixels = decode(tiff(stored, "rgb", extratags=orientation)).picture.pixels
        assert np.array_equal(pixels, apply_orientation(stored, value))
    pixels = decode(tiff(GREY, extratags=orientation)).picture.pixels
    assert np.array_equal(pixels, stacked(apply_orientation(GREY, value)))


def test_an_orientation_stored_as_a_byte_turns_the_picture() -> None:
    entry = ifd.Entry(kind=1, count=1, value=b"\x06")
    picture = decode(plain({274: entry}, bytes(range(24)))).picture
    stored = np.arange(24, dtype=np.uint8).reshape(4, 6)
    assert np.array_equal(picture.pixels, stacked(apply_orientation(stored, 6)))


# Signs and floats


def test_negative_integers_become_black_and_the_note_has_the_lowest() -> None:
    decoded = decode(tiff(np.array([[-5, 0], [100, 32767]], np.int16)))
    assert decoded.picture.pixels[..., 0].tolist() == [[0, 0], [200, 65535]]
    assert decoded.notes == ("signed 16-bit samples: negative values (down to -5) became black",)


def test_signed_bytes_are_signed() -> None:
    decoded = decode(tiff(np.array([[-128, -64, -1, 0, 64, 127]], np.int8)))
    assert decoded.picture.pixels[..., 0].tolist() == [[0, 0, 0, 0, 129, 255]]
    assert decoded.notes == ("signed 8-bit samples: negative values (down to -128) became black",)
    colors = decode(tiff(np.array([[[-128, 0, 127]]], np.int8), "rgb"))
    assert colors.picture.pixels.tolist() == [[[0, 0, 255]]]


def test_signed_samples_of_an_odd_length_are_signed() -> None:
    values = np.array([[-2048, -1, 0, 1, 1024, 2047]] * 4)
    decoded = decode(plain({258: 12, 339: 2}, packed(values & 0xFFF, 12)))
    assert decoded.picture.pixels[0, :, 0].tolist() == [0, 0, 0, 32, 32784, 65535]


def test_half_floats_are_read() -> None:
    values = (SCENE / 255).astype(np.float16)
    expected = np.rint(values.astype(np.float32) * np.float32(65535))
    assert np.array_equal(decode(tiff(values, "rgb")).picture.pixels, expected)


def test_floats_outside_the_range_are_clipped_and_the_note_has_the_range() -> None:
    values = np.linspace(-0.5, 2.0, 48 * 64).reshape(48, 64).astype(np.float32)
    decoded = decode(pictures.float_tiff(values))
    assert decoded.notes == ("float samples from -0.5 to 2 were clipped to the range 0 to 1",)
    assert decoded.picture.pixels.min() == 0
    assert decoded.picture.pixels.max() == 65535


# Alpha and other channels beside the colours

STRAIGHT = {
    "8-bit RGB": (SCENE_WITH_ALPHA, "rgb"),
    "16-bit RGB": (WITH_ALPHA, "rgb"),
    "8-bit grey": (np.ascontiguousarray(SCENE_WITH_ALPHA[..., [1, 3]]), "minisblack"),
    "16-bit grey": (np.ascontiguousarray(WITH_ALPHA[..., [0, 3]]), "minisblack"),
}


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("kind", sorted(STRAIGHT))
def test_a_channel_that_the_file_calls_alpha_is_alpha(kind: str, separate: bool) -> None:
    stored, photometric = STRAIGHT[kind]
    options: dict[str, Any] = {"planarconfig": "separate" if separate else "contig", "extrasamples": ["unassalpha"]}
    picture = decode(tiff(planes(stored) if separate else stored, photometric, **options)).picture
    colors = stored[..., :3] if photometric == "rgb" else stacked(stored[..., 0])
    assert np.array_equal(picture.pixels, colors)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, stored[..., -1])


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("kind", sorted(STRAIGHT))
def test_a_channel_without_a_meaning_is_left_out_with_a_note_at_every_depth(kind: str, stated: bool) -> None:
    stored, photometric = STRAIGHT[kind]
    data = tiff(stored, photometric, extrasamples=["unspecified"], planarconfig="contig")
    decoded = decode(data if stated else tiff_with_tag(data, 338, 65000))
    count = stored.shape[2]
    note = f"1 of {count} channels left out: the file does not say that they are colour or transparency"
    assert decoded.notes == (note,)
    assert decoded.picture.alpha is None
    assert np.array_equal(decoded.picture.pixels, stored[..., :3] if photometric == "rgb" else stacked(stored[..., 0]))


def test_the_alpha_channel_is_found_behind_others() -> None:
    stored = np.dstack((SCENE, GREY_SCENE, SCENE_WITH_ALPHA[..., 3]))
    decoded = decode(tiff(stored, "rgb", extrasamples=["unspecified", "unassalpha"]))
    assert np.array_equal(decoded.picture.pixels, SCENE)
    assert decoded.picture.alpha is not None
    assert np.array_equal(decoded.picture.alpha, SCENE_WITH_ALPHA[..., 3])
    assert decoded.notes[0].startswith("1 of 5 channels left out")


@pytest.mark.parametrize("straight", [SCENE_WITH_ALPHA, WITH_ALPHA], ids=["8 bits", "16 bits"])
def test_premultiplied_alpha_is_divided_out(straight: np.ndarray) -> None:
    top = np.iinfo(straight.dtype).max
    stored = straight.copy()
    stored[..., :3] = (straight[..., :3].astype(np.uint64) * straight[..., 3:] + top // 2) // top
    picture = decode(tiff(stored, "rgb", extrasamples=["assocalpha"])).picture
    solid = straight[..., 3] > 0.45 * top
    error = np.abs(picture.pixels.astype(int) - straight[..., :3])[solid]
    assert error.max() <= 2
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, straight[..., 3])


def test_a_palette_may_have_alpha() -> None:
    stored = np.ascontiguousarray(SCENE_WITH_ALPHA[..., [1, 3]])
    colors = stacked(np.arange(256, dtype=np.uint16) * 257)[0].T
    data = plain(
        {256: 64, 257: 48, 258: (8, 8), 262: 3, 277: 2, 278: 48, 320: colors.ravel().tolist(), 338: 2}, stored.tobytes()
    )
    picture = decode(data).picture
    assert np.array_equal(picture.pixels, stacked(GREY_SCENE))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, SCENE_WITH_ALPHA[..., 3])


# CMYK, Lab and YCbCr

CMYK = np.asarray(Image.fromarray(SCENE).convert("CMYK"))
AS_RGB = np.asarray(Image.fromarray(CMYK, "CMYK").convert("RGB"))


@pytest.mark.parametrize("kind", ["16-bit", "float"])
def test_cmyk_of_more_than_8_bits_is_read_with_eight_and_says_so(kind: str) -> None:
    stored = CMYK.astype(np.uint16) * 257 if kind == "16-bit" else (CMYK / 255).astype(np.float32)
    decoded = decode(tiff(stored, "separated"))
    assert decoded.picture.bits == 8
    assert np.array_equal(decoded.picture.pixels, AS_RGB)
    assert any("read with 8 bits" in note for note in decoded.notes)


def test_cmyk_may_have_alpha_and_separate_planes() -> None:
    stored = np.dstack((CMYK, SCENE_WITH_ALPHA[..., 3]))
    data = tiff(planes(stored), "separated", planarconfig="separate", extrasamples=["unassalpha"])
    picture = decode(data).picture
    assert np.array_equal(picture.pixels, AS_RGB)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, SCENE_WITH_ALPHA[..., 3])


#: XYZ with white D50 from linear sRGB. Source: the sRGB profile of the ICC.
_XYZ = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]]) / np.array(
    [[0.9642], [1.0], [0.8249]]
)


def lab_of(rgb: np.ndarray) -> np.ndarray:
    """CIE Lab of white D50 from sRGB, as floats."""
    encoded = rgb / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _XYZ.T
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.dstack((116 * y - 16, 500 * (x - y), 200 * (y - z)))


@pytest.mark.parametrize("photometric", ["cielab", "icclab"])
@pytest.mark.parametrize(("bits", "tolerance"), [(8, 9), (16, 0.6)])
def test_lab_is_read_by_its_definition(photometric: str, bits: int, tolerance: float) -> None:
    lab, unit, dtype = lab_of(SCENE), 1 << (bits - 8), np.uint8 if bits == 8 else np.uint16
    white = (1 << bits) - 1 if photometric == "cielab" or bits == 8 else 0xFF00
    zero = 0 if photometric == "cielab" else 1 << (bits - 1)
    amounts = np.rint(lab * [white / 100, unit, unit]) + np.array([0, zero, zero])
    stored = (amounts.astype(np.int64) % (1 << bits)).astype(dtype)
    decoded = decode(tiff(stored, photometric))
    assert decoded.mode == "lab"
    full = np.iinfo(dtype).max / 255
    assert np.abs(decoded.picture.pixels / full - SCENE).max() <= tolerance
    with_alpha = tiff(np.dstack((stored, stored[..., 0])), photometric, extrasamples=["unassalpha"])
    picture = decode(with_alpha).picture
    assert np.array_equal(picture.pixels, decoded.picture.pixels)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, stored[..., 0])


YCC = np.asarray(Image.fromarray(SCENE).convert("YCbCr"))


@pytest.mark.parametrize("separate", [False, True])
def test_ycbcr_without_compression_is_read(separate: bool) -> None:
    options = {"planarconfig": "separate"} if separate else {}
    decoded = decode(tiff(planes(YCC) if separate else YCC, "ycbcr", **options))
    assert decoded.mode == "ycbcr"
    assert np.abs(decoded.picture.pixels.astype(int) - SCENE).max() <= 3


@pytest.mark.parametrize(("across", "down"), [(2, 2), (2, 1), (4, 2), (1, 2), (4, 4)])
def test_chroma_of_fewer_samples_is_spread_over_its_pixels(across: int, down: int) -> None:
    luma = np.arange(70, dtype=np.uint8).reshape(7, 10) * 3
    rows, columns = -(-7 // down), -(-10 // across)
    chroma = np.full((rows, columns, 2), 90, np.uint8)
    chroma[..., 1] = 100 + np.arange(columns)
    padded = np.pad(luma, ((0, rows * down - 7), (0, columns * across - 10)), mode="edge")
    units = padded.reshape(rows, down, columns, across).swapaxes(1, 2).reshape(rows, columns, down * across)
    data = plain(
        {256: 10, 257: 7, 258: (8, 8, 8), 262: 6, 277: 3, 278: 7, 530: (across, down)},
        np.dstack((units, chroma)).tobytes(),
    )
    spread = chroma.repeat(down, axis=0).repeat(across, axis=1)[:7, :10]
    expected = np.asarray(Image.fromarray(np.dstack((luma, spread)), "YCbCr").convert("RGB"))
    assert np.abs(decode(data).picture.pixels.astype(int) - expected).max() <= 1


def rationals(*values: float) -> ifd.Entry:
    packed_values = b"".join(ifd.rational("<", each).value for each in values)
    return ifd.Entry(kind=ifd.RATIONAL, count=len(values), value=packed_values)


def test_the_range_and_the_coefficients_that_the_file_states_rule() -> None:
    reference = rationals(16, 235, 128, 240, 128, 240)
    bt_709 = rationals(0.213, 0.715, 0.072)
    samples = bytes([16, 128, 128] * 6 + [235, 128, 128] * 6 + [63, 102, 240] * 6 + [16, 128, 128] * 6)
    tags = {258: (8, 8, 8), 262: 6, 277: 3, 530: (1, 1), 529: bt_709, 532: reference}
    pixels = decode(plain(tags, samples)).picture.pixels
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[1, 0].tolist() == [255, 255, 255]
    # Pure red in BT.709 of limited range.
    assert np.abs(pixels[2, 0].astype(int) - [255, 0, 0]).max() <= 2


# What is refused

REFUSED = {
    "complex samples": (tiff(GREY.astype(np.complex64)), "complex"),
    "channels of different length": (plain({258: (5, 6, 5), 262: 2, 277: 3}), "bits per sample (5, 6, 5)"),
    "a colour filter array": (plain({262: 32803}), "raw file"),
    "linear raw samples": (plain({262: 34892}), "raw file"),
    "LogLuv": (plain({262: 32845}), "photometric interpretation 32845"),
    "RGB of two samples": (plain({262: 2, 277: 2}), "photometric interpretation 2 with 2 samples"),
    "Lab of 12 bits": (plain({258: (12, 12, 12), 262: 8, 277: 3}), "12-bit unsigned samples of Lab"),
    "a hundred channels": (plain({277: 100}), "100 samples per pixel"),
    "JBIG": (plain({259: 34661}), "JBIG (34661)"),
    "JPEG XL": (plain({259: 50002}), "JPEG XL (50002)"),
    "an unknown compression": (plain({259: 54321}), "compression (54321)"),
    "an unknown predictor": (plain({259: 5, 317: 7}), "predictor 7"),
    "a DNG": (tiff(SCENE, "rgb", extratags=[(50706, 1, 4, bytes([1, 4, 0, 0]), True)]), "raw file"),
    "a preview with the raw picture below": (plain({254: 1, 330: ifd.HEADER_BYTES}), "raw file"),
}


def test_the_hand_written_tiff_is_good_without_the_marks_of_a_raw_file() -> None:
    assert decode(plain({})).mode == "grey"


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_kinds_that_nothing_reads_rightly_are_refused_by_name(kind: str) -> None:
    data, name = REFUSED[kind]
    with pytest.raises(BadImage) as caught:
        decode(data)
    assert caught.value.code == "unsupported_format"
    assert name in str(caught.value)
