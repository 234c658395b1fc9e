"""Tests that a target size is met from below, and the note if it cannot be met."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data as photographs

from darkroom.imaging.codec import Encoded, EncodeOptions, Metadata, OutputFormat, decode, encode, read_metadata
from darkroom.imaging.codec.target_size import best_below
from darkroom.imaging.picture import Picture
from tests import pictures
from tests.unit.imaging.test_encode import sampling_of

PHOTOGRAPH = Picture(pixels=photographs.astronaut())


def steered(name: OutputFormat, target_size_kb: int, **options: object) -> Encoded:
    return encode(PHOTOGRAPH, EncodeOptions(format=name, target_size_kb=target_size_kb, **options), Metadata())


@pytest.mark.parametrize(
    ("name", "target"),
    [("jpeg", kb) for kb in (8, 12, 20, 35, 60, 120, 250)]
    + [("webp", kb) for kb in (10, 20, 50, 100)]
    + [("avif", kb) for kb in (10, 40)],
)
def test_a_reachable_size_is_met_from_below_within_ten_percent(name: OutputFormat, target: int) -> None:
    encoded = steered(name, target)
    assert 0.9 * target * 1000 <= len(encoded.data) <= target * 1000
    assert encoded.notes == ()
    assert decode(encoded.data).picture.width == PHOTOGRAPH.width


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif"])
def test_a_size_below_the_lowest_quality_is_said_to_be_out_of_reach(name: OutputFormat) -> None:
    encoded = steered(name, 2)
    assert encoded.quality == 1
    assert len(encoded.data) > 2000
    assert f"{len(encoded.data) / 1000:.1f} kB, the target was 2 kB: a smaller picture is needed" in encoded.notes[0]


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif"])
def test_a_size_above_the_highest_quality_gives_that_quality_and_a_note(name: OutputFormat) -> None:
    encoded = steered(name, 5000)
    assert encoded.quality == 100
    assert "less than the target of 5000 kB" in encoded.notes[0]


def test_the_quality_asked_for_is_the_highest_that_a_target_may_use() -> None:
    encoded = steered("jpeg", 5000, quality=70)
    assert encoded.quality == 70
    assert encoded.data == encode(PHOTOGRAPH, EncodeOptions(format="jpeg", quality=70), Metadata()).data
    assert steered("jpeg", 20, quality=70).quality < 70


@pytest.mark.parametrize("name", ["png", "tiff"])
def test_a_format_without_quality_says_so_only_if_the_file_is_too_large(name: OutputFormat) -> None:
    assert "has no quality to steer by" in steered(name, 100).notes[0]
    assert steered(name, 2000).notes == ()


def test_a_lossless_webp_is_not_steered() -> None:
    encoded = steered("webp", 50, lossless=True)
    assert "lossless WebP has no quality to steer by" in encoded.notes[0]
    assert np.array_equal(decode(encoded.data).picture.pixels, PHOTOGRAPH.pixels)


def test_jpeg_gives_up_full_chroma_only_for_small_targets() -> None:
    assert sampling_of(steered("jpeg", 60).data) == (1, 1)
    assert sampling_of(steered("jpeg", 12).data) == (2, 2)


def test_descriptions_count_towards_the_target() -> None:
    metadata = Metadata(xmp=b"<x:xmpmeta>" + b" " * 9000 + b"</x:xmpmeta>")
    encoded = encode(PHOTOGRAPH, EncodeOptions(format="jpeg", target_size_kb=30), metadata)
    assert 27_000 <= len(encoded.data) <= 30_000
    assert read_metadata(encoded.data).xmp == metadata.xmp


def test_a_tiny_picture_whose_steps_are_coarse_says_what_it_reached() -> None:
    picture = Picture(pixels=pictures.scene(8, 8))
    plain = len(encode(picture, EncodeOptions(format="jpeg", quality=100), Metadata()).data)
    assert plain < 2000
    encoded = encode(picture, EncodeOptions(format="jpeg", target_size_kb=1), Metadata())
    assert len(encoded.data) <= 1000 or "smaller picture is needed" in encoded.notes[0]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.floats(1.0, 1e6),
    st.floats(0.001, 0.2),
    st.integers(1, 3_000_000),
    st.sampled_from([0.25, 1.0]),
    st.floats(0.0, 1.0),
)
def test_the_search_finds_a_file_below_the_limit_in_few_steps(
    base: float, growth: float, limit: int, step: float, bend: float
) -> None:
    tried: list[float] = []

    def write(quality: float) -> bytes:
        tried.append(quality)
        return bytes(min(int(base * math.exp(growth * quality + bend * (quality / 40) ** 3)), 4_000_000))

    found = best_below(write, limit, low=1, high=100, step=step)
    assert len(tried) <= 40
    if found is None:
        assert len(write(1)) > limit
        return
    assert found.size <= limit
    one_step_up = len(write(min(found.quality + step, 100)))
    assert found.size >= 0.97 * limit or one_step_up > limit or found.quality == 100
