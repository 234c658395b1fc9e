"""Light spoils photographs as the physics that is cited says."""

from dataclasses import replace

import numpy as np
import pytest

from darkroom.imaging.color import LUMINANCE_WEIGHTS, linear_from_srgb
from darkroom.imaging.picture import Image
from models.training.lighting import (
    Exposure,
    bent,
    black_body,
    exposed,
    mixed_light,
    photon_noise,
    raised,
    some_exposure,
    some_light,
    under_light,
    underexposed,
    veiled,
    water,
)

DARK = Exposure(
    factor=10.0,
    sigma=2.0,
    shot_share=0.7,
    contrast=0.3,
    grain=0.0,
    coloured=np.ones(3, np.float32),
    light=np.ones(3, np.float32),
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def image(rng: np.random.Generator) -> Image:
    return rng.uniform(0.1, 0.9, (64, 96, 3)).astype(np.float32)


def test_daylight_is_neutral_and_candles_are_red() -> None:
    assert black_body(6504) == pytest.approx([1, 1, 1], abs=0.01)
    reds = [black_body(temperature_k)[0] for temperature_k in (2000, 2850, 5000, 9000, 20000)]
    blues = [black_body(temperature_k)[2] for temperature_k in (2000, 2850, 5000, 9000, 20000)]
    assert reds == sorted(reds, reverse=True)
    assert blues == sorted(blues)


def test_the_cubics_of_the_locus_meet() -> None:
    for border_k in (2222, 4000):
        assert black_body(border_k - 1) == pytest.approx(black_body(border_k + 1), abs=0.01)


def test_a_light_multiplies_linear_light(image: Image) -> None:
    light = np.array([0.9, 0.7, 0.5], np.float32)
    ratio = linear_from_srgb(under_light(image, light)) / linear_from_srgb(image)
    assert ratio == pytest.approx(np.broadcast_to(light, image.shape), rel=1e-3)


def test_lights_are_made_at_several_brightnesses_and_keep_their_colour(image: Image, rng: np.random.Generator) -> None:
    light = some_light(rng)
    made = np.array([exposed(light, linear_from_srgb(image), rng) for _ in range(40)])
    assert made / made[:, 1:2] == pytest.approx(np.broadcast_to(light / light[1], made.shape), rel=1e-4)
    mean = linear_from_srgb(image).mean(axis=(0, 1))
    kept = (made * mean) @ LUMINANCE_WEIGHTS / (mean @ LUMINANCE_WEIGHTS)
    assert min(np.abs(kept - 1)) < 1e-3
    assert min(np.abs(made[:, 1] - 1)) < 1e-3


def test_mixed_light_lies_between_its_two_lights(rng: np.random.Generator) -> None:
    first, second = np.array([1.5, 1, 0.5], np.float32), np.array([0.5, 1, 1.5], np.float32)
    for _ in range(10):
        light = mixed_light(first, second, (40, 60, 3), rng)
        assert light.shape == (40, 60, 3)
        assert 0.5 <= light.min() < light.max() <= 1.5


def test_water_takes_red_first_and_scatters_least_of_it(rng: np.random.Generator) -> None:
    for _ in range(10):
        transmission, veil = water((20, 30, 3), rng)
        assert (transmission[..., 0] < transmission[..., 1]).all()
        assert veil[..., 0].mean() < veil[..., 1].mean()


def test_a_veil_brightens_black(image: Image) -> None:
    assert (veiled(np.zeros_like(image), np.ones(3, np.float32), np.full(3, 0.1, np.float32)) > 0.3).all()


def test_the_camera_curve_and_its_inverse_cancel(image: Image) -> None:
    assert bent(bent(image, 0.5), -0.5) == pytest.approx(image, abs=1e-4)
    assert bent(image, 0.0) is image


def test_raising_undoes_underexposure_where_nothing_is_clipped(image: Image) -> None:
    dark = underexposed(image, DARK)
    assert dark.mean() < 0.5 * image.mean()
    assert raised(dark, DARK.factor, DARK.contrast) == pytest.approx(image, abs=2e-3)


def test_headroom_brightens_only_the_brightest_parts(image: Image) -> None:
    plain, wide = (underexposed(image, replace(DARK, headroom=headroom)) for headroom in (1.0, 4.0))
    light = linear_from_srgb(bent(image, -DARK.contrast))
    assert (wide[light > 0.6] > plain[light > 0.6]).all()
    assert wide[light < 0.5] == pytest.approx(plain[light < 0.5])


@pytest.mark.parametrize("grain", [0.0, 0.8])
def test_noise_has_the_strength_that_it_is_told_at_the_mean_level(grain: float, rng: np.random.Generator) -> None:
    flat = np.full((128, 128, 3), 0.2, np.float32)
    noise = photon_noise(flat, replace(DARK, grain=grain), rng) - flat
    assert 255 * noise.std() == pytest.approx(2.0, rel=0.1)


def test_random_exposures_stay_in_their_range(rng: np.random.Generator) -> None:
    drawn = [some_exposure(rng, least_factor=3.0) for _ in range(100)]
    assert all(3.0 <= each.factor <= 60.0 and 0.2 <= each.sigma <= 5.0 for each in drawn)
    assert {each.headroom > 1 for each in drawn} == {True, False}
