"""Draws pictures side by side, each with a title and a line of figures."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from darkroom.imaging.picture import Pixels

#: Width of a picture on the sheet in pixels.
WIDTH = 420
#: Space around a picture in pixels.
SPACE = 10
#: Height of a line of text in pixels.
LINE = 17
#: A letter is about so many pixels wide.
LETTER = 6.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One picture on a sheet."""

    title: str
    pixels: Pixels
    caption: str


def sheet(title: str, rows: Sequence[Sequence[Cell]], *, width: int = WIDTH) -> Image.Image:
    """All rows under each other, as high as their highest picture, every picture `width` pixels wide."""
    bands = [_band(row, width) for row in rows]
    top = 3 * LINE if title else SPACE
    page = Image.new("RGB", (max(band.width for band in bands), top + sum(band.height for band in bands)), "white")
    ImageDraw.Draw(page).text((SPACE, LINE // 2), title, fill="black", font=ImageFont.load_default(2 * LINE - 6))
    for band in bands:
        page.paste(band, (0, top))
        top += band.height
    return page


def _band(row: Sequence[Cell], width: int) -> Image.Image:
    pictures = [_fitted(cell.pixels, width) for cell in row]
    texts = [_lines(cell, width) for cell in row]
    height = max(picture.height for picture in pictures) + LINE * max(map(len, texts)) + 2 * SPACE
    band = Image.new("RGB", (len(row) * (width + SPACE) + SPACE, height), "white")
    draw = ImageDraw.Draw(band)
    for column, (picture, lines) in enumerate(zip(pictures, texts, strict=True)):
        left = SPACE + column * (width + SPACE)
        band.paste(picture, (left, 0))
        for number, line in enumerate(lines):
            place = (left, picture.height + 2 + number * LINE)
            draw.text(place, line, fill="black", font=ImageFont.load_default(LINE - 4))
    return band


def _lines(cell: Cell, width: int) -> list[str]:
    return [line for text in (cell.title, cell.caption) for line in textwrap.wrap(text, round(width / LETTER))]


def _fitted(pixels: Pixels, width: int) -> Image.Image:
    """To the width of a column; single pixels stay squares where a small picture grows."""
    picture = Image.fromarray(pixels)
    height = round(picture.height * width / picture.width)
    how = Image.Resampling.NEAREST if picture.width < width else Image.Resampling.LANCZOS
    return picture.resize((width, height), how)
