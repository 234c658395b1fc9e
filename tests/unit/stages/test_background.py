"""Tests the background stage on the mattes of networks."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import BackgroundParameters
from darkroom.imaging.matting.guided import fit, restrict_to_edges
from darkroom.imaging.matting.subject import certain_parts, decide_by_colour, is_uncertain
from darkroom.imaging.picture import Picture, Pixels, Plane
from darkroom.stages import StageOutput
from darkroom.stages.restore import restore
from tests.degradations import part


@dataclass
class MatteModel:
    """Answers every picture with the same small matte."""

    matte: Plane
    answer: str = "matte"
    scale: int = 1
    scalars: Collection[str] = ()
    extra: Collection[str] = ()

    def reduced(self, height: int, width: int) -> tuple[int, int]:
        return self.matte.shape[0], self.matte.shape[1]

    def apply(self, pixels: Pixels, scalars: Mapping[str, float] | None = None, *, tile: int | None = None) -> Pixels:
        raise AssertionError("a matte is read")

    def read(
        self,
        pixels: Pixels,
        extra: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> Mapping[str, NDArray[np.float32]]:
        return {"matte": self.matte[np.newaxis]}


def disc(side: int = 64, *, centre: tuple[int, int] = (32, 32), radius: int = 16, level: float = 1.0) -> Plane:
    rows, columns = np.mgrid[:side, :side]
    distance = np.hypot(rows - centre[0], columns - centre[1])
    return (level * np.clip(radius - distance + 0.5, 0, 1)).astype(np.float32)


def on_ground(side: int, *mattes: Plane) -> Pixels:
    """Orange discs, where the mattes are, on a blue ground."""
    matte = cv2.resize(np.max(mattes, axis=0), (side, side))[..., np.newaxis]
    mixed = matte * np.array((220, 120, 30)) + (1 - matte) * np.array((30, 60, 160))
    return np.rint(mixed).astype(np.uint8)


def cut_out(pixels: Pixels, matte: Plane, **given: float) -> StageOutput:
    return restore("background", Picture(pixels=pixels), BackgroundParameters(**given), "model", MatteModel(matte))


def test_the_matte_becomes_the_alpha_channel_at_full_size() -> None:
    output = cut_out(on_ground(600, disc()), disc(), feather=0.0)
    alpha = output.picture.alpha
    assert alpha is not None
    wanted = cv2.resize(disc(), (600, 600)) > 0.5
    assert alpha.shape == (600, 600)
    assert ((alpha > 127) == wanted).mean() > 0.995
    assert output.values["subject_found"] is True
    assert output.values["subject_share"] == pytest.approx(wanted.mean(), abs=0.005)
    assert not output.low_confidence


def test_a_blurred_matte_is_drawn_to_the_edges_of_the_picture() -> None:
    blurred = cv2.GaussianBlur(disc(), (0, 0), 2.0)
    output = cut_out(on_ground(600, disc()), blurred, feather=0.0)
    wanted = cv2.resize(disc(), (600, 600))
    assert output.picture.alpha is not None
    before = np.abs(cv2.resize(blurred, (600, 600)) - wanted).mean()
    assert np.abs(output.picture.alpha / 255 - wanted).mean() < 0.25 * before


def test_a_patch_in_the_colour_of_the_ground_leaves_no_hole() -> None:
    pixels = on_ground(600, disc())
    pixels[290:320, 290:320] = (30, 60, 160)
    alpha = cut_out(pixels, disc()).picture.alpha
    assert alpha is not None
    assert alpha[285:325, 285:325].min() == 255


def test_a_patch_in_the_colour_of_the_subject_leaves_no_spot() -> None:
    pixels = on_ground(600, disc())
    pixels[20:60, 20:60] = (220, 120, 30)
    alpha = cut_out(pixels, disc()).picture.alpha
    assert alpha is not None
    assert alpha[:80, :80].max() == 0


def test_what_the_network_doubts_is_decided_by_the_colours_of_what_it_is_sure_of() -> None:
    pixels, matte = on_ground(64, disc()), disc()
    matte[32:, :] = 0.4
    matte[60:, :] = 0.0
    result = decide_by_colour(pixels, matte)
    assert result[36:44, 26:38].min() > 0.85
    assert result[40:58, :10].max() < 0.15


def test_a_spot_in_the_colour_of_the_ground_is_no_hole_if_the_network_holds_it_for_the_subject() -> None:
    pixels, matte = on_ground(64, disc()), disc()
    pixels[27:37, 27:37] = (30, 60, 160)
    matte[27:37, 27:37] = 0.7
    assert decide_by_colour(pixels, matte)[27:37, 27:37].min() > 0.9


@pytest.mark.parametrize("level", [0.2, 0.8])
def test_a_matte_without_two_sides_is_left_as_it_is(level: float) -> None:
    matte = np.full((64, 64), level, np.float32)
    assert (decide_by_colour(on_ground(64, disc()), matte) == matte).all()


def test_several_subjects_are_kept() -> None:
    one, other = disc(centre=(20, 20), radius=10), disc(centre=(46, 46), radius=10, level=0.9)
    alpha = cut_out(on_ground(256, one, other), np.maximum(one, other)).picture.alpha
    assert alpha is not None
    assert alpha[80, 80] == 255
    assert alpha[184, 184] == 255


def test_a_part_that_the_network_is_nowhere_sure_of_is_dropped() -> None:
    sure, faint = disc(centre=(20, 20), radius=10), disc(centre=(46, 46), radius=10, level=0.45)
    alpha = cut_out(on_ground(256, sure, faint), np.maximum(sure, faint)).picture.alpha
    assert alpha is not None
    assert alpha[80, 80] == 255
    assert alpha[150:, 150:].max() == 0


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_matte_of_nothing_or_everything_finds_no_subject(level: float) -> None:
    picture = Picture(pixels=part(side=64))
    matte = np.full((32, 32), level, np.float32)
    output = restore("background", picture, BackgroundParameters(), "model", MatteModel(matte))
    assert output.picture is picture
    assert output.values["subject_found"] is False
    assert output.low_confidence


def test_what_is_too_faint_to_be_cut_out_leaves_no_empty_picture() -> None:
    matte = np.full((32, 32), 0.25, np.float32)
    matte[8:10, 8:10] = matte[20:22, 20:22] = 0.55
    picture = Picture(pixels=np.random.default_rng(0).integers(90, 160, (128, 128, 3)).astype(np.uint8))
    output = restore("background", picture, BackgroundParameters(), "model", MatteModel(matte))
    assert output.picture is picture
    assert output.values["subject_found"] is False
    assert output.notes
    assert output.low_confidence


def test_a_grey_matte_is_for_a_person_to_look_at() -> None:
    assert cut_out(on_ground(128, disc()), disc(level=0.65)).low_confidence
    assert not cut_out(on_ground(128, disc()), disc(level=0.995)).low_confidence


@pytest.mark.parametrize("radius", [3, 40])
def test_a_subject_of_next_to_nothing_or_nearly_everything_is_for_a_person_to_look_at(radius: int) -> None:
    assert is_uncertain(disc(radius=radius))
    assert not is_uncertain(disc(radius=16))


def test_half_the_strength_leaves_the_background_half_visible() -> None:
    alpha = cut_out(on_ground(256, disc()), disc(), feather=0.0, strength=0.5).picture.alpha
    assert alpha is not None
    assert alpha.min() == 128
    assert alpha[128, 128] == 255


def test_no_strength_returns_the_picture_itself() -> None:
    picture = Picture(pixels=on_ground(64, disc()))
    parameters = BackgroundParameters(strength=0.0)
    assert restore("background", picture, parameters, "model", MatteModel(disc())).picture is picture


def test_a_larger_feather_softens_the_cut() -> None:
    pixels = on_ground(256, disc())
    soft = [cut_out(pixels, disc(), feather=feather).picture.alpha for feather in (0.0, 4.0, 12.0)]
    between = [((alpha > 5) & (alpha < 250)).sum() for alpha in soft if alpha is not None]
    assert between == sorted(set(between))
    assert len(between) == 3


def test_what_was_transparent_stays_transparent() -> None:
    alpha = np.full((256, 256), 255, np.uint8)
    alpha[:, :128] = 0
    picture = Picture(pixels=on_ground(256, disc()), alpha=alpha)
    result = restore("background", picture, BackgroundParameters(), "model", MatteModel(disc())).picture.alpha
    assert result is not None
    assert result[:, :128].max() == 0
    assert result[128, 140] == 255


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (7, 3), (2500, 40)])
def test_any_size_is_cut_out(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    output = cut_out(pixels, disc())
    assert output.picture.pixels.shape == (*size, 3)


def test_sixteen_bits_stay_sixteen_bits() -> None:
    eight = on_ground(128, disc())
    deep = eight.astype(np.uint16) * np.uint16(257)
    alpha, deep_alpha = (cut_out(each, disc()).picture.alpha for each in (eight, deep))
    assert alpha is not None
    assert deep_alpha is not None
    assert deep_alpha.dtype == np.uint16
    assert np.abs(alpha / 255 - deep_alpha / 65535).max() < 0.01


def test_a_model_that_does_not_answer_with_a_matte_is_refused() -> None:
    picture = Picture(pixels=part(side=64))
    model = MatteModel(disc(), answer="pixels")
    with pytest.raises(ModelUnusable, match="answers with pixels; background needs a matte"):
        restore("background", picture, BackgroundParameters(), "model", model)


def test_a_matte_that_is_sure_of_nothing_is_none() -> None:
    assert certain_parts(disc(level=0.4)) is None
    kept = certain_parts(disc(level=0.8))
    assert kept is not None
    assert (kept == disc(level=0.8)).all()


def test_settling_leaves_the_surroundings_of_the_edge_to_the_colours() -> None:
    image = np.random.default_rng(0).uniform(0, 1, (64, 64, 3)).astype(np.float32)
    fitted = fit(image, disc(), radius=3, epsilon=1e-4)
    free, settled = (
        fitted.on(image, 0, 0, (64, 64)),
        restrict_to_edges(fitted, disc(), radius=3).on(image, 0, 0, (64, 64)),
    )
    far_inside, near_edge = disc(radius=11) == 1, disc(radius=18) - disc(radius=14) > 0.5
    assert settled[far_inside].min() == 1
    assert settled[disc(radius=21) == 0].max() == 0
    assert (settled[near_edge] == free[near_edge]).all()


def strands(side: int = 512) -> Plane:
    """A disc with hair of about two pixels."""
    large = np.zeros((4 * side, 4 * side), np.uint8)
    centre = 2 * side
    cv2.circle(large, (centre, centre), side, 255, -1)
    for angle in np.linspace(0, 2 * np.pi, 60, endpoint=False):
        tip = (round(centre + 1.5 * side * np.cos(angle)), round(centre + 1.5 * side * np.sin(angle)))
        cv2.line(large, (centre, centre), tip, 255, 8)
    return np.asarray(cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA), np.float32) / 255


def mixed(matte: Plane, subject: float, ground: float) -> Pixels:
    """Grey of one level on grey of another, with a little noise."""
    level = matte * subject + (1 - matte) * ground
    noise = np.random.default_rng(0).normal(0, 2, (*matte.shape, 3))
    return np.rint(np.clip(level[..., np.newaxis] + noise, 0, 255)).astype(np.uint8)


def as_seen(matte: Plane, side: int = 512) -> Plane:
    """What a fine network says of it: softened."""
    return np.clip(cv2.GaussianBlur(cv2.resize(matte, (side, side)), (0, 0), 1.5), 0, 1).astype(np.float32)


@pytest.mark.parametrize(("subject", "ground"), [(30.0, 245.0), (225.0, 10.0)])
def test_a_cut_out_brings_no_fringe_of_its_old_ground_onto_the_opposite_one(subject: float, ground: float) -> None:
    matte = disc(512, centre=(256, 256), radius=130)
    found = cut_out(mixed(matte, subject, ground), as_seen(matte), feather=0.0).picture
    assert found.alpha is not None
    share = found.alpha[..., np.newaxis] / 255.0
    opposite = 0.0 if ground > subject else 255.0
    laid = share * found.pixels + (1 - share) * opposite
    wanted = matte[..., np.newaxis] * subject + (1 - matte[..., np.newaxis]) * opposite
    fringe = (laid - wanted) if ground > subject else (wanted - laid)
    assert fringe.max() < 30


def test_hair_of_two_pixels_is_kept_by_a_fine_matte() -> None:
    matte = strands()
    found = cut_out(mixed(matte, 30, 200), as_seen(matte), feather=0.0).picture.alpha
    assert found is not None
    hair = (matte > 0.9) & (cv2.erode(matte, np.ones((9, 9), np.uint8)) < 0.1)
    assert hair.sum() > 500
    assert np.abs(found / 255.0 - matte).mean() < 0.3 * np.abs(as_seen(matte) - matte).mean()
    assert found[hair].mean() > 230


def test_several_subjects_of_a_fine_matte_are_kept_and_a_faint_one_is_dropped() -> None:
    one, other = disc(512, centre=(140, 140), radius=70), disc(512, centre=(370, 370), radius=70)
    faint = disc(512, centre=(140, 400), radius=40, level=0.4)
    alpha = cut_out(mixed(np.maximum(one, other), 30, 200), np.max([one, other, faint], axis=0)).picture.alpha
    assert alpha is not None
    assert alpha[140, 140] == alpha[370, 370] == 255
    assert alpha[100:180, 360:440].max() == 0


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_fine_matte_of_nothing_or_everything_finds_no_subject(level: float) -> None:
    output = cut_out(mixed(disc(), 30, 200), np.full((512, 512), level, np.float32))
    assert output.values["subject_found"] is False
    assert output.low_confidence


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (7, 3), (2500, 40)])
def test_any_size_is_cut_out_by_a_fine_matte(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert cut_out(pixels, as_seen(disc())).picture.pixels.shape == (*size, 3)


def test_the_soft_rim_of_a_fine_matte_is_no_doubt_and_a_grey_part_is() -> None:
    matte = disc(512, centre=(256, 256), radius=130)
    pixels = mixed(matte, 30, 200)
    assert not cut_out(pixels, as_seen(matte)).low_confidence
    grey = np.maximum(as_seen(matte), disc(512, centre=(256, 400), radius=90, level=0.5))
    assert cut_out(pixels, grey).low_confidence


def test_a_fine_matte_is_approved_with_a_doubt_that_a_coarse_one_is_not() -> None:
    matte = disc(512, centre=(256, 256), radius=130)
    pixels = mixed(matte, 30, 200)
    soft = np.maximum(as_seen(matte), disc(512, centre=(256, 256), radius=170, level=0.06))
    fine, coarse = (
        cut_out(pixels, each) for each in (soft, cv2.resize(soft, (160, 160), interpolation=cv2.INTER_AREA))
    )
    assert 0.2 < float(fine.values["matte_doubt"]) < 0.3
    assert not fine.low_confidence
    assert float(coarse.values["matte_doubt"]) > 0.2
    assert coarse.low_confidence
