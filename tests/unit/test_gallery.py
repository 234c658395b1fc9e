"""The gallery has a sheet for every stage and preset, and each shows what its pipeline makes of its scenes."""

from typing import get_args

import numpy as np
import pytest

from darkroom.domain.parameters import RESTORATION_STAGES
from darkroom.domain.pipeline import PRESETS, Preset, build_pipeline
from models.evaluation import scenes
from models.evaluation.examples import CARDS, Example
from models.evaluation.gallery import both, row, wanted
from models.evaluation.gallery_cases import STAGES, everyday, scenes_of
from models.evaluation.scenes import Scene
from models.evaluation.sheet import WIDTH, Cell, sheet


def test_every_restoration_stage_and_every_preset_has_a_sheet() -> None:
    assert set(STAGES) == set(RESTORATION_STAGES)
    names = [name for name, _, _ in wanted(["preset-product", "stage-denoise"])]
    assert names == ["stage-denoise", "preset-product"]


@pytest.mark.parametrize("preset", get_args(Preset))
def test_a_preset_of_one_stage_shows_the_scenes_of_that_stage(preset: str) -> None:
    assert preset in PRESETS
    shown = [scene.name for scene in scenes_of(preset)]
    single = {"color_cast": "white_balance", "cutout": "background"}.get(preset, preset)
    expected = STAGES[single]() if single in STAGES else everyday()
    assert shown == [scene.name for scene in expected]


def test_a_spoilt_scene_is_the_same_on_every_run_and_differs_from_its_photograph() -> None:
    once, again = (scenes.spoilt("old", scenes.table(), scenes.old_print) for _ in range(2))
    assert (once.given == again.given).all()
    assert once.given.shape == scenes.table().shape
    assert np.abs(once.given.astype(int) - scenes.table()).mean() > 5


def test_a_row_shows_input_classical_model_and_reference_with_what_ran_and_how_close_it_came() -> None:
    clean = np.ascontiguousarray(scenes.cat()[:96, :96])
    scene = scenes.spoilt("noise", clean, scenes.noisy(25))
    pipeline = build_pipeline({"stages": [{"stage": "denoise", "parameters": {}}]})
    given, classical, model, reference = row(scene, pipeline, both(1))
    assert (given.title, classical.title, model.title, reference.title) == (
        "noise",
        "classical: denoise nlm",
        "model: denoise model",
        "reference",
    )
    assert (
        float(given.caption.split(" dB")[0])
        < float(classical.caption.split(" dB")[0])
        < float(model.caption.split(" dB")[0])
    )
    assert "score" in model.caption


def test_a_scene_without_a_reference_has_no_fourth_column() -> None:
    scene = Scene(name="unknown", given=np.full((40, 40, 3), 90, np.uint8), wanted=None)
    cells = row(scene, build_pipeline({"preset": "optimize"}), both(1))
    assert [cell.title.partition(":")[0] for cell in cells] == ["unknown", "classical", "model"]


def test_a_sheet_holds_all_cells_whatever_their_sizes() -> None:
    tall, wide = np.zeros((900, 300, 3), np.uint8), np.zeros((10, 1000, 3), np.uint8)
    cells = [Cell(title="tall", pixels=tall, caption="x" * 200), Cell(title="wide", pixels=wide, caption="")]
    page = sheet("sizes", [cells, cells[:1]])
    assert page.width > 2 * WIDTH
    assert page.height > 2 * 900 * WIDTH // 300


def test_an_example_shows_the_same_part_of_pictures_of_any_size() -> None:
    small = np.zeros((100, 200, 3), np.uint8)
    small[20:60, 100:140] = 255
    example = Example(scene=Scene(name="", given=small, wanted=None), left=0.5, top=0.2, side=0.2)
    for pixels in (small, small.repeat(2, axis=0).repeat(2, axis=1)):
        part = example.of(Cell(title="", pixels=pixels, caption="")).pixels
        assert part.shape[:2] == (pixels.shape[0] * 2 // 5,) * 2
        assert part.min() == 255


@pytest.mark.parametrize("name", CARDS)
def test_every_example_shows_a_whole_square_or_all_there_is(name: str) -> None:
    for example in CARDS[name].examples():
        wanted = example.scene.wanted if example.scene.wanted is not None else example.scene.given
        part = example.of(Cell(title="", pixels=wanted, caption="")).pixels
        assert part.shape[0] == part.shape[1] or part.shape == wanted.shape
