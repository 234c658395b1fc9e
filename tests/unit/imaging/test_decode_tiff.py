"""Tests which sample types of TIFF are read, how, and which are rejected by name."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tifffile

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec import decode
from darkroom.imaging.codec.metadata import ifd
from darkroom.imaging.codec.metadata.orientation import apply_orientation
from tests import pictures


def tiff(values: np.ndarray, photometric: str = "minisblack", **options: Any) -> bytes:
    sink = BytesIO()
    tifffile.imwrite(sink, np.ascontiguousarray(values), photometric=photometric, **options)
    return sink.getvalue()


def plain(tags: dict[int, int], samples: bytes = bytes(24)) -> bytes:
    """An uncompressed grey TIFF of 4 rows of 6 samples, written by hand, with `tags` added or changed."""
    layout = {256: 6, 257: 4, 258: 8, 259: 1, 262: 1, 273: ifd.HEADER_BYTES, 277: 1, 278: 4, 279: 24}
    entries = {tag: ifd.long("<", value) for tag, value in (layout | tags).items()}
    return ifd.write_tree(ifd.Directory(order="<", entries=entries), between=samples)


COLOR = pictures.scene16()
GREY = np.ascontiguousarray(COLOR[..., 0])


def stacked(grey: np.ndarray) -> np.ndarray:
    return np.dstack((grey, grey, grey))


EXACT = {
    "16-bit RGB": (tiff(COLOR, "rgb"), COLOR),
    "16-bit RGB, big endian": (tiff(COLOR, "rgb", byteorder=">"), COLOR),
    "16-bit RGB, BigTIFF": (tiff(COLOR, "rgb", bigtiff=True), COLOR),
    "16-bit RGB in tiles": (tiff(np.tile(COLOR, (4, 4, 1)), "rgb", tile=(32, 32)), np.tile(COLOR, (4, 4, 1))),
    "16-bit grey": (tiff(GREY), stacked(GREY)),
    "16-bit grey, white is zero": (tiff(GREY, "miniswhite"), stacked(65535 - GREY)),
    "32-bit unsigned": (tiff(GREY.astype(np.uint32) << 16), stacked(GREY)),
    "64-bit float": (tiff(GREY / 65535), stacked(GREY)),
    "32-bit float RGB": (tiff((COLOR / 65535).astype(np.float32), "rgb"), COLOR),
    "8-bit RGB in separate planes": (
        tiff(pictures.scene().transpose(2, 0, 1), "rgb", planarconfig="separate"),
        pictures.scene(),
    ),
}


@pytest.mark.parametrize("kind", sorted(EXACT))
def test_samples_of_this_kind_are_read_exactly(kind: str) -> None:
    data, expected = EXACT[kind]
    pixels = decode(data).picture.pixels
    assert pixels.dtype == expected.dtype
    assert np.array_equal(pixels, expected)


@pytest.mark.parametrize("value", range(1, 9))
def test_sixteen_bit_pictures_are_turned_upright_too(value: int) -> None:
    orientation = [(274, 3, 1, value, True)]
    assert np.array_equal(
        decode(tiff(COLOR, "rgb", extratags=orientation)).picture.pixels, apply_orientation(COLOR, value)
    )
    assert np.array_equal(
        decode(tiff(GREY, extratags=orientation)).picture.pixels, stacked(apply_orientation(GREY, value))
    )


def test_twelve_bits_fill_the_range_of_sixteen() -> None:
    values = np.arange(24).reshape(4, 6) * 178
    bits = "".join(f"{value:012b}" for value in values.ravel())
    packed = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    decoded = decode(plain({258: 12, 279: len(packed)}, packed))
    assert decoded.bits == 12
    assert np.array_equal(decoded.picture.pixels, stacked(np.rint(values * (65535 / 4095))))


def test_premultiplied_alpha_is_divided_out() -> None:
    straight = pictures.scene16(channels=4)
    alpha = straight[..., 3:].astype(np.uint64)
    stored = straight.copy()
    stored[..., :3] = (straight[..., :3] * alpha + 32767) // 65535
    picture = decode(tiff(stored, "rgb", extrasamples=["assocalpha"])).picture
    solid = straight[..., 3] > 30000
    error = np.abs(picture.pixels.astype(int) - straight[..., :3])[solid]
    assert error.max() <= 2
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, straight[..., 3])


def test_floats_outside_the_range_are_clipped_and_the_note_has_the_range() -> None:
    values = np.linspace(-0.5, 2.0, 48 * 64).reshape(48, 64).astype(np.float32)
    decoded = decode(pictures.float_tiff(values))
    assert decoded.notes == ("float samples from -0.5 to 2 were clipped to the range 0 to 1",)
    assert decoded.picture.pixels.min() == 0
    assert decoded.picture.pixels.max() == 65535


def test_negative_integers_become_black_and_the_note_has_the_lowest() -> None:
    values = np.array([[-5, 0], [100, 32767]], np.int16)
    decoded = decode(tiff(values))
    assert decoded.picture.pixels[..., 0].tolist() == [[0, 0], [200, 65535]]
    assert "down to -5" in decoded.notes[0]


def test_sixteen_bit_cmyk_is_read_with_eight_and_says_so() -> None:
    decoded = decode(tiff(pictures.scene16(channels=4), "separated"))
    assert decoded.bits == 16
    assert decoded.picture.bits == 8
    assert any("read with 8 bits" in note for note in decoded.notes)


REFUSED = {
    "half floats": tiff((GREY / 65535).astype(np.float16)),
    "16-bit grey with alpha": tiff(pictures.scene16(channels=2), extrasamples=["unassalpha"]),
    "16-bit separate planes": tiff(COLOR.transpose(2, 0, 1), "rgb", planarconfig="separate"),
    "a DNG": tiff(pictures.scene(), "rgb", extratags=[(50706, 1, 4, bytes([1, 4, 0, 0]), True)]),
    "a preview with the raw picture below": plain({254: 1, 330: ifd.HEADER_BYTES}),
}


def test_the_hand_written_tiff_is_good_without_the_marks_of_a_raw_file() -> None:
    assert decode(plain({})).mode == "grey"


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_samples_that_nothing_reads_rightly_are_refused(kind: str) -> None:
    with pytest.raises(BadImage) as caught:
        decode(REFUSED[kind])
    assert caught.value.code == "unsupported_format"


@pytest.mark.parametrize("kind", ["16-bit RGB", "16-bit grey", "64-bit float", "16-bit RGB in tiles"])
def test_half_a_tiff_is_truncated(kind: str) -> None:
    data = EXACT[kind][0]
    with pytest.raises(BadImage) as caught:
        decode(data[: len(data) * 2 // 3])
    assert caught.value.code == "truncated"
