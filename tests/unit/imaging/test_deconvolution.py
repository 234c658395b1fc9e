"""Undoing a known blur brings back what was there, at its place, and nothing else."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from darkroom.imaging.deconvolution import UNDO_REACH, undo_blur
from tests.degradations import part

NO_NOISE = (1e-3, 1e-4)


def picture(side: int = 160) -> NDArray[np.float32]:
    return part(side=side).astype(np.float32) / 255


def slanted(length: int = 7) -> NDArray[np.float32]:
    """A motion that is not the same backwards."""
    psf = np.diag(np.linspace(1, 3, length)).astype(np.float32)
    return psf / psf.sum()


def smeared(image: NDArray[np.float32], psf: NDArray[np.float32]) -> NDArray[np.float32]:
    return cv2.filter2D(image, -1, psf[::-1, ::-1], borderType=cv2.BORDER_REFLECT)


def rms(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Without the border, where what was smeared in from outside is not known."""
    return float(np.sqrt(np.square(one - other)[24:-24, 24:-24].mean()))


def test_a_known_blur_is_undone_at_its_place() -> None:
    clean, psf = picture(), slanted()
    soft = smeared(clean, psf)
    assert rms(undo_blur(soft, psf, NO_NOISE), clean) < 0.4 * rms(soft, clean)
    assert rms(undo_blur(soft, psf[::-1, ::-1], NO_NOISE), clean) > rms(soft, clean)


def test_no_blur_and_no_noise_change_nothing() -> None:
    point = np.zeros((25, 25), np.float32)
    point[12, 12] = 1.0
    assert np.abs(undo_blur(picture(), point, (0.0, 0.0)) - picture()).max() < 1e-4


def test_more_noise_to_signal_restores_less() -> None:
    soft = smeared(picture(), slanted())
    changes = [rms(undo_blur(soft, slanted(), (ratio, ratio / 10)), soft) for ratio in (0.001, 0.01, 0.1, 1.0)]
    assert changes == sorted(changes, reverse=True)


def test_a_flat_picture_stays_flat_up_to_its_border() -> None:
    flat = np.full((40, 50, 3), 0.7, np.float32)
    assert np.abs(undo_blur(flat, slanted(), (0.05, 0.02)) - 0.7).max() < 1e-4


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (31, 17)])
def test_pictures_smaller_than_the_blur_come_back_in_their_size(size: tuple[int, int]) -> None:
    tiny = np.random.default_rng(0).random((*size, 3), np.float32)
    answer = undo_blur(tiny, slanted(), (0.1, 0.01))
    assert answer.shape == tiny.shape
    assert np.isfinite(answer).all()


def test_what_lies_beyond_the_reach_has_no_influence() -> None:
    one = picture(220)
    other = one.copy()
    other[:, -20:] = 1.0 - other[:, -20:]
    far = slice(0, 220 - 20 - UNDO_REACH)
    answers = [undo_blur(each, slanted(), (0.05, 0.01))[:, far] for each in (one, other)]
    assert np.abs(answers[0] - answers[1]).max() < 2 / 255
