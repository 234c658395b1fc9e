"""What deblur makes of a network that tells it the blur."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import DeblurParameters
from darkroom.imaging.picture import Picture, Pixels
from darkroom.stages import StageModel, Tensor
from darkroom.stages.deblur import LEAST_READ_SIDE, READ_SIDE, classical, with_model
from tests.degradations import part, psnr_db


def gaussian_psf(radius: float) -> np.ndarray:
    line = cv2.getGaussianKernel(25, radius)
    return (line @ line.T).astype(np.float32)


def point() -> np.ndarray:
    psf = np.zeros((25, 25), np.float32)
    psf[12, 12] = 1.0
    return psf


@dataclass
class BlurModel:
    """Always reads the same blur, and remembers how large the pictures were that it was shown."""

    psf: np.ndarray
    ratios: tuple[float, ...] = (0.02, 0.001)
    companion: StageModel | None = None
    answer: str = "blur"
    scale: int = 1
    scalars: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    shown: list[tuple[int, ...]] = field(default_factory=list)

    def reduced(self, height: int, width: int) -> tuple[int, int]:
        return height, width

    def apply(self, pixels: Pixels, scalars: Mapping[str, float] | None = None, *, tile: int | None = None) -> Pixels:
        raise AssertionError("a network that answers with a blur was applied")

    def read(self, pixels: Pixels, extra: Mapping[str, Tensor] | None = None) -> Mapping[str, Tensor]:
        self.shown.append(pixels.shape[:2])
        return {"kernel": self.psf[np.newaxis], "ratios": np.array(self.ratios, np.float32)}


@dataclass
class Inverting:
    """A companion whose doing shows."""

    answer: str = "pixels"
    scale: int = 1
    scalars: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    companion: StageModel | None = None

    def reduced(self, height: int, width: int) -> tuple[int, int]:
        return height, width

    def apply(self, pixels: Pixels, scalars: Mapping[str, float] | None = None, *, tile: int | None = None) -> Pixels:
        return (255 - pixels).astype(np.uint8)

    def read(self, pixels: Pixels, extra: Mapping[str, Tensor] | None = None) -> Mapping[str, Tensor]:
        raise AssertionError("a companion was read")


def soft() -> Picture:
    return Picture(pixels=cv2.GaussianBlur(part(), (0, 0), 1.5))


def test_the_blur_that_was_read_is_undone() -> None:
    restored = with_model(soft(), DeblurParameters(), BlurModel(gaussian_psf(1.5))).picture.pixels
    assert psnr_db(restored, part()) > psnr_db(soft().pixels, part()) + 2


def test_the_spread_that_was_read_is_told() -> None:
    values = with_model(soft(), DeblurParameters(), BlurModel(gaussian_psf(1.5))).values
    assert values["radius"] == pytest.approx(1.5, abs=0.05)


def test_a_picture_that_is_read_as_sharp_comes_back_itself() -> None:
    picture = soft()
    output = with_model(picture, DeblurParameters(), BlurModel(point()))
    assert output.picture is picture
    assert output.notes == ("the picture is sharp already",)


def test_a_given_radius_needs_no_reading() -> None:
    model, parameters = BlurModel(gaussian_psf(1.5)), DeblurParameters(radius=1.2)
    output = with_model(soft(), parameters, model)
    assert model.shown == []
    assert (output.picture.pixels == classical(soft(), parameters, "wiener").picture.pixels).all()


def test_a_companion_gets_what_was_undone() -> None:
    alone = with_model(soft(), DeblurParameters(), BlurModel(gaussian_psf(1.5)))
    both = with_model(soft(), DeblurParameters(), BlurModel(gaussian_psf(1.5), companion=Inverting()))
    assert (both.picture.pixels == 255 - alone.picture.pixels).all()


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((300, 200), (300, 200)),
        ((1500, 900), (READ_SIDE, READ_SIDE)),
        ((50, 120), (LEAST_READ_SIDE, 120)),
        ((1, 1), (LEAST_READ_SIDE, LEAST_READ_SIDE)),
    ],
)
def test_the_middle_is_read_at_full_size_and_small_pictures_are_filled_up(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    model = BlurModel(point())
    with_model(Picture(pixels=np.zeros((*size, 3), np.uint8)), DeblurParameters(), model)
    assert model.shown == [shown]


@pytest.mark.parametrize("model", [BlurModel(np.ones((3, 5), np.float32)), BlurModel(point(), ratios=(0.1,))])
def test_an_answer_that_is_no_blur_is_refused(model: BlurModel) -> None:
    with pytest.raises(ModelUnusable, match="expected"):
        with_model(soft(), DeblurParameters(), model)


def test_no_edge_overshoots_what_was_beside_it_by_much() -> None:
    step = np.full((64, 64, 3), 60, np.uint8)
    step[:, 32:] = 200
    picture = Picture(pixels=cv2.GaussianBlur(step, (0, 0), 2.0))
    restored = with_model(picture, DeblurParameters(), BlurModel(gaussian_psf(2.5), (0.001, 0.0001))).picture.pixels
    assert restored.max() <= 200 + 15
    assert restored.min() >= 60 - 15
