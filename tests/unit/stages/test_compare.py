import numpy as np
import pytest

from darkroom.imaging.picture import Picture
from darkroom.stages.compare import CELL, Panel, contact_sheet


def panel(height: int, width: int, level: int = 0, title: str = "input") -> Panel:
    picture = Picture(pixels=np.full((height, width, 3), level, np.uint8))
    return Panel(title=title, subtitle="score 50", picture=picture)


def test_every_panel_gets_a_cell_of_the_same_size() -> None:
    one, five = contact_sheet([panel(40, 60)]), contact_sheet([panel(40, 60)] * 5)
    assert five.width > 2 * CELL
    assert five.height > one.height


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (3000, 20), (900, 1200)])
def test_pictures_of_any_size_fit(size: tuple[int, int]) -> None:
    sheet = contact_sheet([panel(300, 400), panel(*size, level=9)])
    assert sheet.width == contact_sheet([panel(300, 400)] * 2).width


def test_the_picture_and_its_caption_are_drawn() -> None:
    sheet = contact_sheet([panel(CELL, CELL, level=128)]).pixels
    assert (sheet[16 : 16 + CELL, 16 : 16 + CELL] == 128).all()
    assert sheet[16 + CELL :].min() < 60


def test_a_caption_that_is_too_long_stays_in_its_cell() -> None:
    sheet = contact_sheet([panel(CELL, CELL, title="x" * 500)]).pixels
    assert (sheet[16 + CELL :, -14:] == sheet[-1, -1]).all()


def test_transparent_parts_show_squares_and_sixteen_bits_are_shown() -> None:
    picture = Picture(pixels=np.zeros((40, 40, 3), np.uint16), alpha=np.zeros((40, 40), np.uint16))
    shown = contact_sheet([Panel(title="cut", subtitle="", picture=picture)]).pixels[16 : 16 + CELL, 16 : 16 + CELL]
    assert {int(value) for value in np.unique(shown)} == {205, 235}


def test_no_panels_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one panel"):
        contact_sheet([])
