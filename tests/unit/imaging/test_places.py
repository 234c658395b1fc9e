"""A map is summarized as the rectangles around its marked parts."""

import numpy as np

from darkroom.domain.places import Place
from darkroom.imaging.places import MOST, places


def marked(*boxes: tuple[int, int, int, int], shape: tuple[int, int] = (100, 200)) -> np.ndarray:
    weights = np.zeros(shape, np.float32)
    for top, left, height, width in boxes:
        weights[top : top + height, left : left + width] = 1.0
    return weights


def test_an_empty_map_has_no_place() -> None:
    assert places(np.zeros((40, 60), bool)) == ()


def test_the_place_with_the_largest_sum_comes_first_and_specks_beside_it_are_left_out() -> None:
    found = places(marked((10, 10, 10, 20), (50, 150, 30, 40), (90, 100, 1, 1)))
    assert found == (
        Place(top=0.5, left=0.75, height=0.3, width=0.2),
        Place(top=0.1, left=0.05, height=0.1, width=0.1),
    )


def test_parts_near_each_other_are_one_place() -> None:
    assert len(places(marked((10, 10, 10, 10), (10, 23, 10, 10)))) == 1
    assert len(places(marked((10, 10, 10, 10), (10, 60, 10, 10)))) == 2


def test_a_map_full_of_parts_has_only_the_largest_number_of_places() -> None:
    assert len(places(marked(*((10, 10 + 30 * each, 10, 10) for each in range(6))))) == MOST


def test_one_pixel_of_a_large_picture_is_a_place_of_the_same_position() -> None:
    (place,) = places(marked((1500, 750, 1, 1), shape=(3000, 3000)))
    assert abs(place.top + place.height / 2 - 0.5) < 0.01
    assert abs(place.left + place.width / 2 - 0.25) < 0.01
