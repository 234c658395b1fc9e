"""Do the classical methods improve what they are for, and leave alone what needs nothing?

The margins are stated below what was measured, by a fifth or more.
"""

import numpy as np
import pytest

from darkroom.domain.parameters import PARAMETERS, RestorationParameters, Stage
from darkroom.imaging.color import lab_from_image
from darkroom.imaging.filters import gaussian
from darkroom.imaging.measurement.measure import measure
from darkroom.imaging.measurement.score import score
from darkroom.imaging.picture import Picture, to_float
from darkroom.stages.restore import restore
from tests.degradations import U8, blurred, compressed, faded, in_light, noisy, part, psnr_db
from tests.photographs import photograph

WARM, COOL, GREEN, MAGENTA = (1.2, 1.0, 0.6), (0.6, 1.0, 1.5), (0.7, 1.1, 0.7), (1.1, 0.8, 1.1)


def run(stage: Stage, method: str, pixels: U8, **given: object) -> U8:
    parameters = PARAMETERS[stage].model_validate(given)
    assert isinstance(parameters, RestorationParameters)
    answer = restore(stage, Picture(pixels=pixels), parameters, method, None).picture.pixels
    assert answer.dtype == np.uint8
    return answer


def gain_db(stage: Stage, method: str, spoilt: U8, reference: U8) -> float:
    return psnr_db(run(stage, method, spoilt), reference) - psnr_db(spoilt, reference)


# Noise and blocks


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
@pytest.mark.parametrize(
    ("method", "sigma", "margin"),
    [("nlm", 5, 1.5), ("nlm", 15, 4.0), ("nlm", 35, 6.0), ("bilateral", 5, 1.5), ("bilateral", 15, 4.0)],
)
def test_denoising_brings_a_noisy_photograph_nearer_to_the_clean_one(
    name: str, method: str, sigma: float, margin: float
) -> None:
    clean = part(name)
    assert gain_db("denoise", method, noisy(clean, sigma), clean) > margin


@pytest.mark.parametrize("method", ["nlm", "bilateral"])
def test_denoising_by_a_larger_sigma_removes_more(method: str) -> None:
    spoilt = noisy(np.full((96, 96, 3), 120, np.uint8), 12.0)
    left = [float(run("denoise", method, spoilt, sigma=sigma).std()) for sigma in (2.0, 6.0, 12.0)]
    assert 12.2 > left[0] > left[1] > left[2]
    assert left[2] < 5.0


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize("quality", [10, 25])
def test_denoising_also_calms_jpeg_blocks(name: str, quality: int) -> None:
    clean = part(name, left=150)
    spoilt = compressed(clean, quality)
    assert gain_db("denoise", "nlm", spoilt, clean) > 0.3
    assert measure(Picture(pixels=run("denoise", "nlm", spoilt))).blockiness < 0.85


# Blur


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize("method", ["wiener", "richardson_lucy", "unsharp"])
@pytest.mark.parametrize("radius", [1.0, 1.5, 2.5])
def test_deblurring_brings_a_blurred_photograph_nearer_to_the_sharp_one(name: str, method: str, radius: float) -> None:
    sharp = photograph(name)
    assert gain_db("deblur", method, blurred(sharp, radius), sharp) > 0.5


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_wiener_gains_the_most_where_it_is_meant_to(name: str) -> None:
    sharp = photograph(name)
    assert gain_db("deblur", "wiener", blurred(sharp, 1.0), sharp) > 1.4


@pytest.mark.parametrize("method", ["wiener", "richardson_lucy", "unsharp"])
def test_deblurring_stands_noise(method: str) -> None:
    sharp = photograph("astronaut")
    assert gain_db("deblur", method, noisy(blurred(sharp, 1.5), 4.0), sharp) > 0.5


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
@pytest.mark.parametrize("method", ["wiener", "richardson_lucy", "unsharp"])
def test_a_sharp_photograph_is_hardly_touched(name: str, method: str) -> None:
    assert psnr_db(run("deblur", method, photograph(name)), photograph(name)) > 35.0


def test_a_sharpened_step_has_no_halo() -> None:
    step = np.full((64, 64, 3), 60, np.uint8)
    step[:, 32:] = 190
    for method in ("wiener", "richardson_lucy", "unsharp"):
        answer = run("deblur", method, blurred(step, 1.5), radius=1.5)
        assert 60 - 16 <= answer.min() <= answer.max() <= 190 + 16


# Light


@pytest.mark.parametrize(("name", "gain"), [("astronaut", 6.0), ("chelsea", 9.0), ("coffee", 6.0)])
@pytest.mark.parametrize("light", [0.3, 0.1])
def test_lifting_brings_a_dark_photograph_nearer_to_the_lit_one(name: str, gain: float, light: float) -> None:
    lit = photograph(name)
    assert gain_db("low_light", "clahe", in_light(lit, light), lit) > gain


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_a_well_lit_photograph_is_left_alone(name: str) -> None:
    assert (run("low_light", "clahe", photograph(name)) == photograph(name)).all()


def test_a_smaller_gamma_is_brighter() -> None:
    dark = in_light(part(), 0.2)
    means = [float(run("low_light", "clahe", dark, gamma=gamma).mean()) for gamma in (0.9, 0.6, 0.3)]
    assert float(dark.mean()) < means[0] < means[1] < means[2]


def test_lifting_does_not_lift_the_noise_with_it() -> None:
    dark = noisy(in_light(photograph("astronaut"), 0.1), 5.0)
    before, after = measure(Picture(pixels=dark)), measure(Picture(pixels=run("low_light", "clahe", dark)))
    assert after.noise_sigma < before.noise_sigma


def deep_in_the_dark(pixels: U8) -> U8:
    """Noise of 3, and then a quarter of the light without any encoding: a few levels are left."""
    return np.rint(0.25 * 255.0 * (noisy(pixels, 3.0) / 255.0) ** 2.2).astype(np.uint8)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_in_the_deepest_dark_no_speckles_come_up(name: str) -> None:
    lit = photograph(name)
    lifted = run("low_light", "clahe", deep_in_the_dark(lit))
    assert measure(Picture(pixels=lifted)).noise_sigma < 3.0
    assert psnr_db(lifted, lit) > psnr_db(deep_in_the_dark(lit), lit) + 8.0

    def colour_grain(pixels: U8) -> float:
        colours = lab_from_image(to_float(pixels))[..., 1:]
        return float(np.abs(colours - gaussian(np.ascontiguousarray(colours), 2.0)).mean())

    assert colour_grain(lifted) < 1.3 * colour_grain(lit)


def test_a_black_picture_is_not_called_bright() -> None:
    parameters = PARAMETERS["low_light"].model_validate({})
    assert isinstance(parameters, RestorationParameters)
    black = Picture(pixels=np.zeros((40, 40, 3), np.uint8))
    output = restore("low_light", black, parameters, "clahe", None)
    assert output.picture is black
    assert output.notes == ("the picture is black: there is nothing to lift",)


# Casts


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
@pytest.mark.parametrize("gains", [WARM, GREEN])
def test_white_balance_brings_a_tinted_photograph_nearer(name: str, gains: tuple[float, ...]) -> None:
    plain = photograph(name)
    assert gain_db("white_balance", "shades_of_grey", in_light(plain, gains), plain) > 2.5


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_a_clear_blue_cast_is_removed_also_from_a_warm_scene(name: str) -> None:
    plain = photograph(name)
    tinted = np.rint(plain * np.array([0.6, 0.8, 1.0])).astype(np.uint8)

    def distance(pixels: U8) -> float:
        return float(np.linalg.norm(lab_from_image(to_float(pixels)) - lab_from_image(to_float(plain)), axis=2).mean())

    assert distance(run("white_balance", "shades_of_grey", tinted)) < 0.75 * distance(tinted)


@pytest.mark.parametrize("method", ["shades_of_grey", "grey_world", "white_patch", "grey_edge"])
@pytest.mark.parametrize("gains", [WARM, COOL, GREEN, MAGENTA])
def test_a_grey_scene_loses_its_cast(method: str, gains: tuple[float, ...]) -> None:
    grey = np.repeat(part()[..., :1], 3, axis=2)
    tinted = in_light(grey, gains)

    def colour(pixels: U8) -> float:
        return float(np.ptp(pixels.astype(float).mean(axis=(0, 1))))

    assert colour(run("white_balance", method, tinted)) < 0.6 * colour(tinted)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_an_untinted_photograph_keeps_its_colours(name: str) -> None:
    assert psnr_db(run("white_balance", "shades_of_grey", photograph(name)), photograph(name)) > 36.0


def test_white_balance_keeps_the_brightness_and_what_is_blown_out() -> None:
    tinted = in_light(photograph("astronaut"), GREEN)
    tinted[:20] = 255
    balanced = run("white_balance", "shades_of_grey", tinted)
    assert (balanced[:20] == 255).all()
    before, after = measure(Picture(pixels=tinted)), measure(Picture(pixels=balanced))
    assert after.exposure_mean == pytest.approx(before.exposure_mean, abs=0.03)


# The score


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photographs_as_they_are_score_above_the_threshold(name: str) -> None:
    assert score(measure(Picture(pixels=photograph(name)))).value > 75.0


SPOILT = {
    "noise of 15": lambda pixels: noisy(pixels, 15.0),
    "blur of 2 px": lambda pixels: blurred(pixels, 2.0),
    "an eighth of the light": lambda pixels: in_light(pixels, 0.125),
    "a strong green cast": lambda pixels: in_light(pixels, (0.55, 1.1, 0.55)),
    "two fifths of the contrast": faded,
    "JPEG of quality 10": lambda pixels: compressed(pixels, 10),
}


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
@pytest.mark.parametrize("fault", SPOILT)
def test_a_clearly_spoilt_photograph_scores_below_the_threshold(name: str, fault: str) -> None:
    clean = photograph(name)
    found = score(measure(Picture(pixels=SPOILT[fault](clean)))).value
    assert found < 75.0
    assert found < score(measure(Picture(pixels=clean))).value


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_more_of_a_fault_scores_less(name: str) -> None:
    clean = photograph(name)
    ladders = {
        "noise": [noisy(clean, sigma) for sigma in (4, 8, 16, 32)],
        "blur": [blurred(clean, radius) for radius in (0.9, 1.4, 2.0, 4.0)],
        "dark": [in_light(clean, light) for light in (0.3, 0.15, 0.07, 0.03)],
        "jpeg": [compressed(clean, quality) for quality in (60, 30, 15)],
        "cast": [in_light(clean, (1 - tint, 1, 1 - tint)) for tint in (0.3, 0.4, 0.5)],
    }
    for fault, ladder in ladders.items():
        found = [score(measure(Picture(pixels=pixels))).value for pixels in (clean, *ladder)]
        assert found == sorted(found, reverse=True), fault
