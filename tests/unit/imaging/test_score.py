from dataclasses import replace

import numpy as np
import pytest

from darkroom.domain.measurements import Measurements, Score
from darkroom.imaging.measurement.measure import measure
from darkroom.imaging.measurement.score import WEIGHTS, score
from darkroom.imaging.picture import Picture

GOOD = Measurements(height=800, width=1000, exposure_mean=0.5, contrast=0.8, blur_radius=0.5)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("noise_sigma", [0.0, 4.0, 8.0, 16.0, 32.0, 64.0]),
        ("blur_radius", [0.5, 1.5, 2.0, 3.0, 4.0, 6.0, 7.9]),
        ("contrast", [0.8, 0.6, 0.4, 0.2, 0.05]),
        ("cast_strength", [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("blockiness", [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("clipped_highlights", [0.0, 0.05, 0.2, 0.5, 0.9]),
        ("clipped_shadows", [0.0, 0.2, 0.4, 0.7, 0.9]),
        ("exposure_mean", [0.5, 0.3, 0.2, 0.1, 0.02]),
        ("exposure_mean", [0.5, 0.72, 0.8, 0.9, 0.99]),
    ],
)
def test_each_fault_alone_lowers_the_score(name: str, values: list[float]) -> None:
    found = [score(replace(GOOD, **{name: value})).value for value in values]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)


def test_a_picture_without_fault_scores_a_hundred_and_names_every_part() -> None:
    found = score(GOOD)
    assert found.value == 100.0
    assert set(found.parts) == set(WEIGHTS)
    assert set(found.parts.values()) == {100.0}


def test_one_ruined_part_is_not_made_up_for_by_the_others() -> None:
    assert score(replace(GOOD, noise_sigma=80.0)).value == 0.0


def test_a_large_picture_may_be_soft_at_its_own_pixels() -> None:
    soft = replace(GOOD, blur_radius=1.6)
    assert score(replace(soft, height=4000, width=6000)).value > score(soft).value


def test_scores_survive_json() -> None:
    found = score(replace(GOOD, noise_sigma=9.0))
    assert Score.from_json(found.to_json()) == found


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_scores_badly_and_does_not_fail(level: int) -> None:
    assert score(measure(Picture(pixels=np.full((50, 50, 3), level, np.uint8)))).value < 30
