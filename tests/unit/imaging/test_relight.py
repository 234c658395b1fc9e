"""Light is changed smoothly over the whole picture, in windows that leave no seam."""

import numpy as np
import pytest

from darkroom.imaging.color import linear_from_pixels
from darkroom.imaging.surface import surface
from darkroom.imaging.tiling import Region
from darkroom.imaging.tone.relight import SIDE, relit

NO_VEIL = np.zeros((3, 1, 1), np.float32)


def whole(height: int, width: int) -> Region:
    return Region(row=0, column=0, height=height, width=width)


def some_grid(cells: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (3, cells, cells)).astype(np.float32)


def test_a_surface_stays_within_its_grid_and_has_its_mean() -> None:
    grid = some_grid(8)
    smooth = surface(grid, whole(200, 300), (200, 300))
    assert grid.min() <= smooth.min() < smooth.max() <= grid.max()
    assert smooth.mean() == pytest.approx(grid.mean(), abs=0.05)


def test_a_part_of_a_surface_is_that_part_of_the_whole() -> None:
    grid, region = some_grid(8), Region(row=37, column=11, height=50, width=60)
    assert np.allclose(surface(grid, region, (200, 300)), region.of(surface(grid, whole(200, 300), (200, 300))))


def test_no_line_of_the_grid_shows_in_its_surface() -> None:
    profile = surface(some_grid(8), whole(1, 800), (1, 800))[0, :, 0]
    bends = np.abs(np.diff(profile, n=2))
    assert np.abs(np.diff(bends)).max() < 0.05 * bends.max()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gains_multiply_linear_light(dtype: type) -> None:
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max // 2, (64, 64, 3), dtype)
    gains = np.log(np.array([0.5, 1.0, 1.5], np.float32)).reshape(3, 1, 1)
    ratio = linear_from_pixels(relit(pixels, gains, NO_VEIL)).sum(axis=(0, 1)) / linear_from_pixels(pixels).sum(
        axis=(0, 1)
    )
    assert ratio == pytest.approx([0.5, 1.0, 1.5], rel=0.01)


def test_nothing_changes_without_gains_and_veil() -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (64, 64, 3), np.uint16)
    relit_pixels = relit(pixels, np.zeros((3, 2, 2), np.float32), NO_VEIL)
    assert np.abs(relit_pixels.astype(int) - pixels).max() <= 2


def test_what_is_blown_out_stays_white() -> None:
    white = np.full((4, 4, 3), 255, np.uint8)
    assert (relit(white, np.full((3, 1, 1), -1.0, np.float32), NO_VEIL) == 255).all()


def test_windows_leave_no_seam() -> None:
    pixels = np.full((8, SIDE + 200, 3), 120, np.uint8)
    row = relit(pixels, some_grid(8), NO_VEIL)[4].astype(int)
    assert np.abs(np.diff(row, axis=0)).max() <= 2
