"""White balance is judged by the colour in which the answer shows what was grey."""

import numpy as np
import pytest

from darkroom.imaging.picture import Pixels, to_float
from models.evaluation.white_balance import CASTS, angle, degraded
from models.training.degradations import to_u8
from models.training.lighting import under_light


def photograph() -> Pixels:
    return np.random.default_rng(0).integers(60, 200, (24, 32, 3)).astype(np.uint8)


def lit(pixels: Pixels, *gains: float) -> Pixels:
    return to_u8(under_light(to_float(pixels), np.array(gains, np.float32)))


@pytest.mark.parametrize("name", CASTS)
def test_the_photograph_itself_is_right_whatever_lay_on_it(name: str) -> None:
    ((given, wanted),) = degraded([photograph()], CASTS[name])
    assert angle(given, wanted, wanted) < 0.1


@pytest.mark.parametrize("red", [0.5, 0.8])
def test_what_is_left_of_a_cast_is_the_angle_between_its_light_and_grey(red: float) -> None:
    wanted = photograph()
    given = lit(wanted, 0.3, 1.0, 0.9)
    expected = np.degrees(np.arccos((red + 2) / np.sqrt(3 * (red**2 + 2))))
    assert angle(given, lit(wanted, red, 1.0, 1.0), wanted) == pytest.approx(expected, abs=0.3)


def test_brightness_is_no_cast() -> None:
    wanted = photograph()
    assert angle(wanted, lit(wanted, 0.6, 0.6, 0.6), wanted) < 0.5


def test_a_picture_that_is_all_clipped_says_nothing() -> None:
    white = np.full((4, 4, 3), 255, np.uint8)
    assert angle(white, white, white) == 0.0
