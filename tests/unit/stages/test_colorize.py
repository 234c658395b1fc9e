"""What colorize asks of a network, and what it does with its answer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from darkroom.domain.parameters import ColorizeParameters, Hint
from darkroom.imaging.color import lab_from_image
from darkroom.imaging.picture import Picture, Pixels, to_float
from darkroom.stages import StageOutput
from darkroom.stages.colorize import hint_map
from darkroom.stages.restore import restore
from tests.photographs import photograph

Maps = Mapping[str, NDArray[np.float32]]


@dataclass
class Painter:
    """Answers with one colour, or with the hints that it was given; remembers what it saw."""

    chroma: tuple[float, float] = (30.0, 20.0)
    confidence: float | None = None
    side: int = 24
    extra: Collection[str] = ()
    repeats_hints: bool = False
    answer: str = "chroma"
    scale: int = 1
    scalars: Collection[str] = ()
    told: list[Maps] = field(default_factory=list)

    def reduced(self, height: int, width: int) -> tuple[int, int]:
        return 4 * self.side, 4 * self.side

    def read(self, pixels: Pixels, extra: Maps | None = None) -> Maps:
        self.told.append(dict(extra or {}))
        colour = np.array(self.chroma, np.float32).reshape(2, 1, 1)
        chroma = np.broadcast_to(colour, (2, self.side, self.side))
        if self.repeats_hints:
            chroma = self.told[-1]["hints"][:2]
        maps = {"chroma": chroma}
        if self.confidence is not None:
            maps["confidence"] = np.full((1, self.side, self.side), self.confidence, np.float32)
        return maps

    def apply(self, pixels: Pixels, scalars: Mapping[str, float] | None = None, *, tile: int | None = None) -> Pixels:
        return np.full_like(pixels, 77)


def grey(name: str = "astronaut", side: int = 120) -> Pixels:
    luma = cv2.cvtColor(photograph(name), cv2.COLOR_RGB2GRAY)
    return np.repeat(cv2.resize(luma, (side, side * 2 // 3), interpolation=cv2.INTER_AREA)[..., np.newaxis], 3, axis=2)


def run(pixels: Pixels, model: Painter, **given: object) -> StageOutput:
    parameters = ColorizeParameters.model_validate(given)
    return restore("colorize", Picture(pixels=pixels), parameters, "model", model)


def chroma_of(pixels: Pixels) -> NDArray[np.float32]:
    return lab_from_image(to_float(pixels))[..., 1:]


def test_the_picture_takes_on_the_colours_of_the_answer() -> None:
    flat = np.full((80, 120, 3), 130, np.uint8)
    found = chroma_of(run(flat, Painter()).picture.pixels).mean(axis=(0, 1))
    assert found == pytest.approx((30, 20), abs=3)


@pytest.mark.parametrize("side", [1, 7, 64, 200])
def test_an_answer_of_any_size_serves(side: int) -> None:
    output = run(grey(), Painter(side=side))
    assert output.picture.pixels.shape == grey().shape
    assert float(np.hypot(*np.moveaxis(chroma_of(output.picture.pixels), 2, 0)).mean()) > 15


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 2), (700, 31)])
def test_pictures_of_every_shape_are_coloured(shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 120, np.uint8)
    assert run(pixels, Painter()).picture.pixels.shape == pixels.shape


def test_the_luma_stays_to_the_last_bit() -> None:
    before = grey("coffee")
    after = run(before, Painter(chroma=(70.0, -90.0))).picture.pixels
    assert (after != before).mean() > 0.5
    assert (cv2.cvtColor(after, cv2.COLOR_RGB2GRAY) == before[..., 0]).all()


def test_alpha_and_sixteen_bits_are_kept() -> None:
    pixels = grey().astype(np.uint16) * 257
    alpha = np.arange(pixels[..., 0].size, dtype=np.uint16).reshape(pixels.shape[:2])
    picture = Picture(pixels=pixels, alpha=alpha)
    output = restore("colorize", picture, ColorizeParameters(), "model", Painter()).picture
    assert output.pixels.dtype == np.uint16
    assert output.alpha is not None
    assert (output.alpha == alpha).all()
    luma = cv2.cvtColor(output.pixels, cv2.COLOR_RGB2GRAY).astype(int)
    assert abs(luma - pixels[..., 0]).max() <= 1


def test_a_network_without_colour_changes_nothing() -> None:
    assert (run(grey(), Painter(chroma=(0.0, 0.0))).picture.pixels == grey()).all()


def test_strength_0_returns_the_input() -> None:
    pixels, model = grey(), Painter()
    assert run(pixels, model, strength=0.0).picture.pixels is pixels
    assert model.told == []


def test_colours_are_left_alone_unless_forced() -> None:
    coloured = cv2.resize(photograph(), (96, 96))
    left, forced = Painter(), Painter()
    output = run(coloured, left)
    assert output.picture.pixels is coloured
    assert (left.told, output.values["greyscale"]) == ([], False)
    after = run(coloured, forced, force=True).picture.pixels
    assert len(forced.told) == 1
    assert (cv2.cvtColor(after, cv2.COLOR_RGB2GRAY) == cv2.cvtColor(coloured, cv2.COLOR_RGB2GRAY)).all()


def test_colours_fade_where_the_network_is_unsure() -> None:
    strengths = [run(grey(), Painter(confidence=each)).picture.pixels for each in (0.0, 0.25, 0.5, 1.0)]
    none, little, enough, all_of_it = (float(np.abs(chroma_of(each)).mean()) for each in strengths)
    assert 0.3 * enough < none < little < enough
    assert enough == pytest.approx(all_of_it)
    assert all_of_it == pytest.approx(float(np.abs(chroma_of(run(grey(), Painter()).picture.pixels)).mean()))


def test_little_confidence_asks_for_a_person() -> None:
    unsure, sure = run(grey(), Painter(confidence=0.1)), run(grey(), Painter(confidence=0.9))
    assert (unsure.low_confidence, unsure.values["confidence"]) == (True, 0.1)
    assert (sure.low_confidence, sure.values["confidence"]) == (False, 0.9)
    assert not run(grey(), Painter()).low_confidence


def test_a_hint_colours_its_place_and_leaves_the_others() -> None:
    flat = np.full((100, 150, 3), 128, np.uint8)
    model = Painter(extra=("hints",), repeats_hints=True)
    after = run(flat, model, hints=[{"x": 0.2, "y": 0.7, "color": "#B03030"}]).picture.pixels
    assert (after[5, 140] == 128).all()
    red, green, blue = after[70, 30].astype(int)
    assert red > 150
    assert max(green, blue) < 120


def test_without_hints_the_network_is_given_zeros() -> None:
    model = Painter(extra=("hints",))
    run(grey(), model)
    assert model.told[0]["hints"].shape == (3, 96, 96)
    assert not model.told[0]["hints"].any()


def test_a_network_that_takes_no_hints_is_given_none_and_the_record_says_so() -> None:
    model = Painter()
    output = run(grey(), model, hints=[{"x": 0.5, "y": 0.5, "color": "#00FF00"}])
    assert model.told == [{}]
    assert output.notes == ("the model takes no hints; 1 were ignored",)


def test_a_network_of_pixels_serves_as_well() -> None:
    assert (run(grey(), Painter(answer="pixels")).picture.pixels == 77).all()


@pytest.mark.parametrize(("x", "y", "row", "column"), [(0, 0, 0, 0), (1, 1, 63, 63), (0.5, 0.25, 16, 32)])
def test_a_hint_is_a_square_around_its_place_within_the_picture(x: float, y: float, row: int, column: int) -> None:
    shown = hint_map((Hint(x=x, y=y, color="#FF0000"),), (64, 64))
    rows, columns = np.nonzero(shown[2])
    assert abs(rows - row).max() <= 2
    assert abs(columns - column).max() <= 2
    assert shown[:, row, column] == pytest.approx((80.1, 67.2, 1.0), abs=0.5)


def test_the_later_hint_counts_where_two_overlap() -> None:
    here = {"x": 0.5, "y": 0.5}
    shown = hint_map((Hint(**here, color="#FF0000"), Hint(**here, color="#808080")), (32, 32))
    assert shown[:, 16, 16] == pytest.approx((0.0, 0.0, 1.0), abs=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"x": 1.01, "y": 0.5, "color": "#FF0000"},
        {"x": 0.5, "y": -0.1, "color": "#FF0000"},
        {"x": 0.5, "y": 0.5, "color": "red"},
        {"x": 0.5, "y": 0.5},
        {"x": 0.5, "y": 0.5, "color": "#FF0000", "size": 3},
    ],
)
def test_a_hint_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="hints"):
        ColorizeParameters.model_validate({"hints": [wrong]})


def test_hints_come_back_from_json_as_they_were() -> None:
    given = ColorizeParameters.model_validate({"hints": [{"x": 0.25, "y": 1, "color": "#12abEF"}]})
    assert ColorizeParameters.model_validate(given.model_dump(mode="json")) == given
    assert ColorizeParameters().hints == ()


def sepia(pixels: Pixels) -> Pixels:
    black, white = np.array([40.0, 26.0, 13.0]), np.array([255.0, 240.0, 205.0])
    return np.rint(black + (white - black) * to_float(pixels)).astype(np.uint8)


def test_the_tint_of_a_sepia_print_is_taken_off_before_it_is_colorized() -> None:
    output = run(sepia(grey()), Painter(chroma=(-10.0, -25.0)))
    found = lab_from_image(to_float(output.picture.pixels))[..., 1:].mean(axis=(0, 1))
    assert (output.values["greyscale"], output.values["toned"]) == (False, True)
    assert found[0] < 0.0
    assert found[1] < -10.0


def test_the_tint_of_a_print_stays_if_it_is_asked_for() -> None:
    print_, blue = sepia(grey()), Painter(chroma=(0.0, -25.0))
    without, kept = (run(print_, blue, keep_tint=keep).picture.pixels for keep in (False, True))
    yellow = [float(lab_from_image(to_float(pixels))[..., 2].mean()) for pixels in (print_, without, kept)]
    assert yellow[2] - yellow[1] == pytest.approx(yellow[0], abs=4.0)
