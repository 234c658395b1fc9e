"""A colour that lies over a whole picture is measured and removed, and no light or scene is taken for one."""

import numpy as np
import pytest

from darkroom.domain.presets import VEIL
from darkroom.imaging.picture import Pixels
from darkroom.imaging.veil import stretched, veil_probability
from tests.photographs import photograph


def veiled(name: str, colour: tuple[int, int, int], opacity: float) -> Pixels:
    return np.rint((1 - opacity) * photograph(name) + opacity * np.array(colour)).astype(np.uint8)


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
@pytest.mark.parametrize("colour", [(230, 60, 160), (60, 200, 90), (240, 160, 40), (50, 90, 230)])
def test_a_strong_colour_over_a_photograph_is_removed_for_the_most_part(
    name: str, colour: tuple[int, int, int]
) -> None:
    before = veiled(name, colour, 0.5)
    clean = photograph(name).astype(float)
    errors = [np.abs(each - clean).mean() for each in (before, stretched(before))]
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("colour", [(230, 60, 160), (60, 200, 90), (240, 160, 40)])
def test_a_strong_colour_over_a_photograph_is_recognised(colour: tuple[int, int, int]) -> None:
    assert veil_probability(veiled("astronaut", colour, 0.5)) > VEIL


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "retina"])
@pytest.mark.parametrize("gains", [(1, 1, 1), (1.0, 0.7, 0.45), (0.6, 0.8, 1.0), (0.7, 1.0, 0.7)])
def test_no_scene_and_no_coloured_light_is_taken_for_a_veil(name: str, gains: tuple[float, float, float]) -> None:
    assert veil_probability((photograph(name) * np.array(gains)).astype(np.uint8)) < VEIL


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_flat_picture_stays_as_it_is_at_either_depth(depth: type) -> None:
    flat = np.full((20, 30, 3), 77, depth)
    assert (stretched(flat) == flat).all()
