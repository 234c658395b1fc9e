"""Multiplies linear light by spatially varying gains in bounded memory."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import linear_from_pixels, srgb_from_linear
from darkroom.imaging.picture import Pixels, to_pixels
from darkroom.imaging.surface import Grid, surface
from darkroom.imaging.tiling import Region, plan_tiles

#: Side of a tile in pixels. Light, gains and veil of a tile take 3 MB each as floats and fit into the cache; tiles of
#: twice the side take a third longer.
SIDE = 512
#: Exponent of the term that keeps highlights white. A larger one affects a narrower range below 1.
HIGHLIGHT_POWER = 32
#: Entries of the table from linear light to sRGB. They are equidistant in the square root of light, where sRGB is
#: nearly linear, and so finer than 16-bit steps.
_STEPS = 65536


def relit(pixels: Pixels, log_gains: Grid, veil: Grid, *, tables: NDArray[np.float32] | None = None) -> Pixels:
    """Subtract a veil of scattered light and multiply the remaining linear light by gains.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16, sRGB
    log_gains : (3, h, w) float32
        Natural logarithms of the gains of red, green and blue on a coarse grid; 0 changes nothing, a larger value
        brightens. The grids are interpolated by `surface`.
    veil : (3, h, w) float32
        Linear light in [0, 1] that is subtracted first.
    tables : (256, 3) or (65536, 3) float32, optional
        Linear light of each value of each channel; that of sRGB if not given.

    Returns
    -------
    ndarray
        As `pixels`. Values at the top of the range are not darkened, so that blown-out highlights stay white.
        About 30 ms a megapixel.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((4, 4, 3), 128, np.uint8)
    >>> none, half = np.zeros((3, 1, 1), np.float32), np.full((3, 1, 1), np.log(0.5), np.float32)
    >>> relit(grey, none, none)[0, 0].tolist(), relit(grey, half, none)[0, 0].tolist()
    ([128, 128, 128], [92, 92, 92])
    """
    size = pixels.shape[0], pixels.shape[1]
    result: Pixels = np.empty_like(pixels)
    for tile in plan_tiles(size, tile=SIDE, halo=0):
        linear = linear_from_pixels(tile.core.of(pixels), tables)
        light = _relit(linear, surface(log_gains, tile.core, size), _veil(veil, tile.core, size))
        tile.core.of(result)[...] = to_pixels(encoded(light), pixels.dtype)
    return result


def _veil(veil: Grid, region: Region, size: tuple[int, int]) -> NDArray[np.float32] | None:
    return surface(veil, region, size) if veil.any() else None


def _relit(
    linear: NDArray[np.float32], log_gains: NDArray[np.float32], veil: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    gains = np.exp(log_gains, out=log_gains)
    # A gain below 1 would tint blown-out highlights. The added term keeps 1 at 1 and fades fast below it.
    returned = linear.copy()
    for _ in range(int(np.log2(HIGHLIGHT_POWER))):
        np.multiply(returned, returned, out=returned)
    returned *= np.maximum(np.float32(1.0) - gains, np.float32(0.0))
    if veil is not None:
        linear = np.maximum(linear - veil, np.float32(0.0))
    lit: NDArray[np.float32] = np.multiply(linear, gains, out=gains)
    lit += returned
    return lit


def encoded(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """`srgb_from_linear` of values clipped to [0, 1], by table: no power per pixel."""
    place = np.clip(light, 0.0, 1.0)
    np.sqrt(place, out=place)
    place *= np.float32(_STEPS - 1)
    return np.take(_table(), np.rint(place, out=place).astype(np.uint16))


@cache
def _table() -> NDArray[np.float32]:
    return srgb_from_linear(np.square(np.linspace(0.0, 1.0, _STEPS, dtype=np.float32)))
