"""Selects the pixels to measure, so that the time does not depend on the size of the picture."""

import numpy as np

from darkroom.imaging.filters import resized
from darkroom.imaging.picture import Pixels

#: Largest number of pixels of a picture that is measured as a whole, at native resolution.
NATIVE_PIXELS = 360_000
#: Side in pixels of the tiles that are measured of a larger picture. A multiple of 8 keeps the phase of JPEG blocks.
TILE_SIDE = 200
#: Number of these tiles in each direction, evenly spaced.
GRID = 3
#: Largest number of pixels of the reduction for measurements without detail.
REDUCED_PIXELS = 100_000


def native_tiles(pixels: Pixels) -> list[Pixels]:
    """Views of (h, w, 3) parts at native resolution, each starting at multiples of 8: for noise, edges and blocks."""
    height, width = pixels.shape[:2]
    if height * width <= NATIVE_PIXELS:
        return [pixels]
    return [
        pixels[top : top + TILE_SIDE, left : left + TILE_SIDE] for top in _starts(height) for left in _starts(width)
    ]


def _starts(length: int) -> list[int]:
    if length <= GRID * TILE_SIDE:
        return list(range(0, length, TILE_SIDE))
    spread = np.linspace(0, length - TILE_SIDE, GRID)
    return [int(start) // 8 * 8 for start in spread]


def reduced(channels: Pixels, max_pixels: int = REDUCED_PIXELS) -> Pixels:
    """(H, W) or (H, W, 3) averaged down to at most `max_pixels`; smaller pictures as they are."""
    height, width = channels.shape[:2]
    factor = float(np.sqrt(max_pixels / (height * width)))
    if factor >= 1.0:
        return channels
    rows = min(max(1, round(height * factor)), max_pixels)
    columns = min(max(1, round(width * factor)), max(1, max_pixels // rows))
    # Averaging all pixels of a very large picture would take most of the time. Integer steps are accurate enough.
    step = max(1, int(0.25 / factor))
    coarse: Pixels = channels[::step, ::step]
    return resized(coarse, rows, columns)
