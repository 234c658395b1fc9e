"""What looks like damage and belongs to the scene is left alone by the presets that look for damage unasked."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from darkroom.domain.messages import ObjectRef, StepRecord
from darkroom.domain.parameters import RepairParameters
from darkroom.domain.presets import PRESET_RULES
from darkroom.domain.review import step_reasons
from darkroom.imaging.picture import Picture, Pixels, to_float
from darkroom.inference.registry import Registry
from darkroom.inference.session import ModelStore
from darkroom.stages import StageOutput
from darkroom.stages.restore import restore
from models.training.damage import damaged
from models.training.degradations import to_u8
from tests.photographs import photograph

STORE = ModelStore(Registry.load(Path(__file__).parents[2] / "models" / "registry.toml"), threads=1)


def repaired(pixels: Pixels) -> StageOutput:
    parameters = RepairParameters.model_validate(PRESET_RULES["restore"].stages["repair"].parameters)
    return restore("repair", Picture(pixels=pixels), parameters, "model", STORE.open("repair", "repair"))


def sky() -> Pixels:
    ramp = np.linspace([90, 130, 190], [190, 205, 225], 320)[:, np.newaxis].repeat(400, axis=1)
    return np.rint(ramp + np.random.default_rng(0).normal(0, 1, ramp.shape)).astype(np.uint8)


def window_bars() -> Pixels:
    pixels = sky()
    for place in range(50, 400, 100):
        cv2.line(pixels, (place, 0), (place, 319), (60, 50, 45), 5, cv2.LINE_AA)
        cv2.line(pixels, (0, place), (399, place), (60, 50, 45), 5, cv2.LINE_AA)
    return pixels


def ropes() -> Pixels:
    pixels = sky()
    for place in range(0, 400, 60):
        cv2.line(pixels, (200, 0), (place, 319), (40, 35, 30), 2, cv2.LINE_AA)
    return pixels


def antenna() -> Pixels:
    pixels = sky()
    cv2.line(pixels, (180, 319), (180, 40), (50, 50, 55), 3, cv2.LINE_AA)
    for row in range(60, 160, 25):
        cv2.line(pixels, (140, row), (220, row), (50, 50, 55), 2, cv2.LINE_AA)
    return pixels


def stripes() -> Pixels:
    pixels = sky()
    for row in range(40, 280, 40):
        cv2.line(pixels, (60, row), (340, row), (200, 40, 40), 6, cv2.LINE_AA)
    return pixels


def moon() -> Pixels:
    pixels = sky() // 4
    cv2.circle(pixels, (290, 70), 12, (235, 235, 220), -1, cv2.LINE_AA)
    return pixels


@pytest.mark.parametrize("draw", [window_bars, antenna, stripes, moon])
def test_thin_things_of_a_scene_are_left(draw: Callable[[], Pixels]) -> None:
    assert repaired(draw()).values["damaged_share"] == 0.0


def test_many_ropes_before_an_even_sky_are_painted_over_still_and_so_go_to_a_person() -> None:
    """The network is as sure of them as of scratches; nothing but the review holds the result back."""
    output = repaired(ropes())
    record = StepRecord(
        stage="repair",
        method="model",
        parameters={},
        output=ObjectRef(bucket="artifacts", name="a", generation=0),
        elapsed_ms=1.0,
        peak_memory_mb=1.0,
        run=1,
        values={"damaged_share": float(output.values["damaged_share"])},
    )
    assert [reason.code for reason in step_reasons([record])] == ["painted_over"]


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field"])
def test_a_clean_photograph_is_left(name: str) -> None:
    assert repaired(photograph(name)).values["damaged_share"] == 0.0


def test_a_photograph_that_is_damaged_all_over_is_repaired() -> None:
    image = to_float(photograph("astronaut"))
    for seed in range(4):
        image = damaged(image, np.random.default_rng(seed))[0]
    assert float(repaired(to_u8(image)).values["damaged_share"]) > 0.01
