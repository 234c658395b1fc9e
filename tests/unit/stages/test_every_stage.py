"""What every classical method of every restoration stage promises, whatever it does."""

import numpy as np
import pytest

from darkroom.domain.errors import BadPipeline, ModelUnusable
from darkroom.domain.parameters import PARAMETERS, RESTORATION_STAGES, RestorationParameters, Stage
from darkroom.imaging.picture import Picture, Pixels
from darkroom.stages.restore import restore
from tests.degradations import blurred, in_light, noisy, part

METHODS = [(stage, method) for stage in RESTORATION_STAGES for method in PARAMETERS[stage].classical]
#: What makes each stage act on any picture.
ACTING = {
    "denoise": {"sigma": 15.0},
    "deblur": {"radius": 1.5},
    "low_light": {"gamma": 0.5},
    "upscale": {"scale": 1.7},
}
#: A picture with all that the other stages look for.
DULL = noisy(blurred(in_light(part(side=96), (0.25, 0.3, 0.12)), 1.0), 6.0)


def product() -> Pixels:
    """A cup on a plain ground."""
    pixels = np.full((96, 96, 3), 90, np.uint8)
    pixels[20:70, 25:75] = part("coffee", 50, top=200, left=120)
    return noisy(pixels, 2.0)


def scratched() -> Pixels:
    """A smooth, light picture with a black scratch from top to bottom."""
    pixels = blurred(part(side=96), 3.0)
    pixels[:, 40:42] = 0
    return pixels


def spoilt(stage: Stage) -> Pixels:
    """A picture that the stage has something to do with."""
    return {"background": product, "repair": scratched}.get(stage, lambda: DULL)()


def parameters(stage: Stage, **given: object) -> RestorationParameters:
    made = PARAMETERS[stage].model_validate({**ACTING.get(stage, {}), **given})
    assert isinstance(made, RestorationParameters)
    return made


def deep(pixels: Pixels) -> Pixels:
    return pixels.astype(np.uint16) * 257


def run(stage: Stage, method: str, picture: Picture, **given: object) -> Picture:
    return restore(stage, picture, parameters(stage, **given), method, None).picture


@pytest.mark.parametrize(("stage", "method"), METHODS)
def test_strength_zero_returns_the_very_input(stage: Stage, method: str) -> None:
    picture = Picture(pixels=spoilt(stage))
    assert run(stage, method, picture, strength=0.0) is picture


@pytest.mark.parametrize(("stage", "method"), METHODS)
def test_a_spoilt_picture_is_changed_and_the_input_is_not(stage: Stage, method: str) -> None:
    picture, before = Picture(pixels=spoilt(stage).copy()), spoilt(stage)
    answer = run(stage, method, picture)
    assert answer.pixels.shape != before.shape or answer.alpha is not None or (answer.pixels != before).any()
    assert (picture.pixels == before).all()


@pytest.mark.parametrize(("stage", "method"), METHODS)
def test_more_strength_changes_more(stage: Stage, method: str) -> None:
    picture = Picture(pixels=spoilt(stage))
    full = run(stage, method, picture)
    half, faint = (run(stage, method, picture, strength=share) for share in (0.5, 0.1))
    reference = run("upscale", "lanczos", picture) if stage == "upscale" else picture

    def distance(answer: Picture) -> float:
        colours = np.abs(answer.pixels.astype(float) - reference.pixels).mean()
        if stage == "background" and answer.alpha is not None:
            return float(255 - answer.alpha.astype(float).mean())
        return float(colours)

    if stage == "upscale":
        assert distance(full) == distance(half) == 0.0
    else:
        assert distance(faint) < distance(half) < distance(full)


@pytest.mark.parametrize(("stage", "method"), METHODS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (33, 47)])
@pytest.mark.parametrize("bits", [8, 16])
def test_any_size_and_both_depths_work(stage: Stage, method: str, size: tuple[int, int], bits: int) -> None:
    small: Pixels = np.ascontiguousarray(spoilt(stage)[: size[0], : size[1]])
    picture = Picture(pixels=small if bits == 8 else deep(small))
    answer = run(stage, method, picture)
    assert answer.bits == bits
    if stage != "upscale":
        assert answer.pixels.shape == picture.pixels.shape


@pytest.mark.parametrize(("stage", "method"), METHODS)
def test_sixteen_bits_give_what_eight_give(stage: Stage, method: str) -> None:
    shallow = run(stage, method, Picture(pixels=spoilt(stage))).pixels.astype(float)
    fine = run(stage, method, Picture(pixels=deep(spoilt(stage)))).pixels.astype(float) / 257.0
    # Non-local means compares squares at 8 bits and absolute differences at 16.
    assert np.abs(shallow - fine).mean() < (2.5 if method == "nlm" else 1.0)


@pytest.mark.parametrize(("stage", "method"), [each for each in METHODS if each[0] not in ("background", "upscale")])
def test_alpha_stays_as_it_was(stage: Stage, method: str) -> None:
    alpha = np.tile(np.arange(96, dtype=np.uint8), (96, 1))
    assert (run(stage, method, Picture(pixels=spoilt(stage), alpha=alpha)).alpha == alpha).all()


@pytest.mark.parametrize(("stage", "method"), METHODS)
@pytest.mark.parametrize("level", [0, 110, 255])
def test_a_constant_picture_keeps_its_constant(stage: Stage, method: str, level: int) -> None:
    picture = Picture(pixels=np.full((40, 50, 3), level, np.uint8))
    # A grey that is asked to be lighter becomes lighter: only the stage's own choice leaves it.
    given = {"gamma": None} if stage == "low_light" else {}
    answer = run(stage, method, picture, **given)
    assert np.abs(answer.pixels.astype(int) - level).max() <= 1
    assert answer.alpha is None


@pytest.mark.parametrize(("stage", "method"), METHODS)
def test_the_answer_is_the_same_every_time(stage: Stage, method: str) -> None:
    picture = Picture(pixels=spoilt(stage))
    one, other = run(stage, method, picture), run(stage, method, picture)
    assert (one.pixels == other.pixels).all()
    assert (one.alpha is None) == (other.alpha is None)


def test_colorize_says_that_it_needs_a_model() -> None:
    with pytest.raises(ModelUnusable, match="no classical method") as raised:
        run("colorize", "classical", Picture(pixels=DULL))
    assert raised.value.code == "no_method"


def test_an_unknown_method_names_the_known_ones() -> None:
    with pytest.raises(BadPipeline, match="nlm, bilateral"):
        run("denoise", "median", Picture(pixels=DULL))


def test_finish_is_no_restoration_stage() -> None:
    with pytest.raises(BadPipeline, match="no restoration stage"):
        restore("finish", Picture(pixels=DULL), parameters("denoise"), "classical", None)


def test_the_method_model_without_a_model_is_refused() -> None:
    with pytest.raises(ModelUnusable, match="given none"):
        run("denoise", "model", Picture(pixels=DULL))
