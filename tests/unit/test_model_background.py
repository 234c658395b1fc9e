"""What is the background model trained on, and how is it judged?"""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.evaluation.background import Tally, ellipse, precision_and_recall
from models.training.mattes import STORED_SIDE, pairs, photographs_with_matte
from models.training.photographs import is_validation

WANTED = np.zeros((8, 8), bool)
WANTED[2:6, 2:6] = True


def written(folder: Path, count: int) -> Path:
    """A data folder of `count` pairs whose mattes are their left halves."""
    (folder / "mattes").mkdir()
    matte = np.zeros((30, 40), np.uint8)
    matte[:, :20] = 255
    for number in range(count):
        stem = folder / "mattes" / f"duts_{number:04}"
        cv2.imwrite(f"{stem}.jpg", np.full((30, 40, 3), 90, np.uint8))
        cv2.imwrite(f"{stem}.png", matte)
    return folder


def test_pairs_are_squeezed_to_squares_with_the_matte_as_fourth_channel(tmp_path: Path) -> None:
    found = pairs(written(tmp_path, 40))
    assert len(found.training) + len(found.validation) == 40
    assert len(found.validation) == sum(is_validation(f"duts_{number:04}.jpg") for number in range(40))
    pair = found.training[0]
    assert pair.shape == (STORED_SIDE, STORED_SIDE, 4)
    assert (pair[:, : STORED_SIDE // 2 - 4, 3] == 255).all()
    assert (pair[:, STORED_SIDE // 2 + 4 :, 3] == 0).all()
    assert np.abs(pair[..., :3].astype(int) - 90).max() <= 2


def test_a_photograph_without_a_matte_is_left_out(tmp_path: Path) -> None:
    folder = written(tmp_path, 3)
    (folder / "mattes" / "duts_0001.png").unlink()
    assert [path.stem for path in photographs_with_matte(folder)] == ["duts_0000", "duts_0002"]


def test_a_perfect_matte_has_no_error_and_full_f_measure() -> None:
    tally = Tally()
    tally.add((WANTED * 255).astype(np.uint8), WANTED)
    assert tally.mean_error == 0
    assert tally.f_measure()[1:] == pytest.approx(np.ones(255))


def test_precision_and_recall_are_those_of_every_cut() -> None:
    matte = np.where(WANTED, 200, 100).astype(np.uint8)
    matte[2, 2] = 50
    precision, recall = precision_and_recall(matte, WANTED)
    assert precision[[0, 50, 51, 100, 101, 200]] == pytest.approx([16 / 64, 16 / 64, 15 / 63, 15 / 63, 1, 1])
    assert recall[[0, 50, 51, 200, 201]] == pytest.approx([1, 1, 15 / 16, 15 / 16, 0])


def test_a_picture_without_a_subject_is_judged_as_the_opaque_picture_that_it_is() -> None:
    tally = Tally()
    tally.add(None, WANTED)
    assert tally.not_found == 1
    assert tally.mean_error == pytest.approx(1 - WANTED.mean())


def test_the_ellipse_is_brightest_in_the_middle() -> None:
    matte = ellipse(np.zeros((41, 61, 3), np.uint8))
    assert matte.shape == (41, 61)
    assert matte[20, 30] == matte.max() == 255
    assert matte[0, 0] == matte.min()
