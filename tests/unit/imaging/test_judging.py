"""What the judging network is shown: the same of every picture, whatever its size, depth and transparency."""

import numpy as np
import pytest

from darkroom.imaging.measurement.score_input import MAX_PIXELS, PARTS, PATCH_SIDE, patches, prepare, verdict
from darkroom.imaging.picture import Picture, to_float


def noise(height: int, width: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (95, 97), (96, 96), (300, 200), (1000, 1400)])
def test_up_to_sixteen_patches_are_cut_from_any_size(size: tuple[int, int]) -> None:
    cut = patches(noise(*size))
    rows, columns = (min(4, -(-side // PATCH_SIDE)) for side in size)
    assert cut.shape == (rows * columns, 3, PATCH_SIDE, PATCH_SIDE)
    assert cut.dtype == np.float32
    assert cut.min() >= 0.0
    assert cut.max() <= 1.0


def test_patches_reach_across_the_picture_and_keep_the_grid_of_jpeg_blocks() -> None:
    pixels = np.zeros((251, 243, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(251)[:, np.newaxis], np.arange(243)
    corners = np.rint(255 * patches(pixels)[:, :2, 0, 0]).astype(int).tolist()
    assert corners == [[top, left] for top in (0, 72, 152) for left in (0, 72, 144)]
    assert np.array_equal(patches(pixels)[0], to_float(pixels[:96, :96]).transpose(2, 0, 1))


def test_sixteen_bits_are_seen_as_eight_are() -> None:
    pixels = noise(120, 130)
    assert np.abs(patches(pixels.astype(np.uint16) * 257) - patches(pixels)).max() < 1e-6


def test_a_picture_of_usual_size_is_seen_as_it_is() -> None:
    pixels = noise(600, 800)
    assert prepare(Picture(pixels=pixels)) is pixels
    assert prepare(Picture(pixels=pixels), 600 * 800) is pixels
    assert prepare(Picture(pixels=pixels), 4 * 600 * 800) is pixels


def test_a_large_picture_is_seen_at_the_size_of_a_screen() -> None:
    height, width = prepare(Picture(pixels=np.zeros((3000, 2000, 3), np.uint8))).shape[:2]
    assert (height, width) == (1500, 1000)
    assert height * width <= MAX_PIXELS


def test_an_enlarged_picture_is_seen_at_the_size_of_its_upload() -> None:
    small = noise(40, 60)
    enlarged = Picture(pixels=small.repeat(2, axis=0).repeat(2, axis=1))
    assert np.array_equal(prepare(enlarged, 40 * 60), small)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparent_parts_lie_on_white(dtype: type) -> None:
    full = np.iinfo(dtype).max
    pixels, alpha = noise(30, 30, dtype), np.full((30, 30), full, dtype)
    alpha[:10], alpha[10:20] = 0, full // 2
    shown = prepare(Picture(pixels=pixels, alpha=alpha))
    assert shown.dtype == dtype
    assert (shown[:10] == full).all()
    assert np.abs(shown[10:20].astype(float) - (full + pixels[10:20].astype(float)) / 2).max() <= full / 200
    assert np.array_equal(shown[20:], pixels[20:])


def test_numbers_become_a_score_within_its_limits() -> None:
    read = {"quality": np.array([104.2], np.float32), "parts": np.array([-3, 10.04, 50, 99.96, 130], np.float32)}
    found = verdict(read)
    assert found.value == 100.0
    assert dict(found.parts) == dict(zip(PARTS, (0.0, 10.0, 50.0, 100.0, 100.0), strict=True))


def test_a_network_of_ones_own_need_not_tell_parts() -> None:
    found = verdict({"mean_opinion": np.array([61.26], np.float32)})
    assert (found.value, dict(found.parts)) == (61.3, {})
