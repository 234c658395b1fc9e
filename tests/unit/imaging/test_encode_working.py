"""Tests that the file between two stages is lossless."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage import data as photographs

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec import decode_working, encode_working, working_extension
from darkroom.imaging.picture import Picture
from tests import pictures


@st.composite
def any_picture(draw: st.DrawFn) -> Picture:
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    pixels = draw(arrays.arrays(dtype, (height, width, 3)))
    alpha = draw(st.none() | arrays.arrays(dtype, (height, width)))
    return Picture(pixels=pixels, alpha=alpha)


def travelled(picture: Picture) -> Picture:
    extension = working_extension(picture.bits, picture.height, picture.width)
    return decode_working(encode_working(picture, extension))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(any_picture())
def test_every_picture_arrives_bit_for_bit(picture: Picture) -> None:
    arrived = travelled(picture)
    assert arrived.pixels.dtype == picture.pixels.dtype
    assert np.array_equal(arrived.pixels, picture.pixels)
    opaque = picture.alpha is None or bool((picture.alpha == np.iinfo(picture.alpha.dtype).max).all())
    if opaque:
        assert arrived.alpha is None
    else:
        assert arrived.alpha is not None
        assert np.array_equal(arrived.alpha, picture.alpha)


def test_colours_below_transparent_pixels_arrive() -> None:
    stored = pictures.scene_with_alpha()
    arrived = travelled(Picture(pixels=stored[..., :3].copy(), alpha=stored[..., 3].copy()))
    assert np.array_equal(arrived.pixels, stored[..., :3])


@pytest.mark.parametrize("extension", ["webp", "png"])
def test_a_photograph_arrives_in_both_forms(extension: str) -> None:
    picture = Picture(pixels=photographs.coffee())
    assert np.array_equal(decode_working(encode_working(picture, extension)).pixels, picture.pixels)


def test_the_form_follows_depth_and_size() -> None:
    assert working_extension(8, 100, 16383) == "webp"
    assert working_extension(8, 16384, 1) == "png"
    assert working_extension(16, 10, 10) == "png"


@pytest.mark.parametrize("shape", [(1, 16383), (16384, 2)])
def test_the_longest_pictures_arrive(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert np.array_equal(travelled(Picture(pixels=pixels)).pixels, pixels)


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4, 3), np.uint16), np.zeros((1, 16384, 3), np.uint8)], ids=["16 bits", "too wide"]
)
def test_webp_is_refused_what_it_cannot_hold(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="WebP cannot hold"):
        encode_working(Picture(pixels=pixels), "webp")


def test_the_same_picture_gives_the_same_bytes() -> None:
    picture = Picture(pixels=pictures.scene())
    assert encode_working(picture, "webp") == encode_working(picture, "webp")


@pytest.mark.parametrize("damage", [b"", b"rubbish", encode_working(Picture(pixels=pictures.scene()), "png")[:200]])
def test_a_damaged_artifact_is_a_bad_image(damage: bytes) -> None:
    with pytest.raises(BadImage):
        decode_working(damage)
