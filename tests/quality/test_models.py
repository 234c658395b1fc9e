"""The shipped models improve real photographs, by stated margins, and leave clean ones alone.

The photographs are scikit-image's; none of them was trained on. Margins are mean differences in dB over three of them.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from darkroom.domain.parameters import DeblurParameters, DenoiseParameters
from darkroom.imaging.picture import Image, Picture, Pixels, to_float
from darkroom.inference.registry import ModelEntry, Registry
from darkroom.inference.session import Model, ModelStore
from darkroom.stages import deblur, denoise
from models.evaluation import scenes
from models.evaluation.benchmark import luma_score, psnr_db, rgb_score
from models.evaluation.cost import Workload, measure
from models.evaluation.denoise import non_local_means
from models.training.blur import Kernel, blurred, defocus, shaken, softness, straight_motion
from models.training.degradations import film_grain, gaussian_noise, jpeg, reduced, sensor_noise, to_u8
from models.training.lettering import lettered

REGISTRY = Path(__file__).parents[2] / "models" / "registry.toml"
STORE = ModelStore(Registry.load(REGISTRY), threads=2)

#: The shipped models that answer with pixels at full size, whatever they are told.
RESTORERS = [
    entry
    for entry in STORE.registry.entries
    if entry.stage in ("denoise", "deblur", "upscale") and entry.contract.answer == "pixels"
]
UPSCALERS = [entry for entry in RESTORERS if entry.stage == "upscale"]

Noise = Callable[[Image, np.random.Generator], Image]


def opened(stage: str) -> Model:
    entry = STORE.registry.default(stage)
    assert entry is not None
    return STORE.open(stage, entry.ref.id)


def by_id(entry: ModelEntry) -> str:
    return entry.ref.id


def open_entry(entry: ModelEntry) -> Model:
    return STORE.open(entry.stage, entry.ref.id)


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


def by_default(clean: Pixels) -> Pixels:
    """What the stage makes of a picture that nothing is told about."""
    return denoise.with_model(Picture(pixels=clean), DenoiseParameters(), opened("denoise")).picture.pixels


def test_denoise_left_to_itself_hardly_touches_a_clean_photograph() -> None:
    for clean in photographs():
        assert psnr_db(by_default(clean), clean) > 40


@pytest.mark.parametrize(("sigma", "margin_db"), [(10, 4.5), (15, 6.5), (25, 8.5), (50, 10)])
def test_denoise_left_to_itself_finds_the_strength(sigma: int, margin_db: float) -> None:
    clean = photographs()
    given = [noisy(each, white(sigma)) for each in clean]
    assert gain_db(clean, given, [by_default(each) for each in given]) > margin_db


@pytest.mark.parametrize(("quality", "margin_db"), [(95, 7.0), (90, 6.5), (80, 5.5)])
def test_denoise_left_to_itself_finds_the_strength_of_noise_that_was_stored_as_jpeg(
    quality: int, margin_db: float
) -> None:
    clean = photographs()
    given = [to_u8(jpeg(to_float(noisy(each, white(25))), quality)) for each in clean]
    assert gain_db(clean, given, [by_default(each) for each in given]) > margin_db


def test_denoise_does_not_look_for_lost_colour_in_a_grey_photograph() -> None:
    grey = [np.repeat(each.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2) for each in photographs()]
    grain = np.random.default_rng(0).normal(0, 25, (*grey[0].shape[:2], 1))
    given = [to_u8(to_float(each) + grain[: each.shape[0], : each.shape[1]].astype(np.float32) / 255) for each in grey]
    told = [opened("denoise").apply(each, {"sigma": 25.0}) for each in given]
    left = [by_default(each) for each in given]
    assert gain_db(grey, given, left) > gain_db(grey, given, told) - 0.7


@pytest.mark.parametrize("quality", [10, 30, 50])
def test_denoise_left_to_itself_removes_the_blocks_of_a_jpeg(quality: int) -> None:
    clean = photographs()
    given = [to_u8(jpeg(to_float(each), quality)) for each in clean]
    assert gain_db(clean, given, [by_default(each) for each in given]) > 0.25


@pytest.mark.parametrize("level", [0, 1, 128, 254, 255])
@pytest.mark.parametrize("entry", RESTORERS, ids=by_id)
def test_a_constant_picture_stays_constant_but_for_a_trace_at_its_border(entry: ModelEntry, level: int) -> None:
    model = open_entry(entry)
    constant = np.full((64, 64, 3), level, np.uint8)
    difference = np.abs(model.apply(constant, dict.fromkeys(model.contract.scalars, 10.0)).astype(int) - level)
    assert difference[16:-16, 16:-16].max() <= 1
    assert difference.max() <= 8


@pytest.mark.parametrize("entry", RESTORERS, ids=by_id)
def test_the_mean_colour_is_kept(entry: ModelEntry) -> None:
    model = open_entry(entry)
    for clean in photographs():
        result = model.apply(clean, dict.fromkeys(model.contract.scalars, 10.0))
        assert np.abs(result.mean(axis=(0, 1)) - clean.mean(axis=(0, 1))).max() < 1


@pytest.mark.parametrize("entry", RESTORERS, ids=by_id)
def test_tiles_leave_no_seam_in_a_noisy_photograph(entry: ModelEntry) -> None:
    model, given = open_entry(entry), noisy(data.astronaut()[:320, :320], white(5))
    scalars = dict.fromkeys(model.contract.scalars, 10.0)
    small = 96 + 2 * model.contract.halo
    tiled = model.apply(given, scalars, tile=small).astype(int)
    assert np.abs(tiled - model.apply(given, scalars, tile=512)).max() <= 1


#: What interpolation loses to a model on luma, in dB, by the scale: bicubic, averaged, bicubic and JPEG 85, print.
UPSCALE_MARGINS_DB = {2: (1.8, 1.0, 0.8, 2.0), 4: (0.8, 0.4, 0.3, 0.8)}


def averaged(image: Image, scale: int) -> Image:
    return cv2.resize(image, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)


def printed(photograph: Pixels) -> Pixels:
    return to_u8(lettered(to_float(photograph), np.random.default_rng(1)))


@pytest.mark.parametrize("entry", UPSCALERS, ids=by_id)
@pytest.mark.parametrize("way", ["bicubic", "averaged", "bicubic-jpeg-85", "print"])
def test_upscale_beats_lanczos_on_luma(entry: ModelEntry, way: str) -> None:
    scale, judge = entry.contract.scale, luma_score(entry.contract.scale)
    ways = {
        "bicubic": reduced,
        "averaged": averaged,
        "bicubic-jpeg-85": lambda image, factor: jpeg(reduced(image, factor), 85),
        "print": reduced,
    }
    gains = []
    for photograph in photographs():
        clean = printed(photograph) if way == "print" else photograph
        small = to_u8(ways[way](to_float(clean), scale))
        classical = cv2.resize(small, clean.shape[1::-1], interpolation=cv2.INTER_LANCZOS4)
        enlarged = open_entry(entry).apply(small)
        gains.append(judge(enlarged, clean).psnr_db - judge(classical, clean).psnr_db)
    assert np.mean(gains) > UPSCALE_MARGINS_DB[scale][list(ways).index(way)]


@pytest.mark.endurance
@pytest.mark.parametrize("entry", RESTORERS, ids=by_id)
def test_memory_grows_with_the_picture_only_by_input_and_output(entry: ModelEntry) -> None:
    """Both pictures have tiles at corners, at edges and inside: a new shape takes new memory once, and more of it
    where a tile's answer is larger."""
    sides = (1450, 2400) if entry.contract.scale == 1 else (900, 1400)
    small, large = (
        measure(STORE.registry, entry.stage, entry.ref.id, Workload(size=(side, side), repetitions=1)) for side in sides
    )
    pixels_mb = 3 * (sides[1] ** 2 - sides[0] ** 2) * (1 + entry.contract.scale**2) / 1e6
    assert large.peak_mb - small.peak_mb < 1.2 * pixels_mb + 15 * max(1, entry.contract.scale // 2)


#: Blurs, and what at least the stage gains over its input and over each classical method, in dB. A Gaussian is what
#: the classical methods take every blur for: of one they make nearly as much as the model does.
BLURS: dict[str, tuple[Callable[[np.random.Generator], Kernel], float, float]] = {
    "motion-7": (lambda _: straight_motion(7.0, 0.6), 2.8, 2.6),
    "motion-15": (lambda _: straight_motion(15.0, 2.1), 2.9, 2.9),
    "shaken-13": (lambda rng: shaken(13.0, rng), 1.7, 1.7),
    "defocus-3": (lambda _: defocus(3.0), 3.1, 1.7),
    "defocus-6": (lambda _: defocus(6.0), 3.3, 2.3),
    "softness-1": (lambda _: softness(1.0), 1.9, 0.3),
}


def deblurred(given: Pixels) -> Pixels:
    return deblur.with_model(Picture(pixels=given), DeblurParameters(), opened("deblur")).picture.pixels


@pytest.mark.parametrize("name", BLURS)
def test_deblur_beats_its_input_and_the_classical_methods(name: str) -> None:
    make, over_input_db, over_classical_db = BLURS[name]
    rng = np.random.default_rng(0)
    clean = photographs()
    given = [to_u8(gaussian_noise(blurred(to_float(each), make(rng)), 2, rng)) for each in clean]
    restored = [deblurred(each) for each in given]
    assert gain_db(clean, given, restored) > over_input_db
    for method in ("unsharp", "wiener", "richardson_lucy"):
        others = [deblur.classical(Picture(pixels=each), DeblurParameters(), method).picture.pixels for each in given]
        assert gain_db(clean, others, restored) > over_classical_db


def test_deblur_makes_print_clear_and_leaves_the_paper_about_as_even_as_it_was() -> None:
    scene = scenes.spoilt("print", scenes.label(), scenes.blurred(defocus(2.0)))
    restored = deblurred(scene.given)
    assert psnr_db(restored, scene.wanted) - psnr_db(scene.given, scene.wanted) > 4
    paper = (slice(208, 244), slice(110, 370))
    assert restored[paper].std(axis=(0, 1)).max() < 1.25 * scene.given[paper].std(axis=(0, 1)).max()


@pytest.mark.parametrize("level", [0, 1, 128, 254, 255])
def test_deblur_leaves_a_constant_picture_as_it_is(level: int) -> None:
    constant = np.full((128, 160, 3), level, np.uint8)
    assert np.abs(deblurred(constant).astype(int) - level).max() <= 1


def test_deblur_keeps_the_mean_colour() -> None:
    for clean in photographs():
        given = to_u8(blurred(to_float(clean), defocus(4.0)))
        assert np.abs(deblurred(given).mean(axis=(0, 1)) - given.mean(axis=(0, 1))).max() < 1


def test_deblur_leaves_sharp_photographs_as_they_are() -> None:
    """No comparison with the input is possible there: it is the answer."""
    for clean in photographs():
        assert psnr_db(deblurred(clean), clean) > 36


def test_deblur_loses_nothing_on_sharp_photographs_with_faint_noise() -> None:
    clean = photographs()
    given = [noisy(each, white(3)) for each in clean]
    assert gain_db(clean, given, [deblurred(each) for each in given]) > -0.5
