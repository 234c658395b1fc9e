"""The score of the network: sound photographs are approved, spoilt ones are shown to a person."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from darkroom.domain.measurements import Measurements, Score
from darkroom.domain.pipeline import Pipeline
from darkroom.execution.step import rate
from darkroom.imaging.measurement.score_input import PARTS
from darkroom.imaging.picture import Picture, Pixels
from darkroom.inference.registry import Registry
from darkroom.inference.session import ModelStore
from tests.degradations import compressed, in_light, noisy
from tests.photographs import photograph

STORE = ModelStore(Registry.load(Path(__file__).parents[2] / "models" / "registry.toml"), threads=1)
NAMES = ("astronaut", "chelsea", "coffee", "rocket")
THRESHOLD = Pipeline().qc_threshold

SPOILT = {
    "noise of 15": lambda pixels: noisy(pixels, 15.0),
    "an eighth of the light": lambda pixels: in_light(pixels, 0.125),
    "JPEG of quality 10": lambda pixels: compressed(pixels, 10),
    "out of focus": lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 3.0),
}


def judged(pixels: Pixels, reference_pixels: int | None = None) -> Score:
    measured = Measurements(height=pixels.shape[0], width=pixels.shape[1])
    return rate(Picture(pixels=pixels), measured, STORE.open("assess", "assess"), reference_pixels)


@pytest.mark.parametrize("name", NAMES)
def test_photographs_as_they_are_are_approved(name: str) -> None:
    assert judged(photograph(name)).value > THRESHOLD


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", SPOILT)
def test_a_clearly_spoilt_photograph_goes_to_a_person(name: str, fault: str) -> None:
    assert judged(SPOILT[fault](photograph(name))).value < THRESHOLD - 10.0


@pytest.mark.parametrize("name", NAMES)
def test_the_wider_a_blur_the_lower_the_score(name: str) -> None:
    scores = [judged(cv2.GaussianBlur(photograph(name), (0, 0), sigma)).value for sigma in (0.8, 1.5, 2.5, 4.0)]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("name", NAMES)
def test_an_enlarged_photograph_is_judged_as_at_its_own_size(name: str) -> None:
    pixels = photograph(name)
    enlarged = cv2.resize(pixels, None, fx=2.0, fy=2.0, interpolation=cv2.INTER_CUBIC)
    found = judged(enlarged, pixels.shape[0] * pixels.shape[1]).value
    assert found == pytest.approx(judged(pixels).value, abs=6.0)


def test_parts_name_the_fault() -> None:
    parts = judged(noisy(photograph("astronaut"), 25.0)).parts
    assert set(parts) == set(PARTS)
    assert min(parts, key=lambda part: parts[part]) == "noise"


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (97, 95)])
def test_every_size_gets_a_score(size: tuple[int, int]) -> None:
    assert 0.0 <= judged(np.full((*size, 3), 90, np.uint8)).value <= 100.0
