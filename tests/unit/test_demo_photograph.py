"""The photograph of the demo, and how its gain is measured."""

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from darkroom.cli.support.sample import likeness
from darkroom.cli.support.scene import SIDE, landscape
from darkroom.imaging.measurement.measure import measure
from darkroom.imaging.picture import Picture
from tests.photographs import photograph


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_likeness_is_what_scikit_image_measures(sigma: float) -> None:
    reference = photograph()
    blurred = np.asarray(cv2.GaussianBlur(reference, (0, 0), sigma), np.uint8)
    found = likeness(reference, blurred)
    assert found.ssim == pytest.approx(structural_similarity(reference, blurred, channel_axis=2), abs=1e-9)
    assert found.psnr_db == pytest.approx(peak_signal_noise_ratio(reference, blurred), abs=1e-9)


def test_the_landscape_is_the_same_every_time() -> None:
    first, second = landscape(), landscape()
    assert first.shape == (SIDE, SIDE, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)


def test_the_landscape_is_measured_as_a_clean_sharp_photograph_without_a_cast() -> None:
    found = measure(Picture(pixels=landscape()))
    assert found.noise_sigma < 1.0
    assert found.blur_radius < 0.6
    assert found.cast_strength < 0.1
    assert found.contrast > 0.6
