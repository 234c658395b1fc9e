"""Equalises local contrast in floats, with the same result for both bit depths and without banding."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.picture import Plane

#: Bins of the histograms; the curves are interpolated between them.
BINS = 256

Curves = NDArray[np.float32]


def equalise(plane: Plane, *, grid: int, clip_limit: float) -> Plane:
    """Contrast-limited adaptive histogram equalisation.

    The plane is divided into `grid` x `grid` regions, each with its own equalising curve. A pixel gets the bilinear
    interpolation of the curves of the four nearest regions.

    Parameters
    ----------
    plane : (H, W) float32 in [0, 1]
    grid : int
        More regions follow the light more locally.
    clip_limit : float
        Largest count of a bin, relative to the mean count. The excess is distributed over all bins. 1 changes nearly
        nothing; a larger limit gives more contrast and amplifies more noise.

    Returns
    -------
    (H, W) float32 in [0, 1]

    References
    ----------
    K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV, 1994,
    https://doi.org/10.1016/B978-0-12-336156-1.50061-6

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.tile(np.linspace(0.4, 0.6, 64, dtype=np.float32), (64, 1))
    >>> bool(np.ptp(equalise(ramp, grid=2, clip_limit=4.0)) > np.ptp(ramp))
    True
    """
    row_edges, column_edges = _edges(plane.shape[0], grid), _edges(plane.shape[1], grid)
    curves = _curves(plane, row_edges, column_edges, clip_limit)
    row_centres, column_centres = _centres(row_edges), _centres(column_edges)
    answer = np.empty_like(plane)
    # All pixels between two neighbouring centres, in both directions, use the same four curves.
    for top, bottom in pairwise(_breaks(row_centres, plane.shape[0])):
        for left, right in pairwise(_breaks(column_centres, plane.shape[1])):
            rows, columns = np.arange(top, bottom), np.arange(left, right)
            answer[top:bottom, left:right] = _mixed(
                plane[top:bottom, left:right], curves, _weights(rows, row_centres), _weights(columns, column_centres)
            )
    return answer


def _edges(length: int, grid: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, length, min(grid, length) + 1).round().astype(np.intp))


def _centres(edges: NDArray[np.intp]) -> NDArray[np.float64]:
    centres: NDArray[np.float64] = (edges[:-1] + edges[1:] - 1) / 2.0
    return centres


def _breaks(centres: NDArray[np.float64], length: int) -> list[int]:
    return sorted({0, *(int(np.ceil(centre)) for centre in centres[1:-1]), length})


def _curves(
    plane: Plane, row_edges: NDArray[np.intp], column_edges: NDArray[np.intp], clip_limit: float
) -> dict[tuple[int, int], Curves]:
    return {
        (row, column): _curve(plane[top:bottom, left:right], clip_limit)
        for row, (top, bottom) in enumerate(pairwise(row_edges))
        for column, (left, right) in enumerate(pairwise(column_edges))
    }


def _curve(region: Plane, clip_limit: float) -> Curves:
    """The output value at each of the BINS + 1 bin edges."""
    counts = np.bincount(np.minimum(region * BINS, BINS - 1).astype(np.intp).ravel(), minlength=BINS) / region.size
    excess = np.maximum(counts - clip_limit / BINS, 0.0).sum()
    spread = np.minimum(counts, clip_limit / BINS) + excess / BINS
    return np.concatenate([[0.0], np.cumsum(spread)]).astype(np.float32)


def _weights(places: NDArray[np.intp], centres: NDArray[np.float64]) -> tuple[int, int, NDArray[np.float32]]:
    """Two neighbouring regions and the weight of the second at each place; all places are between their centres."""
    second = int(np.clip(np.searchsorted(centres, places[0], side="right"), 1, max(len(centres) - 1, 1)))
    if len(centres) == 1:
        return 0, 0, np.zeros(len(places), np.float32)
    share = (places - centres[second - 1]) / (centres[second] - centres[second - 1])
    return second - 1, second, np.clip(share, 0.0, 1.0).astype(np.float32)


def _mixed(
    block: Plane,
    curves: dict[tuple[int, int], Curves],
    rows: tuple[int, int, NDArray[np.float32]],
    columns: tuple[int, int, NDArray[np.float32]],
) -> Plane:
    above, below, down = rows[0], rows[1], rows[2][:, np.newaxis]
    before, after, right = columns[0], columns[1], columns[2][np.newaxis]
    upper = _between(_applied(block, curves[above, before]), _applied(block, curves[above, after]), right)
    lower = _between(_applied(block, curves[below, before]), _applied(block, curves[below, after]), right)
    return _between(upper, lower, down)


def _between(first: Plane, second: Plane, share: NDArray[np.float32]) -> Plane:
    mixed: Plane = first + (second - first) * share
    return mixed


def _applied(block: Plane, curve: Curves) -> Plane:
    position = block * np.float32(BINS)
    index = np.minimum(position.astype(np.int32), BINS - 1)
    start = np.take(curve, index)
    return _between(start, np.take(curve, index + 1), position - index.astype(np.float32))
