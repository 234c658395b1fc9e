"""Training pairs are degraded as stated, and validation photographs are never trained on."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.training.degradations import film_grain, gaussian_noise, half_plane, halve, jpeg, quantise, sensor_noise
from models.training.photographs import Photographs, is_validation, random_patch
from models.training.sources import source_of
from shared.imaging.picture import Image


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


def test_halving_keeps_linear_gradients_and_refuses_odd_sides(gradient: Image) -> None:
    expected = (gradient[::2, ::2] + gradient[1::2, ::2]) / 2
    assert np.abs(halve(gradient) - expected)[4:-4].max() < 1e-5
    with pytest.raises(ValueError, match="127 pixels"):
        halve(gradient[:127])


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
    for number in range(60):
        cv2.imwrite(str(tmp_path / f"pop_{number:04}.jpg"), rng.integers(0, 256, (40, 48, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "bsds_0000.jpg"), rng.integers(0, 256, (40, 48, 3), np.uint8))
    return tmp_path


def test_the_split_is_fixed_by_file_names(folder: Path) -> None:
    loaded = Photographs.load(folder)
    validation = [path for path in folder.glob("pop_*.jpg") if is_validation(path.name)]
    assert len(loaded.validation) == len(validation) > 0
    assert len(loaded.training) == 60 - len(validation)


def test_too_few_photographs_are_refused(folder: Path) -> None:
    with pytest.raises(SystemExit, match="60 usable photographs"):
        Photographs.load(folder, min_side=41)


def test_patches_are_cut_in_all_orientations(rng: np.random.Generator) -> None:
    corner = np.zeros((8, 8, 3), np.uint8)
    corner[0, 0] = 255
    corner[0, 1] = 128
    seen = {random_patch((corner,), 8, rng).tobytes() for _ in range(200)}
    assert len(seen) == 8
