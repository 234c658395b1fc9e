"""The shipped models improve real photographs, by stated margins, and leave clean ones alone.

The photographs are scikit-image's; none of them was trained on. Margins are mean differences in dB over three of them.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from models.evaluation.contest import luma_score, psnr_db, rgb_score
from models.evaluation.cost import Workload, measure
from models.evaluation.denoise import non_local_means
from models.training.degradations import film_grain, gaussian_noise, halve, jpeg, sensor_noise, to_u8
from shared.imaging.picture import Image, Pixels, to_float
from shared.inference.registry import Registry
from shared.inference.session import Model, ModelStore

REGISTRY = Path(__file__).parents[2] / "models" / "registry.toml"
STORE = ModelStore(Registry.load(REGISTRY), threads=2)

Noise = Callable[[Image, np.random.Generator], Image]


def opened(stage: str) -> Model:
    entry = STORE.registry.default(stage)
    assert entry is not None
    return STORE.open(stage, entry.ref.id)


def photographs() -> list[Pixels]:
    """A portrait, fur, and still life with fine and flat parts: 256 x 256 each."""
    return [data.astronaut()[:256, 100:356], data.chelsea()[20:276, 100:356], data.coffee()[80:336, 150:406]]


def noisy(clean: Pixels, noise: Noise) -> Pixels:
    return to_u8(noise(to_float(clean), np.random.default_rng(0)))


def gain_db(clean: list[Pixels], before: list[Pixels], after: list[Pixels]) -> float:
    pairs = zip(clean, before, after, strict=True)
    return float(np.mean([psnr_db(better, target) - psnr_db(worse, target) for target, worse, better in pairs]))


def white(sigma: float) -> Noise:
    return lambda image, rng: gaussian_noise(image, sigma, rng)


def grain(image: Image, rng: np.random.Generator) -> Image:
    return film_grain(image, 25, rng, radius=0.6, coloured=False)


def photons(image: Image, rng: np.random.Generator) -> Image:
    return sensor_noise(image, 25, rng, shot_share=0.8)


def compressed(image: Image, rng: np.random.Generator) -> Image:
    return jpeg(gaussian_noise(image, 25, rng), 90)


@pytest.mark.parametrize(
    ("noise", "sigma", "over_input_db", "over_classical_db"),
    [
        (white(5), 5, 3.3, 2.8),
        (white(15), 15, 7.3, 3.6),
        (white(25), 25, 9, 3.3),
        (white(50), 50, 11, 2.8),
        (photons, 25, 9, 2),
        (grain, 25, 4.3, 1.3),
        (compressed, 25, 6.2, 2.8),
    ],
    ids=["white-5", "white-15", "white-25", "white-50", "photons-25", "grain-25", "white-25-jpeg-90"],
)
def test_denoise_beats_its_input_and_non_local_means(
    noise: Noise, sigma: float, over_input_db: float, over_classical_db: float
) -> None:
    clean = photographs()
    given = [noisy(each, noise) for each in clean]
    restored = [opened("denoise").apply(each, {"sigma": sigma}) for each in given]
    classical = [non_local_means(each, sigma) for each in given]
    assert gain_db(clean, given, restored) > over_input_db
    assert gain_db(clean, classical, restored) > over_classical_db


def test_denoise_improves_structure_as_well_as_error() -> None:
    for clean in photographs():
        given = noisy(clean, white(25))
        restored = opened("denoise").apply(given, {"sigma": 25.0})
        assert rgb_score(restored, clean).ssim > rgb_score(given, clean).ssim + 0.15


def test_denoise_at_sigma_zero_leaves_a_clean_photograph_alone() -> None:
    for clean in photographs():
        assert psnr_db(opened("denoise").apply(clean, {"sigma": 0.0}), clean) > 40


def test_denoise_told_a_little_noise_hardly_touches_a_clean_photograph() -> None:
    for clean in photographs():
        assert psnr_db(opened("denoise").apply(clean, {"sigma": 3.0}), clean) > 38


def test_denoise_changes_more_when_it_is_told_of_more_noise() -> None:
    given = noisy(photographs()[0], white(25))
    results = [opened("denoise").apply(given, {"sigma": sigma}) for sigma in (0.0, 5.0, 15.0, 25.0, 50.0)]
    changes = [np.abs(result - given.astype(float)).mean() for result in results]
    assert changes == sorted(changes)


@pytest.mark.parametrize("level", [0, 1, 128, 254, 255])
@pytest.mark.parametrize("stage", ["denoise", "upscale"])
def test_a_constant_picture_stays_constant_but_for_a_trace_at_its_border(stage: str, level: int) -> None:
    model = opened(stage)
    constant = np.full((64, 64, 3), level, np.uint8)
    difference = np.abs(model.apply(constant, dict.fromkeys(model.contract.scalars, 10.0)).astype(int) - level)
    assert difference[16:-16, 16:-16].max() <= 1
    assert difference.max() <= 8


@pytest.mark.parametrize("stage", ["denoise", "upscale"])
def test_the_mean_colour_is_kept(stage: str) -> None:
    model = opened(stage)
    for clean in photographs():
        result = model.apply(clean, dict.fromkeys(model.contract.scalars, 10.0))
        assert np.abs(result.mean(axis=(0, 1)) - clean.mean(axis=(0, 1))).max() < 1


@pytest.mark.parametrize(
    ("reduce", "margin_db"),
    [
        (halve, 1.8),
        (lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), 1.0),
        (lambda image: jpeg(halve(image), 85), 0.8),
    ],
    ids=["bicubic-half", "averaged-half", "bicubic-half-jpeg-85"],
)
def test_upscale_beats_lanczos_on_luma(reduce: Callable[[Image], Image], margin_db: float) -> None:
    gains = []
    for clean in photographs():
        small = to_u8(reduce(to_float(clean)))
        classical = cv2.resize(small, clean.shape[1::-1], interpolation=cv2.INTER_LANCZOS4)
        enlarged = opened("upscale").apply(small)
        gains.append(luma_score(enlarged, clean).psnr_db - luma_score(classical, clean).psnr_db)
    assert np.mean(gains) > margin_db


@pytest.mark.parametrize("stage", ["denoise", "upscale"])
def test_memory_grows_with_the_picture_only_by_input_and_output(stage: str) -> None:
    model = opened(stage)
    small, large = (
        measure(REGISTRY, stage, model.ref.id, Workload(size=(side, side), repetitions=1)) for side in (950, 1900)
    )
    pixels_mb = 3 * (1900**2 - 950**2) * (1 + model.contract.scale**2) / 1e6
    assert large.peak_mb - small.peak_mb < 1.2 * pixels_mb + 15
