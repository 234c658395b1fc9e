"""What is measured gets into the card, and into nothing else of it."""

from importlib import import_module
from pathlib import Path

import pytest

from darkroom.domain.parameters import RESTORATION_STAGES
from models.evaluation.__main__ import ON_FOLDER, ON_PHOTOGRAPHS
from models.evaluation.card import BEGIN, END, write_figures


def test_every_stage_that_a_model_can_serve_has_its_table() -> None:
    assert {*ON_PHOTOGRAPHS, *ON_FOLDER} == {*RESTORATION_STAGES, "assess"}
    for stage in (*ON_PHOTOGRAPHS, *ON_FOLDER):
        assert callable(import_module(f"models.evaluation.{stage}").table)


def test_figures_replace_what_stood_in_their_place(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text(f"# A model\n\n{BEGIN}\nold\n{END}\n\n## How it fails\n")
    for figures in ("first", "| a | b |\n"):
        write_figures(card, figures)
    assert card.read_text() == f"# A model\n\n{BEGIN}\n\n| a | b |\n\n{END}\n\n## How it fails\n"


@pytest.mark.parametrize("text", ["# A model\n", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_card_without_a_place_is_left_alone(tmp_path: Path, text: str) -> None:
    card = tmp_path / "README.md"
    card.write_text(text)
    with pytest.raises(SystemExit, match="has no lines"):
        write_figures(card, "figures")
    assert card.read_text() == text
