"""Does the classical cut-out hold the subject, the whole subject and nothing but the subject, where it can?"""

import cv2
import numpy as np
import pytest
import skimage.data

from darkroom.domain.parameters import BackgroundParameters
from darkroom.imaging.matting.subject import find_subject
from darkroom.imaging.picture import Picture
from darkroom.stages import StageOutput
from darkroom.stages.restore import restore
from tests.degradations import U8, noisy, part
from tests.photographs import photograph


def cut_out(pixels: U8) -> StageOutput:
    return restore("background", Picture(pixels=pixels), BackgroundParameters(), "grabcut", None)


def on_ground(ground: U8, subject: U8) -> tuple[U8, np.ndarray]:
    """A subject, disc-shaped with a soft rim, on a ground of the same size; and its true matte."""
    rows, columns = np.mgrid[-128:128, -128:128]
    matte = np.clip(80.5 - np.hypot(rows, columns), 0.0, 1.0)
    mixed = ground + (subject.astype(float) - ground) * matte[..., np.newaxis]
    return np.rint(mixed).astype(np.uint8), matte


@pytest.mark.parametrize("ground", [(235, 235, 230), (40, 60, 90)])
def test_a_subject_on_a_plain_ground_is_cut_out(ground: tuple[int, int, int]) -> None:
    plain = noisy(np.full((256, 256, 3), ground, np.uint8), 3.0)
    pixels, matte = on_ground(plain, part("coffee", left=120, top=100))
    found = cut_out(pixels)
    assert found.values["subject_found"] is True
    assert found.picture.alpha is not None
    alpha = found.picture.alpha / 255.0
    overlap = np.minimum(alpha, matte).sum() / np.maximum(alpha, matte).sum()
    assert overlap > 0.9


def test_no_fringe_of_the_old_ground_is_left() -> None:
    green = np.zeros((256, 256, 3), np.uint8) + np.array((30, 200, 40), np.uint8)
    red = np.zeros((256, 256, 3), np.uint8) + np.array((180, 40, 40), np.uint8)
    pixels, _ = on_ground(green, red)
    found = cut_out(pixels).picture
    assert found.alpha is not None
    rim = (found.alpha > 25) & (found.alpha < 230)
    assert rim.sum() > 100
    assert np.percentile(found.pixels[rim][:, 1].astype(int), 90) < 90


@pytest.mark.parametrize("name", ["coffee", "coins"])
def test_what_a_subject_surrounds_belongs_to_it(name: str) -> None:
    pixels = np.asarray(getattr(skimage.data, name)())
    colours: U8 = np.repeat(pixels[..., np.newaxis], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]
    mask = find_subject(np.ascontiguousarray(colours))
    assert mask is not None
    _, labels = cv2.connectedComponents((mask == 0.0).astype(np.uint8), connectivity=4)
    frame = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    assert set(np.unique(labels)) <= {0, *np.unique(frame)}


def test_the_inside_of_a_cup_stays_in_it() -> None:
    alpha = cut_out(photograph("coffee")).picture.alpha
    assert alpha is not None
    assert alpha[40:170, 230:350].min() > 250
    assert alpha[:30, :100].max() < 5


def test_a_plain_wall_holds_no_subject() -> None:
    wall = noisy(np.full((200, 200, 3), 150, np.uint8), 4.0)
    output = cut_out(wall)
    assert output.values["subject_found"] is False
    assert output.picture.alpha is None
