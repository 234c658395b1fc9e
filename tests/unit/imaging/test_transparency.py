"""Tests that colours below transparent pixels do not show when a picture with alpha is filtered."""

import cv2
import numpy as np
import pytest

from darkroom.domain.parameters import FinishParameters, UpscaleParameters
from darkroom.imaging.filters import gaussian, resized
from darkroom.imaging.geometry import Layout, lay_out
from darkroom.imaging.measurement.score_input import prepare
from darkroom.imaging.picture import Picture, Pixels
from darkroom.imaging.transparency import resized_picture, smoothed_picture, spread_colors
from darkroom.stages.finish import render
from darkroom.stages.upscale import classical, with_model
from tests import pictures

SUBJECT = (200, 40, 30)
FULL = {np.uint8: 255, np.uint16: 65535}


def checks(hidden: int, dtype: type = np.uint8, cell: int = 1, side: int = 40) -> Picture:
    """Every other cell is transparent, with the grey `hidden` below it."""
    unit = FULL[dtype] // 255
    rows, columns = np.indices((side, side)) // cell
    shown = (rows + columns) % 2 == 0
    pixels = np.where(shown[..., np.newaxis], np.array(SUBJECT), hidden) * unit
    return Picture(pixels=pixels.astype(dtype), alpha=(shown * FULL[dtype]).astype(dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("hidden", [0, 255])
def test_a_reduced_checkerboard_has_the_colour_of_its_visible_cells(hidden: int, dtype: type) -> None:
    small = resized_picture(checks(hidden, dtype), 20, 20)
    unit = FULL[dtype] // 255
    assert small.alpha is not None
    assert np.abs(small.alpha.astype(int) - FULL[dtype] // 2).max() <= 1
    assert np.abs(small.pixels.astype(int) - np.array(SUBJECT) * unit).max() <= 1


class Smearing:
    """A network of scale 2 that averages neighbours, as every network does more or less."""

    scale = 2

    def apply(self, pixels: Pixels, scalars: object) -> Pixels:
        large = cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
        return gaussian(large, 1.0)


def finished(picture: Picture, **parameters: object) -> Picture:
    return render(picture, FinishParameters.model_validate(parameters))[0]


OPERATIONS = {
    "reduce": lambda picture: finished(picture, max_side=23),
    "enlarge": lambda picture: finished(picture, min_side=61),
    "pad": lambda picture: lay_out(
        picture, Layout(height=30, width=30, canvas_height=50, canvas_width=50, top=5, left=5), np.ones(3, np.float32)
    ),
    "smooth": lambda picture: finished(picture, smooth=1.5),
    "sharpen": lambda picture: finished(picture, sharpen=1.0),
    "upscale": lambda picture: classical(picture, UpscaleParameters(scale=1.7), "lanczos").picture,
    "upscale by a model": lambda picture: with_model(picture, UpscaleParameters(scale=1.7), Smearing()).picture,
}


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_what_lies_below_transparent_pixels_does_not_change_what_is_seen(operation: str) -> None:
    on_black, on_white = (OPERATIONS[operation](checks(hidden, cell=8)) for hidden in (0, 255))
    assert on_black.alpha is not None
    assert np.array_equal(on_black.alpha, on_white.alpha)
    seen = on_black.alpha > 0
    assert np.array_equal(on_black.pixels[seen], on_white.pixels[seen])
    assert np.abs(on_black.pixels[seen].astype(int) - SUBJECT).max() <= 1


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_colours_below_transparent_pixels_stay_where_nothing_becomes_visible(operation: str) -> None:
    result = OPERATIONS[operation](checks(255, cell=20))
    assert result.alpha is not None
    # The centre of the transparent quarter.
    row, column = result.height * 5 // 16, result.width * 11 // 16
    assert result.alpha[row, column] == 0
    assert result.pixels[row, column].min() >= 250


def test_an_opaque_picture_is_filtered_as_it_always_was() -> None:
    pixels = pictures.scene()
    opaque = Picture(pixels=pixels, alpha=np.full(pixels.shape[:2], 255, np.uint8))
    assert np.array_equal(resized_picture(Picture(pixels=pixels), 30, 40).pixels, resized(pixels, 30, 40))
    for size in ((30, 40), (90, 120)):
        difference = np.abs(resized_picture(opaque, *size).pixels.astype(int) - resized(pixels, *size))
        assert difference.max() <= 1
    assert np.abs(smoothed_picture(opaque, 2.0).pixels.astype(int) - gaussian(pixels, 2.0)).max() <= 1


def test_the_score_does_not_depend_on_hidden_colours() -> None:
    black, white = (prepare(checks(hidden, side=64), 1024) for hidden in (0, 255))
    assert np.array_equal(black, white)


def test_hidden_pixels_get_the_nearest_visible_colour() -> None:
    pixels = np.zeros((1, 5, 3), np.uint8)
    pixels[0, 0], pixels[0, 4] = 10, 90
    alpha = np.array([[255, 0, 0, 0, 1]], np.uint8)
    assert spread_colors(Picture(pixels=pixels, alpha=alpha))[0, [1, 3], 0].tolist() == [10, 90]
    for alpha in (np.zeros((1, 5), np.uint8), np.full((1, 5), 3, np.uint8)):
        assert spread_colors(Picture(pixels=pixels, alpha=alpha)) is pixels
