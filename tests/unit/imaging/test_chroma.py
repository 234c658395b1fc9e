"""Colours of a small map come onto the full-size picture, along its edges and without touching its luma."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from darkroom.imaging.color import lab_from_image
from darkroom.imaging.picture import Pixels, to_float
from darkroom.imaging.tone.chroma import GuidedChroma, fit
from tests.photographs import photograph


def greyed(pixels: Pixels) -> Pixels:
    return cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def chroma(pixels: Pixels, side: int | None = None) -> NDArray[np.float32]:
    found = np.ascontiguousarray(lab_from_image(to_float(pixels))[..., 1:])
    return found if side is None else cv2.resize(found, (side, side), interpolation=cv2.INTER_AREA)


def psnr_db(first: Pixels, second: Pixels) -> float:
    return float(10 * np.log10(255**2 / np.square(first.astype(float) - second).mean()))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_real_colours_at_a_small_size_restore_most_of_the_picture(name: str) -> None:
    original = photograph(name)
    grey = greyed(original)
    restored = fit(grey, chroma(original, 48)).on(grey)
    assert psnr_db(restored, original) > psnr_db(grey, original) + 8


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_edges_are_followed_better_than_by_enlarging_alone(name: str) -> None:
    original = photograph(name)
    grey, small = greyed(original), chroma(original, 48)
    lab = lab_from_image(to_float(grey))
    lab[..., 1:] = cv2.resize(small, grey.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    enlarged = np.rint(255 * cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)).astype(np.uint8)
    assert psnr_db(fit(grey, small).on(grey), original) > psnr_db(enlarged, original) + 0.3


@pytest.mark.parametrize("colour", [(80.0, 67.0), (-86.0, 83.0), (79.0, -107.0), (0.0, 60.0)])
def test_luma_stays_to_the_last_bit_however_strong_the_colour(colour: tuple[float, float]) -> None:
    grey = greyed(photograph("coffee"))
    coloured = fit(grey, np.full((5, 5, 2), colour, np.float32)).on(grey)
    assert (cv2.cvtColor(coloured, cv2.COLOR_RGB2GRAY) == grey[..., 0]).all()


def test_black_and_white_take_no_colour() -> None:
    ends = np.zeros((40, 40, 3), np.uint8)
    ends[:, 20:] = 255
    coloured = fit(ends, np.full((8, 8, 2), 60.0, np.float32)).on(ends)
    assert (coloured == ends).all()


def test_grey_stays_grey_where_the_map_has_no_colour() -> None:
    grey = greyed(photograph("chelsea"))
    assert (fit(grey, np.zeros((9, 9, 2), np.float32)).on(grey) == grey).all()


def test_bands_leave_no_seams() -> None:
    """A picture of three bands equals its parts, each coloured in one, but for the rounding of floats."""
    coefficients = np.random.default_rng(0).normal(0, 0.1, (40, 30, 4)).astype(np.float32)
    ramp = np.linspace(40, 215, 3000).astype(np.uint8)
    tall = np.repeat(np.repeat(ramp[:, np.newaxis, np.newaxis], 800, axis=1), 3, axis=2)
    coloured = GuidedChroma(coefficients=coefficients).on(tall).astype(int)
    steps = np.abs(np.diff(coloured, axis=0)).max(axis=(1, 2))
    assert steps.max() <= 4
    assert steps.max() == np.delete(steps, [1309, 1310, 1311, 2620, 2621, 2622]).max()


def test_a_coarse_map_without_steps_brings_none() -> None:
    """No blotches: on an even picture neighbouring pixels differ by rounding alone."""
    even = np.full((600, 900, 3), 120, np.uint8)
    slow = np.dstack(np.meshgrid(np.linspace(-20, 20, 24), np.linspace(-20, 20, 24))).astype(np.float32)
    coloured = fit(even, slow).on(even).astype(int)
    assert np.abs(np.diff(coloured, axis=0)).max() <= 2
    assert np.abs(np.diff(coloured, axis=1)).max() <= 2
