"""Training pairs are degraded as stated, and validation photographs are never trained on."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from darkroom.imaging.picture import Image
from models.training.blur import Kernel, blurred, defocus, shaken, softness, straight_motion
from models.training.degradations import film_grain, gaussian_noise, half_plane, jpeg, quantise, reduced, sensor_noise
from models.training.lettering import lettered
from models.training.patterns import CONTRASTS, PERIODS, PERSPECTIVE, patterned, stripes
from models.training.photographs import every, is_validation, permissive, random_patch
from models.training.sources import source_of


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def gradient() -> Image:
    """From dark to light, 128 x 128."""
    return np.linspace(0.1, 0.9, 128, dtype=np.float32)[:, np.newaxis, np.newaxis].repeat(128, axis=1).repeat(3, axis=2)


def rms(noise: np.ndarray) -> float:
    return 255 * float(np.sqrt(np.square(noise).mean()))


def test_every_noise_has_the_strength_that_it_is_told(gradient: Image, rng: np.random.Generator) -> None:
    noises = [
        gaussian_noise(gradient, 20, rng),
        sensor_noise(gradient, 20, rng, shot_share=0.8),
        film_grain(gradient, 20, rng, radius=0.7, coloured=True),
        film_grain(gradient, 20, rng, radius=0.7, coloured=False),
    ]
    assert [rms(noisy - gradient) for noisy in noises] == pytest.approx([20] * 4, rel=0.05)


def test_photon_noise_grows_with_the_light(gradient: Image, rng: np.random.Generator) -> None:
    noise = sensor_noise(gradient, 20, rng, shot_share=1.0) - gradient
    assert rms(noise[-32:]) / rms(noise[:32]) == pytest.approx(np.sqrt(0.8 / 0.2), rel=0.1)


def test_grain_is_shared_by_neighbours_and_by_channels_unless_coloured(
    gradient: Image, rng: np.random.Generator
) -> None:
    grey = film_grain(gradient, 20, rng, radius=0.7, coloured=False) - gradient
    coloured = film_grain(gradient, 20, rng, radius=0.7, coloured=True) - gradient
    assert np.corrcoef(grey[:, 1:, 0].ravel(), grey[:, :-1, 0].ravel())[0, 1] > 0.4
    assert np.abs(grey[..., 0] - grey[..., 1]).max() < 1e-6
    assert abs(np.corrcoef(coloured[..., 0].ravel(), coloured[..., 1].ravel())[0, 1]) < 0.1


def test_jpeg_loses_more_at_lower_quality(gradient: Image, rng: np.random.Generator) -> None:
    busy = quantise(gaussian_noise(gradient, 20, rng))
    assert rms(jpeg(busy, 60) - busy) > rms(jpeg(busy, 95) - busy) > 0


@pytest.mark.parametrize("factor", [2, 4])
def test_reducing_keeps_linear_gradients_and_refuses_what_cannot_be_divided(gradient: Image, factor: int) -> None:
    expected = gradient[:, ::factor].reshape(-1, factor, 128 // factor, 3).mean(axis=1)
    assert np.abs(reduced(gradient, factor) - expected)[4:-4].max() < 1e-5
    with pytest.raises(ValueError, match="127 pixels"):
        reduced(gradient[:127], factor)


@pytest.mark.parametrize("factor", [2, 4])
def test_reducing_averages_what_the_smaller_picture_cannot_hold(factor: int) -> None:
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[:, ::2] = 1.0
    assert np.abs(reduced(stripes, factor)[:, 4:-4] - 0.5).max() < 0.02


@pytest.mark.parametrize("seed", range(8))
def test_stripes_follow_each_other_at_the_distances_and_in_the_direction_that_they_are_told(seed: int) -> None:
    drawn = stripes((128, 128), 0.0, np.random.default_rng(seed))
    assert (drawn.shape, drawn.dtype, np.abs(drawn).max()) == ((128, 128), np.float32, pytest.approx(1, abs=0.3))
    spectrum = np.abs(np.fft.rfft2(drawn - drawn.mean()))
    row, column = np.unravel_index(spectrum.argmax(), spectrum.shape)
    shortest, longest = PERIODS
    assert 128 / (longest * PERSPECTIVE) - 1 <= column <= 128 * PERSPECTIVE / shortest + 1
    assert min(row, 128 - row) < column


def test_a_pattern_is_laid_over_the_picture_and_leaves_it_within_its_range(
    gradient: Image, rng: np.random.Generator
) -> None:
    before = gradient.copy()
    for _ in range(20):
        drawn = patterned(gradient, rng)
        assert (drawn.shape, drawn.dtype) == (gradient.shape, np.float32)
        assert 0 <= drawn.min() < drawn.max() <= 1
        assert 0.001 < np.abs(drawn - gradient).mean() < 2 * CONTRASTS[1]
    assert (gradient == before).all()


KERNELS: dict[str, tuple[Callable[[np.random.Generator], Kernel], float]] = {
    "straight motion": (lambda rng: straight_motion(15.0, float(rng.uniform(0, np.pi))), 15.0),
    "shaken": (lambda rng: shaken(15.0, rng), 15.0),
    "defocus": (lambda _: defocus(7.5), 15.0),
    "softness": (lambda _: softness(2.0), 14.0),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_blur_keeps_the_light_and_the_place_and_has_the_size_that_it_is_told(
    name: str, rng: np.random.Generator
) -> None:
    make, size = KERNELS[name]
    for _ in range(5):
        kernel = make(rng)
        middle = (len(kernel) - 1) / 2
        rows, columns = np.indices(kernel.shape)
        assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
        assert kernel.min() >= 0.0
        assert ((kernel * rows).sum(), (kernel * columns).sum()) == pytest.approx((middle, middle), abs=0.05)
        lit = np.argwhere(kernel > 1e-6)
        assert np.hypot(*np.ptp(lit, axis=0)) <= 1.5 * size + 3
        assert np.ptp(lit, axis=0).max() >= size / np.sqrt(2) - 2


def test_motion_blurs_along_its_direction_alone() -> None:
    upright = np.zeros((41, 41, 3), np.float32)
    upright[:, 20] = 1.0
    along, across = (blurred(upright, straight_motion(9.0, angle)) for angle in (np.pi / 2, 0.0))
    assert np.abs(along - upright).max() < 0.01
    assert across.max() < 0.2


def test_a_blur_in_light_makes_bright_spots_larger(rng: np.random.Generator) -> None:
    spot = np.zeros((41, 41, 3), np.float32)
    spot[20, 20] = 1.0
    assert blurred(spot, defocus(4.0), in_light=True).sum() > 3 * blurred(spot, defocus(4.0)).sum()


def test_lettering_covers_part_of_the_picture_and_stays_in_range(gradient: Image, rng: np.random.Generator) -> None:
    for _ in range(8):
        page = lettered(gradient, rng)
        assert page.shape == gradient.shape
        assert page.dtype == np.float32
        assert page.min() >= 0.0
        assert page.max() <= 1.0
        assert page.std(axis=(0, 1)).max() > 0.02


def test_a_half_plane_has_two_values(rng: np.random.Generator) -> None:
    plane = half_plane((64, 64, 3), rng)
    assert plane.shape == (64, 64, 1)
    assert set(np.unique(plane)) == {0, 1}


def test_photographs_of_unknown_origin_are_not_trained_on() -> None:
    assert source_of("clic25_0001.jpg").commercial_use
    assert not source_of("imnet_0001.jpg").commercial_use
    with pytest.raises(KeyError):
        source_of("somewhere_0001.jpg")


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Sixty small photographs that may be used, and one that may not."""
    (tmp_path / "photos").mkdir()
    names = [*(f"pop_{number:04}.jpg" for number in range(60)), "bsds_0000.jpg"]
    for name in names:
        cv2.imwrite(str(tmp_path / "photos" / name), rng.integers(0, 256, (40, 48, 3), np.uint8))
    return tmp_path


def test_the_split_is_fixed_by_file_names(folder: Path) -> None:
    loaded = permissive(folder)
    validation = [path for path in folder.glob("photos/pop_*.jpg") if is_validation(path.name)]
    assert len(loaded.validation) == len(validation) > 0
    assert len(loaded.training) == 60 - len(validation)


def test_photographs_for_research_are_loaded_only_when_asked_for(folder: Path) -> None:
    counts = [len(split.training) + len(split.validation) for split in (permissive(folder), every(folder))]
    assert counts == [60, 61]


def test_too_few_photographs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="0 usable examples"):
        permissive(tmp_path)


def test_patches_are_cut_in_all_orientations(rng: np.random.Generator) -> None:
    corner = np.zeros((8, 8, 3), np.uint8)
    corner[0, 0] = 255
    corner[0, 1] = 128
    seen = {random_patch(corner, 8, rng).tobytes() for _ in range(200)}
    assert len(seen) == 8


def test_a_photograph_that_is_too_small_for_a_patch_is_enlarged(rng: np.random.Generator) -> None:
    assert random_patch(np.zeros((20, 50, 3), np.uint8), 32, rng).shape == (32, 32, 3)
