"""Damage is found and filled, and nothing else is touched."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import RepairParameters
from darkroom.imaging.picture import Picture, Pixels
from darkroom.stages import StageOutput
from darkroom.stages.repair import MUCH, RIM
from darkroom.stages.restore import restore
from tests.degradations import blurred, part, psnr_db
from tests.photographs import photograph


@dataclass
class FillingModel:
    """Fills the left columns with grey, and remembers what it was told."""

    columns: int
    scalars: Collection[str] = ("sensitivity",)
    scale: int = 1
    answer: str = "pixels"
    extra: Collection[str] = ()
    told: list[Mapping[str, float]] = field(default_factory=list)

    def apply(self, pixels: Pixels, scalars: Mapping[str, float] | None = None, *, tile: int | None = None) -> Pixels:
        self.told.append(scalars or {})
        filled = pixels.copy()
        filled[:, : self.columns] = 128
        return filled


@dataclass
class PaintingModel(FillingModel):
    """Answers with a given picture."""

    columns: int = 0
    answered: Pixels = field(default_factory=lambda: np.zeros((1, 1, 3), np.uint8), kw_only=True)

    def apply(self, pixels: Pixels, scalars: Mapping[str, float] | None = None, *, tile: int | None = None) -> Pixels:
        self.told.append(scalars or {})
        return self.answered


def repaired(pixels: Pixels, **given: object) -> StageOutput:
    return restore("repair", Picture(pixels=pixels), RepairParameters.model_validate(given), "telea", None)


def soft() -> Pixels:
    """A blurred photograph in which nothing is nearly white or black."""
    return np.rint(70 + 0.4 * blurred(part(side=128), 3.0)).astype(np.uint8)


def scratched(clean: Pixels, column: int, *, width: int = 2, level: int = 255) -> Pixels:
    damaged = clean.copy()
    damaged[:, column : column + width] = level
    return damaged


@pytest.mark.parametrize("level", [0, 255])
def test_a_scratch_is_filled_from_its_sides(level: int) -> None:
    clean = soft()
    damaged = scratched(clean, 60, level=level)
    output = repaired(damaged)
    assert psnr_db(output.picture.pixels[:, 60:62], clean[:, 60:62]) > 30.0
    assert output.values["damaged_share"] == pytest.approx(2 / 128, abs=2 * RIM / 128 + 0.001)
    assert not output.low_confidence


def test_nothing_beside_the_damage_changes() -> None:
    damaged = scratched(soft(), 60)
    output = repaired(damaged)
    changed = (output.picture.pixels != damaged).any(axis=(0, 2))
    assert np.flatnonzero(changed).tolist() == [59, 60, 61, 62]


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "camera", "page", "text", "coins", "rocket"])
def test_hardly_anything_is_found_on_an_undamaged_photograph(name: str) -> None:
    pixels = photograph(name)
    colours = pixels if pixels.ndim == 3 else np.repeat(pixels[..., np.newaxis], 3, axis=2)
    assert float(repaired(colours).values["damaged_share"]) < 0.015


def test_a_picture_without_damage_is_the_very_input_and_a_note_says_so() -> None:
    picture = Picture(pixels=blurred(part(side=96), 3.0))
    output = restore("repair", picture, RepairParameters(), "telea", None)
    assert output.picture is picture
    assert (output.notes, output.values) == (("no damage found",), {"damaged_share": 0.0})


def test_more_sensitivity_finds_fainter_damage() -> None:
    plain = np.full((64, 64, 3), 100, np.uint8)
    faint = scratched(plain, 30, level=130)
    found = [float(repaired(faint, sensitivity=each).values["damaged_share"]) for each in (0.0, 0.5, 1.0)]
    assert found[:2] == [0.0, 0.0]
    assert found[2] > 0.0


def test_damage_across_the_border_of_two_windows_is_filled_on_both_sides() -> None:
    plain = np.full((1300, 200, 3), 90, np.uint8)
    assert (repaired(scratched(plain, 80)).picture.pixels == 90).all()


def striped(count: int, level: int = 250) -> Pixels:
    """Bright lines, 2 pixels wide, on grey; each is 0.83 % of the picture."""
    pixels = np.full((240, 240, 3), 90, np.uint8)
    for number in range(count):
        pixels[:, 30 + 60 * number : 32 + 60 * number] = level
    return pixels


def test_little_damage_is_left_where_evidence_is_called_for_and_a_note_says_how_much() -> None:
    picture = Picture(pixels=striped(1))
    output = restore("repair", picture, RepairParameters(evidence=0.02), "telea", None)
    assert output.picture is picture
    assert output.values["damaged_share"] == 0.0
    assert output.values["suspected_share"] == pytest.approx(2 / 240, rel=0.01)
    assert output.notes == ("0.83% of the picture may be damage and was left: surely damaged is less than 2.00%",)
    assert (repaired(striped(1)).picture.pixels == 90).all()


def test_enough_sure_damage_is_repaired() -> None:
    assert (repaired(striped(3), evidence=0.02).picture.pixels == 90).all()


def test_faint_marks_are_no_evidence_however_many_they_are() -> None:
    """At 0.6 of the sensitivity they are not found any more."""
    faint = striped(3, level=195)
    assert float(repaired(faint).values["damaged_share"]) > 0.02
    assert repaired(faint, evidence=0.02).values["damaged_share"] == 0.0


def test_with_evidence_a_model_is_asked_again_at_less_sensitivity_and_without_it_is_not() -> None:
    model = FillingModel(columns=2)
    picture = Picture(pixels=np.full((10, 100, 3), 7, np.uint8))
    output = restore("repair", picture, RepairParameters(evidence=0.01), "model", model)
    assert [each["sensitivity"] for each in model.told] == [0.5, pytest.approx(0.3)]
    assert output.values == {"damaged_share": 0.02}
    restore("repair", picture, RepairParameters(evidence=0.03), "model", model)
    assert len(model.told) == 3


def test_a_model_is_told_the_sensitivity_and_its_changes_are_the_damage() -> None:
    model = FillingModel(columns=2)
    picture = Picture(pixels=np.full((10, 100, 3), 7, np.uint8))
    output = restore("repair", picture, RepairParameters(sensitivity=0.7), "model", model)
    assert model.told == [{"sensitivity": 0.7}]
    assert output.values == {"damaged_share": 0.02}
    assert (output.picture.pixels[:, 2:] == 7).all()


def test_a_model_that_changes_nothing_returns_the_very_input() -> None:
    picture = Picture(pixels=part(side=32))
    output = restore("repair", picture, RepairParameters(), "model", FillingModel(columns=0))
    assert output.picture is picture
    assert output.notes == ("no damage found",)


def test_a_result_that_is_largely_painted_goes_to_a_person() -> None:
    picture = Picture(pixels=np.full((10, 100, 3), 7, np.uint8))
    output = restore("repair", picture, RepairParameters(), "model", FillingModel(columns=int(100 * MUCH) + 5))
    assert output.low_confidence
    assert output.notes == ("20% of the picture was painted over",)


def test_a_model_that_enlarges_is_refused() -> None:
    with pytest.raises(ModelUnusable, match="enlarges 2 times"):
        restore("repair", Picture(pixels=part(side=32)), RepairParameters(), "model", FillingModel(columns=1, scale=2))


def test_the_share_of_one_pixel_in_a_large_picture_is_not_rounded_to_nothing() -> None:
    pixels = np.full((3000, 3000, 3), 90, np.uint8)
    painted = pixels.copy()
    painted[5, 5] = 250
    model = PaintingModel(answered=painted)
    output = restore("repair", Picture(pixels=pixels), RepairParameters(), "model", model)
    assert float(output.values["damaged_share"]) == pytest.approx(1 / pixels[..., 0].size, rel=0.01)


def test_what_was_painted_over_is_marked() -> None:
    scratched = np.full((64, 128, 3), 90, np.uint8)
    scratched[:, 100:102] = 250
    output = restore("repair", Picture(pixels=scratched), RepairParameters(), "telea", None)
    (place,) = output.places
    assert (place.top, place.height) == (0.0, 1.0)
    assert place.left <= 100 / 128 < 102 / 128 <= place.left + place.width < 0.85
