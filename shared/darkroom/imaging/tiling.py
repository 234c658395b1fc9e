"""Splits a large picture into tiles with a halo: bounded memory, no visible seams.

The plan is a value: it is computed first and then applied. In one direction, with a halo of two:

    picture   0 . . . . . . . . . . . . . . . 16
    cores     [---------)[---------)[--------)      every pixel is in exactly one core
    windows   [----------**)                        a window is its core and the halo around it,
                     [**---------**)                cut off at the picture's border
                                [**---------)

An operator processes each window, and its output is kept on the core. If the output depends on nothing farther away
than the halo, the result is the same as for the whole picture.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from darkroom.imaging.filters import Array
from darkroom.imaging.picture import Pixels

_before_a_tile: ContextVar[Callable[[], None]] = ContextVar("_before_a_tile", default=lambda: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """Pixels around a region."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A rectangle of pixels: rows from `row` to `row + height`, columns from `column` to `column + width`.

    `region.of(pixels).shape[:2] == (region.height, region.width)` if the region is within the picture;
    `region.scaled(k).of(repeated) == repeat(region.of(pixels))` if every pixel is repeated k times in both directions.
    """

    row: int
    column: int
    height: int
    width: int

    def of(self, pixels: Array) -> Array:
        """This rectangle of `pixels`, or of other values of one a pixel, as a view."""
        return pixels[self.row : self.row + self.height, self.column : self.column + self.width]  # type: ignore[return-value]

    def grown(self, margins: Margins) -> "Region":
        """This region and the margins around it."""
        return Region(
            row=self.row - margins.top,
            column=self.column - margins.left,
            height=self.height + margins.top + margins.bottom,
            width=self.width + margins.left + margins.right,
        )

    def scaled(self, scale: int) -> "Region":
        """The same part of a picture `scale` times as high and wide."""
        return Region(
            row=self.row * scale, column=self.column * scale, height=self.height * scale, width=self.width * scale
        )

    def within(self, outer: "Region") -> "Region":
        """This region in the coordinates of `outer`, which contains it."""
        return Region(row=self.row - outer.row, column=self.column - outer.column, height=self.height, width=self.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One piece of work. `core.grown(halo) == window`."""

    #: Region whose output is kept. The cores of a plan cover the picture without overlap.
    core: Region
    #: Margins around the core that the operator needs; 0 at the picture's border.
    halo: Margins

    @property
    def window(self) -> Region:
        """The region that the operator processes."""
        return self.core.grown(self.halo)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """A tile in one direction."""

    start: int
    stop: int
    before: int
    after: int


def plan_tiles(size: tuple[int, int], *, tile: int, halo: int, multiple_of: int = 1) -> tuple[Tile, ...]:
    """Evenly spaced tiles for a picture of `size` (height, width).

    Parameters
    ----------
    size
        Height and width in pixels, at least 1 each.
    tile
        Longest side of a window in pixels. A larger one costs memory (its square) and saves time (less halo).
    halo
        Radius in pixels within which the output depends on its surroundings. Rounded up to `multiple_of`.
    multiple_of
        Windows start at multiples of this, for operators that work on blocks of pixels.

    Raises
    ------
    ValueError
        If the size is empty, or `tile` leaves no room for a core between two halos.
    """
    height, width = size
    if min(size) < 1:
        raise ValueError(f"a picture of {height}x{width} pixels has nothing to tile")
    rows = _spans(height, tile=tile, halo=halo, multiple_of=multiple_of)
    columns = _spans(width, tile=tile, halo=halo, multiple_of=multiple_of)
    return tuple(_tile(row, column) for row in rows for column in columns)


def _spans(extent: int, *, tile: int, halo: int, multiple_of: int) -> list[_Span]:
    halo = -(-halo // multiple_of) * multiple_of
    largest_core = (tile - 2 * halo) // multiple_of
    if largest_core < 1:
        raise ValueError(f"a tile of {tile} pixels leaves no core: two halos of {halo} and a block of {multiple_of}")
    blocks = -(-extent // multiple_of)
    pieces = 1 if extent <= tile else -(-blocks // largest_core)
    edges = [blocks * piece // pieces * multiple_of for piece in range(pieces)]
    return [
        _Span(start=start, stop=stop, before=min(halo, start), after=min(halo, extent - stop))
        for start, stop in pairwise([*edges, extent])
    ]


def _tile(rows: _Span, columns: _Span) -> Tile:
    core = Region(
        row=rows.start, column=columns.start, height=rows.stop - rows.start, width=columns.stop - columns.start
    )
    halo = Margins(top=rows.before, bottom=rows.after, left=columns.before, right=columns.after)
    return Tile(core=core, halo=halo)


@contextmanager
def before_each_tile(look: Callable[[], None]) -> Iterator[None]:
    """Call `look` before every tile in this context; an exception from it ends the work.

    >>> def out_of_time() -> None:
    ...     raise TimeoutError
    >>> with before_each_tile(out_of_time):
    ...     apply_tiled(np.zeros((8, 8), np.uint8), np.negative, plan_tiles((8, 8), tile=5, halo=1))
    Traceback (most recent call last):
    TimeoutError
    """
    token = _before_a_tile.set(look)
    try:
        yield
    finally:
        _before_a_tile.reset(token)


def apply_tiled(
    pixels: Pixels, operator: Callable[[Pixels], Pixels], tiles: Iterable[Tile], *, scale: int = 1
) -> Pixels:
    """Apply an operator tile by tile.

    Parameters
    ----------
    pixels
        (H, W) or (H, W, C), uint8 or uint16.
    operator
        From a window (h, w, ...) to (h * scale, w * scale, ...), same dtype.
    tiles
        From `plan_tiles` for this size.
    scale
        Factor by which the operator's output is larger, in height and in width.

    Returns
    -------
    (H * scale, W * scale, ...), dtype of `pixels`. Peak memory beyond it is one window and what the operator needs.

    Raises
    ------
    ValueError
        If an output does not have the size that follows from `scale`.

    Examples
    --------
    >>> import numpy as np
    >>> picture = np.arange(64, dtype=np.uint8).reshape(8, 8)
    >>> tiles = plan_tiles((8, 8), tile=5, halo=1)
    >>> bool((apply_tiled(picture, lambda window: 255 - window, tiles) == 255 - picture).all())
    True
    """
    height, width, *channels = pixels.shape
    result: Pixels = np.empty((height * scale, width * scale, *channels), pixels.dtype)
    for tile in tiles:
        _before_a_tile.get()()
        answer = operator(tile.window.of(pixels))
        expected = (tile.window.height * scale, tile.window.width * scale, *channels)
        if answer.shape != expected:
            raise ValueError(f"the operator answered {answer.shape} to a window where {expected} was promised")
        target = tile.core.scaled(scale).of(result)
        target[...] = tile.core.within(tile.window).scaled(scale).of(answer)
    return result
