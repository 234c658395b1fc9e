"""Interpolates a coarse grid of numbers to a smooth surface of any size."""

import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.tiling import Region

Grid = NDArray[np.float32]


def surface(grid: Grid, region: Region, size: tuple[int, int]) -> NDArray[np.float32]:
    """The part of a grid's surface over `region` of a picture of `size`.

    A uniform cubic B-spline: twice continuously differentiable, so that no line of the grid shows, and within the
    range of its four neighbours. Beyond the outermost cells their values go on.

    Parameters
    ----------
    grid : (C, h, w) float32
        Each value stands for one of h x w equal parts of the picture.
    region : Region
        A window of the picture.
    size : (int, int)
        Height and width of the whole picture.

    Returns
    -------
    (region.height, region.width, C) float32
        Costs two small matrix products, about 2 ms a megapixel and channel.

    References
    ----------
    Unser: Splines: a perfect fit for signal and image processing, IEEE Signal Processing Magazine 16(6), 1999,
    https://doi.org/10.1109/79.799930

    Examples
    --------
    >>> import numpy as np
    >>> flat = surface(np.full((1, 2, 2), 3.0, np.float32), Region(row=0, column=0, height=4, width=5), (4, 5))
    >>> flat.shape, bool(np.allclose(flat, 3.0))
    ((4, 5, 1), True)
    """
    rows = spline_weights(grid.shape[1], size[0], region.row, region.row + region.height)
    columns = spline_weights(grid.shape[2], size[1], region.column, region.column + region.width)
    planes = [rows @ plane @ columns.T for plane in grid]
    stacked: NDArray[np.float32] = np.stack(planes, axis=-1)
    return stacked


def spline_weights(cells: int, length: int, start: int, stop: int) -> NDArray[np.float32]:
    """Each cell's share in the pixels from `start` to `stop` of `length`: rows (stop - start, cells), each of sum 1."""
    place = (np.arange(start, stop) + 0.5) * (cells / length) - 0.5
    first = np.floor(place).astype(np.intp)
    t = place - first
    shares = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    weights = np.zeros((stop - start, cells), np.float32)
    for offset, share in enumerate(shares, start=-1):
        np.add.at(weights, (np.arange(stop - start), np.clip(first + offset, 0, cells - 1)), share / 6)
    return weights
