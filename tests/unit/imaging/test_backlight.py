"""The shadows of backlit scenes are lifted, and nothing else is."""

import numpy as np
import pytest
import skimage.data

from darkroom.domain.parameters import LowLightParameters
from darkroom.imaging.color import luma
from darkroom.imaging.picture import Picture, Pixels
from darkroom.imaging.tone.backlight import LARGEST_GAIN, lifted_shadows
from darkroom.stages.restore import restore

NAMES = ("astronaut", "chelsea", "coffee")


def photograph(name: str) -> Pixels:
    return np.ascontiguousarray(getattr(skimage.data, name)()[:300, :450])


def backlit(name: str) -> Pixels:
    """A photograph at a fourteenth of its light under a bright sky."""
    pixels = np.rint(255.0 * np.power(0.07 * np.power(photograph(name) / 255.0, 2.2), 1 / 2.2))
    pixels[:120] = np.linspace((200, 220, 245), (220, 230, 245), 120)[:, np.newaxis]
    return pixels.astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_shadows_are_lifted_the_sky_stays_and_nothing_is_clipped(name: str) -> None:
    given = backlit(name)
    lifted = lifted_shadows(given)
    assert lifted is not None
    shadow, sky = np.s_[140:], np.s_[:100]
    ratio = luma(lifted)[shadow].mean() / luma(given)[shadow].mean()
    assert 1.7 < ratio < LARGEST_GAIN
    assert np.abs(lifted[sky].astype(int) - given[sky]).max() <= 1
    assert (lifted == 255).mean() - (given == 255).mean() <= 0.002
    deep = lifted_shadows(given.astype(np.uint16) * 257)
    assert deep is not None
    assert np.abs(deep / 257.0 - lifted).max() < 2.5


def test_photographs_that_are_not_backlit_stay() -> None:
    assert [name for name in (*NAMES, "rocket") if lifted_shadows(photograph(name)) is not None] == []


def test_dark_goods_on_a_bright_ground_stay_dark() -> None:
    goods = np.full((300, 300, 3), 235, np.uint8)
    goods[40:260, 50:250] = (25, 22, 30)
    assert lifted_shadows(goods) is None


def test_the_stage_lifts_a_backlit_scene_that_is_bright_as_a_whole_and_sends_it_to_review() -> None:
    output = restore("low_light", Picture(pixels=backlit("chelsea")), LowLightParameters(), "clahe", None)
    assert output.values["backlit"]
    assert output.low_confidence
    assert output.picture.pixels[140:].mean() > 1.6 * backlit("chelsea")[140:].mean()
