"""Draws the result of each step side by side in one picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from darkroom.domain.sizes import scaled
from darkroom.imaging.picture import Picture, Pixels, to_pixels
from darkroom.imaging.transparency import resized_picture

#: Longest side of a panel's picture in pixels.
CELL = 420
#: Space around a panel in pixels.
GAP = 16
#: Font size of the title in pixels.
TITLE_SIZE = 21
#: Font size of the subtitle in pixels.
SUBTITLE_SIZE = 16
#: Height of title and subtitle together in pixels.
CAPTION = 58
#: Colour of the sheet, RGB, 0-255.
PAPER = (250, 250, 248)
#: Colour of the title.
INK = (24, 24, 24)
#: Colour of the subtitle.
FAINT_INK = (96, 96, 96)
#: Side in pixels of the squares under transparent parts.
CHECK = 12
#: Their two grey levels, 0-255.
CHECK_SHADES = (205, 235)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture of a contact sheet."""

    #: Name of the step, in one or two words.
    title: str
    #: One line with method, score and other values.
    subtitle: str
    picture: Picture


def contact_sheet(panels: Sequence[Panel]) -> Picture:
    """All panels on one sheet, in reading order, each in a cell of the same size with its caption below.

    Pictures are reduced, never enlarged beyond the cell; transparent parts show a chequered ground. Raises ValueError
    without panels.

    >>> import numpy as np
    >>> panel = Panel(title="input", subtitle="score 50", picture=Picture(pixels=np.zeros((40, 60, 3), np.uint8)))
    >>> contact_sheet([panel, panel]).width > 2 * 420
    True
    """
    if not panels:
        raise ValueError("a contact sheet needs at least one panel")
    columns = _columns(len(panels))
    rows = ceil(len(panels) / columns)
    height, width = _cell_size(panels)
    sheet = Image.new("RGB", (columns * (width + GAP) + GAP, rows * (height + CAPTION + GAP) + GAP), PAPER)
    for index, panel in enumerate(panels):
        row, column = divmod(index, columns)
        corner = GAP + column * (width + GAP), GAP + row * (height + CAPTION + GAP)
        _draw(sheet, panel, corner, (height, width))
    return Picture(pixels=np.asarray(sheet).copy())


def _columns(count: int) -> int:
    """Number of columns. The sheet is wider than high, as screens are."""
    return min(count, max(2, ceil(sqrt(1.5 * count)))) if count > 3 else count


def _cell_size(panels: Sequence[Panel]) -> tuple[int, int]:
    """The size of a cell: the aspect ratio of the first picture."""
    first = panels[0].picture
    return _fitting(first.height, first.width, (CELL, CELL))


def _fitting(height: int, width: int, room: tuple[int, int]) -> tuple[int, int]:
    return scaled(height, width, min(room[0] / height, room[1] / width))


def _draw(sheet: Image.Image, panel: Panel, corner: tuple[int, int], cell: tuple[int, int]) -> None:
    height, width = _fitting(panel.picture.height, panel.picture.width, cell)
    shown = _on_checks(panel.picture, height, width)
    left, top = corner
    sheet.paste(Image.fromarray(shown), (left + (cell[1] - width) // 2, top + (cell[0] - height) // 2))
    pen = ImageDraw.Draw(sheet)
    _write(pen, panel.title, (left, top + cell[0] + 6), TITLE_SIZE, INK, cell[1])
    _write(pen, panel.subtitle, (left, top + cell[0] + 33), SUBTITLE_SIZE, FAINT_INK, cell[1])


def _write(
    pen: ImageDraw.ImageDraw, text: str, place: tuple[int, int], size: int, ink: tuple[int, int, int], room: int
) -> None:
    """One line, cut with an ellipsis where it is longer than `room`."""
    font = ImageFont.load_default(size)
    while text and pen.textlength(text, font=font) > room:
        text = text[:-2].rstrip() + "…"
    pen.text(place, text, fill=ink, font=font)


def _on_checks(picture: Picture, height: int, width: int) -> Pixels:
    """8-bit pixels of the given size; transparent parts show a checkerboard."""
    sized = resized_picture(picture, height, width)
    image, matte = sized.image, sized.matte
    if matte is not None:
        share = matte[..., np.newaxis]
        rows, columns = np.indices((height, width)) // CHECK
        checks = np.where((rows + columns) % 2, *CHECK_SHADES).astype(np.float32)[..., np.newaxis] / np.float32(255)
        image = np.add(checks, (image - checks) * share, dtype=np.float32)
    return to_pixels(image, np.dtype(np.uint8))
