"""The judge is trained on mixtures of faults whose grades, and whose harm, are known."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from darkroom.imaging.measurement.score_input import PARTS
from darkroom.imaging.picture import Image, to_float
from models.evaluation.assess import spearman
from models.training.fidelity import LUMA, quality, ssim
from models.training.mixtures import FAULTS, Mixture, degraded, disc, line, random_mixture
from tests.photographs import photograph


@pytest.fixture
def clean() -> Image:
    return to_float(np.ascontiguousarray(photograph("astronaut")[60:252, 120:312]))


def test_the_network_answers_with_the_faults_in_the_order_of_the_mixtures() -> None:
    assert FAULTS == PARTS


def test_without_a_fault_the_photograph_stays_as_it_is(clean: Image) -> None:
    kept = degraded(clean, Mixture(), np.random.default_rng(0))
    assert np.abs(kept - clean).max() < 1e-6
    assert quality(kept, clean) == 1.0


@pytest.mark.parametrize("fault", FAULTS)
def test_a_graver_fault_leaves_less_quality(fault: str, clean: Image) -> None:
    found = []
    for grade in (0.1, 0.4, 0.7, 1.0):
        mixture = Mixture(grades={fault: grade})
        found.append(np.mean([quality(degraded(clean, mixture, np.random.default_rng(n)), clean) for n in range(6)]))
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.6
    assert found[-1] < 0.65


def test_every_mixture_is_a_picture_and_leaves_its_argument_alone(clean: Image) -> None:
    rng, before = np.random.default_rng(1), clean.copy()
    for _ in range(60):
        image = degraded(clean, random_mixture(rng), rng)
        assert image.shape == clean.shape
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert 0.0 <= image.min() <= image.max() <= 1.0
    assert np.array_equal(clean, before)


def test_parts_tell_which_fault_is_how_grave() -> None:
    assert Mixture(grades={"blur": 0.25, "cast": 1.0}).parts() == (1.0, 0.75, 1.0, 1.0, 0.0)


def test_similarity_is_that_of_its_source(clean: Image) -> None:
    noisy = degraded(clean, Mixture(grades={"noise": 0.4}), np.random.default_rng(0))
    first, second = noisy @ LUMA, clean @ LUMA
    known = structural_similarity(
        first, second, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(first, second) == pytest.approx(float(known), abs=0.01)


def test_kernels_keep_the_brightness_and_have_the_size_they_are_told() -> None:
    assert disc(3.0).sum() == pytest.approx(1.0)
    assert (disc(3.0) > 0).any(axis=0).sum() == pytest.approx(7, abs=2)
    assert line(9.0, 30.0).sum() == pytest.approx(1.0)
    level = line(9.0, 0.0).sum(axis=0)
    assert (level > 0.05).sum() == pytest.approx(9, abs=2)


def test_equal_values_share_their_rank() -> None:
    assert spearman([1, 2, 2, 3], [10, 30, 30, 90]) == pytest.approx(1.0)
    assert spearman([1, 2, 3], [9, 5, 1]) == pytest.approx(-1.0)
