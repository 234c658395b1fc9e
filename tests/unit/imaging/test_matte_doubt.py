"""A matte that is probably wrong is told from one that is probably right, without knowing the true one."""

import cv2
import numpy as np
import pytest

from darkroom.imaging.matting.matte_doubt import MOST_DOUBT, Evidence, matte_evidence
from darkroom.imaging.picture import Pixels, Plane, to_pixels


def scene(side: int = 200) -> tuple[Pixels, Plane]:
    """An orange disc on blue, and its matte."""
    matte = np.zeros((side, side), np.uint8)
    cv2.circle(matte, (side // 2, side // 2), side // 4, 255, -1, cv2.LINE_AA)
    share = (matte / 255)[..., np.newaxis]
    pixels = np.rint(share * (220, 120, 30) + (1 - share) * (30, 60, 160)).astype(np.uint8)
    return pixels, (matte / 255).astype(np.float32)


def evidence(pixels: Pixels, found: Plane, cut: Plane | None = None) -> Evidence:
    return matte_evidence(pixels, found, to_pixels(found if cut is None else cut, np.dtype(np.uint8)))


def test_a_clear_matte_of_a_subject_on_plain_ground_is_approved() -> None:
    found = evidence(*scene())
    assert found.doubt < MOST_DOUBT
    assert found.frame == 0.0


def test_the_more_ambiguous_the_matte_the_greater_the_doubt() -> None:
    pixels, matte = scene()
    doubts = [evidence(pixels, matte * np.float32(level)).doubt for level in (1.0, 0.9, 0.75, 0.6)]
    assert doubts == sorted(doubts)
    assert doubts[-1] > MOST_DOUBT
    assert evidence(pixels, matte * np.float32(0.6)).sentence == "the outline is ambiguous"


def test_the_place_of_the_strongest_evidence_is_marked() -> None:
    pixels, matte = scene()
    unsure = matte.copy()
    unsure[:100, :100] *= np.float32(0.55)
    found = evidence(pixels, unsure)
    assert found.sentence == "the outline is ambiguous"
    place = found.places[0]
    assert 0.2 < place.top < place.top + place.height <= 0.52
    assert 0.2 < place.left < place.left + place.width <= 0.52
    shifted, below = (np.roll(each, 90, axis=0) for each in scene())
    shifted[:60], below[:60] = (30, 60, 160), 0.0
    cut = evidence(shifted, below)
    assert cut.frame > 0.02
    assert cut.sentence == "the frame cuts the subject"
    assert cut.places[0].words == "at the bottom"


def test_edges_of_the_subject_that_go_on_outside_the_matte_are_evidence() -> None:
    """Half of the subject is left out: its own outline goes on where the cut ends."""
    pixels, matte = scene()
    half = matte.copy()
    half[:, 100:] = 0.0
    assert evidence(pixels, half).crossing > 5 * evidence(pixels, matte).crossing + 0.1
    assert evidence(pixels, half).doubt > evidence(pixels, matte).doubt


def test_edges_elsewhere_in_the_picture_are_no_evidence() -> None:
    pixels, matte = scene()
    pixels[8:20, 8:20] = 255
    assert evidence(pixels, matte).crossing == evidence(*scene()).crossing


@pytest.mark.parametrize("shift", [60, 90])
def test_a_subject_that_the_frame_cuts_is_evidence(shift: int) -> None:
    pixels, matte = (np.roll(each, shift, axis=0) for each in scene())
    pixels[:20], matte[:20] = (30, 60, 160), 0.0
    found = evidence(pixels, matte)
    assert found.frame > 0.02
    assert found.doubt > evidence(*scene()).doubt


def test_the_size_of_the_picture_hardly_changes_the_evidence() -> None:
    small, large = evidence(*scene(240)), evidence(*scene(960))
    assert small.doubt == pytest.approx(large.doubt, abs=0.03)
    deep = scene(240)[0].astype(np.uint16) * 257
    assert evidence(deep, scene(240)[1]).doubt == pytest.approx(small.doubt, abs=0.01)


def test_an_empty_matte_and_a_full_one_do_not_break_it() -> None:
    for level in (0.0, 1.0):
        matte = np.full((5, 7), level, np.float32)
        assert 0.0 <= evidence(np.zeros((5, 7, 3), np.uint8), matte).doubt <= 1.0
