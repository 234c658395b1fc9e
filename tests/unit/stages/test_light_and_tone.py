"""What white_balance and low_light do with the answer of a network that has seen the whole picture."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import PARAMETERS, RestorationParameters, Stage
from darkroom.imaging.color import luma
from darkroom.imaging.picture import Picture, Pixels
from darkroom.stages import StageOutput
from darkroom.stages.restore import restore
from tests.degradations import in_light, part

Tensor = NDArray[np.float32]


@dataclass
class Halving:
    """A companion that halves every value, and counts how often."""

    answer: str = "pixels"
    scale: int = 1
    scalars: Collection[str] = ()
    applied: int = 0

    def apply(self, pixels: Pixels, scalars: Mapping[str, float] | None = None, *, tile: int | None = None) -> Pixels:
        self.applied += 1
        return pixels // 2


@dataclass
class Reader:
    """Answers the same to every picture."""

    answers: Mapping[str, Tensor]
    answer: str = "light"
    scale: int = 1
    scalars: Collection[str] = ()
    extra: Collection[str] = ()
    companion: Halving | None = None
    seen: list[tuple[int, ...]] = field(default_factory=list)

    def read(self, pixels: Pixels, extra: Mapping[str, Tensor] | None = None) -> Mapping[str, Tensor]:
        self.seen.append(pixels.shape)
        return self.answers


def run(stage: Stage, pixels: Pixels, model: Reader, **given: object) -> StageOutput:
    parameters = PARAMETERS[stage].model_validate(given)
    assert isinstance(parameters, RestorationParameters)
    return restore(stage, Picture(pixels=pixels), parameters, "model", model)


def floats(*values: float) -> Tensor:
    return np.array(values, np.float32)


def light(red: float, green: float, blue: float, **others: Tensor) -> Reader:
    return Reader(answers={"light": floats(red, green, blue), **others})


def curves(lift: float, companion: Halving | None = None) -> Reader:
    """Values times `lift`, for all three channels."""
    heights = np.clip(np.square(np.linspace(0, 1, 17, dtype=np.float32)) * lift, 0, 1)
    return Reader(answers={"curves": np.tile(heights, 3)}, answer="tone", companion=companion)


def difference(first: Pixels, second: Pixels) -> float:
    return float(np.abs(first.astype(float) - second).mean())


def test_the_light_that_a_network_finds_is_divided_out() -> None:
    plain = part() // 2
    tinted = in_light(plain, (1.3, 1.0, 0.7))
    assert (
        difference(run("white_balance", tinted, light(1.3, 1.0, 0.7)).picture.pixels, plain)
        < 0.5
        < difference(tinted, plain)
    )


def test_a_light_that_changes_over_the_frame_is_divided_out_smoothly() -> None:
    flat = np.full((300, 400, 3), (100, 90, 80), np.uint8)
    ramp = np.linspace(0.7, 1.4, 8, dtype=np.float32)
    grid = np.ones((3, 8, 8), np.float32)
    grid[0] = ramp
    balanced = run("white_balance", flat, Reader(answers={"light": grid})).picture.pixels
    red = balanced[..., 0].astype(int)
    assert (np.diff(red, axis=1) <= 0).all()
    assert np.abs(np.diff(red, axis=1)).max() <= 1
    assert (red == red[0]).all()
    assert (balanced[..., 1:] == flat[..., 1:]).all()
    assert red[0, 0] > 110
    assert red[0, -1] < 90


def test_a_veil_is_taken_away_before_the_light() -> None:
    deep = np.full((40, 40, 3), (60, 90, 120), np.uint8)
    model = light(1.0, 1.0, 1.0, veil=np.full((3, 4, 4), 0.02, np.float32))
    assert (run("white_balance", deep, model).picture.pixels < deep).all()


@pytest.mark.parametrize(("probability", "detected"), [(0.1, False), (0.85, False), (0.99, True)])
def test_an_improbable_cast_is_left_alone(probability: float, detected: bool) -> None:
    pixels = part(side=64)
    output = run("white_balance", pixels, light(1.3, 1.0, 0.7, cast_probability=floats(probability)))
    assert output.values["cast_detected"] is detected
    assert (output.picture.pixels is pixels) is not detected
    assert (float(output.values["cast_strength"]) > 0.2) is detected
    assert not output.low_confidence


def test_a_cast_that_may_belong_to_the_scene_is_removed_in_part_for_a_person_to_look_at() -> None:
    pixels = part(side=64)
    unsure, sure = (
        run("white_balance", pixels, light(1.3, 1.0, 0.7, cast_probability=floats(probability)))
        for probability in (0.94, 0.99)
    )
    assert 0.0 < difference(unsure.picture.pixels, pixels) < difference(sure.picture.pixels, pixels)
    assert unsure.low_confidence
    assert unsure.notes == ("the colour may belong to the scene: the probability of a cast is 0.94",)


def test_the_estimated_light_is_recorded_with_a_mean_of_one() -> None:
    values = run("white_balance", part(side=64), light(0.6, 0.4, 0.2)).values
    assert [values[name] for name in ("red", "green", "blue")] == [1.5, 1.0, 0.5]


def test_a_greyscale_picture_is_not_shown_to_a_white_balancer() -> None:
    grey = np.repeat(part(side=64)[..., :1], 3, axis=2)
    model = light(1.3, 1.0, 0.7)
    assert run("white_balance", grey, model).picture.pixels is grey
    assert model.seen == []


@pytest.mark.parametrize("shape", [(4,), (1, 8, 8), (3, 8)])
def test_what_is_no_light_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelUnusable, match=r"expected \(3,\) or \(3, h, w\)"):
        run("white_balance", part(side=64), Reader(answers={"light": np.ones(shape, np.float32)}))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_curves_are_followed_in_both_depths(dtype: type) -> None:
    top = np.iinfo(dtype).max
    dark = np.linspace(0, top // 5, 3000).reshape(20, 50, 3).astype(dtype)
    lifted = run("low_light", dark, curves(4.0)).picture.pixels
    assert lifted.dtype == dtype
    assert np.abs(lifted - 4.0 * dark).max() <= max(2, top // 1000)


def test_curves_that_change_next_to_nothing_leave_the_picture_as_it_is() -> None:
    pixels = part(side=64)
    companion = Halving()
    output = run("low_light", pixels, curves(1.05, companion))
    assert output.picture.pixels is pixels
    assert companion.applied == 0
    assert output.notes == ("the picture is bright enough",)


def test_a_companion_cleans_what_was_lifted_far() -> None:
    dark = part(side=64) // 8
    model, alone = curves(4.0, Halving()), curves(4.0)
    assert (
        difference(run("low_light", dark, model).picture.pixels, run("low_light", dark, alone).picture.pixels // 2) == 0
    )


def test_a_companion_is_not_asked_where_little_was_lifted() -> None:
    companion = Halving()
    run("low_light", part(side=64) // 2, curves(1.4, companion))
    assert companion.applied == 0


def test_a_given_gamma_takes_the_place_of_the_curves() -> None:
    dark = part(side=64) // 4
    means = [
        float(luma(run("low_light", dark, curves(3.0), gamma=gamma).picture.pixels).mean()) for gamma in (0.9, 0.5, 0.3)
    ]
    assert means == sorted(means)
    assert means[0] > float(luma(dark).mean())


def test_a_black_picture_stays_black_and_says_so() -> None:
    output = run("low_light", np.zeros((32, 32, 3), np.uint8), curves(4.0))
    assert not output.picture.pixels.any()
    assert "black" in output.notes[0]


def test_lifting_a_night_keeps_the_lamps_and_asks_a_person() -> None:
    night = np.full((64, 64, 3), 12, np.uint8)
    night[:4] = np.linspace(150, 240, 4 * 64 * 3).reshape(4, 64, 3).astype(np.uint8)
    output = run("low_light", night, curves(4.0))
    lifted = output.picture.pixels
    assert (lifted[4:] > 40).all()
    assert float((lifted.max(axis=2) == 255).mean()) <= 0.002
    assert (np.diff(lifted[:4].reshape(-1, 3).astype(int), axis=0) >= 0).all()
    assert lifted[3, -1, 0] - int(lifted[0, 0, 0]) > 20
    assert output.low_confidence
    assert output.notes == ("the picture has bright parts: it may be dark on purpose",)


def test_a_picture_with_too_little_light_everywhere_is_lifted_without_a_person() -> None:
    assert not run("low_light", part(side=64) // 4, curves(3.0)).low_confidence


@pytest.mark.parametrize("shape", [(50,), (3,), (3, 8, 8)])
def test_what_are_no_curves_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelUnusable, match=r"expected \(3 \* knots,\)"):
        run("low_light", part(side=64), Reader(answers={"curves": np.ones(shape, np.float32)}, answer="tone"))
