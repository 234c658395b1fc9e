"""Wraps the linear filters of OpenCV with exact types."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

#: An array type; a filter returns the type of its input, with the same number of channels.
Array = TypeVar("Array", bound=NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32])
Floats = NDArray[np.float32]

#: Radius of a Gaussian kernel in standard deviations.
REACH = 3.0


def reach(sigma: float) -> int:
    """Radius in pixels of the kernel of a Gaussian with standard deviation `sigma`: the halo that tiles need."""
    return max(1, int(np.ceil(REACH * sigma)))


def gaussian(values: Array, sigma: float) -> Array:
    """Gaussian smoothing of (H, W) or (H, W, C), mirrored at the borders; a larger `sigma` (pixels) smooths more."""
    side = 2 * reach(sigma) + 1
    return cv2.GaussianBlur(values, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)  # type: ignore[return-value]


def box_mean(values: Floats, radius: int) -> Floats:
    """Mean over the square of side 2·radius + 1 around each pixel, mirrored at the borders; time O(1) in `radius`."""
    side = 2 * radius + 1
    mean: Floats = cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT_101)  # type: ignore[assignment]
    return mean


def gradient(plane: Floats) -> tuple[Floats, Floats]:
    """Central differences across the rows and across the columns, per pixel."""
    kernel = np.array([[-0.5, 0.0, 0.5]], np.float32)
    across_rows: Floats = cv2.filter2D(plane, -1, kernel.T)  # type: ignore[assignment]
    across_columns: Floats = cv2.filter2D(plane, -1, kernel)  # type: ignore[assignment]
    return across_rows, across_columns


def resized(values: Array, height: int, width: int) -> Array:
    """(H, W) or (H, W, C) at another size: averaged over areas when it shrinks, Lanczos (four lobes) when it grows.

    A side that shrinks while the other grows is averaged first. For the same size the input itself is returned.
    """
    rows, columns = min(height, values.shape[0]), min(width, values.shape[1])
    if (rows, columns) != values.shape[:2]:
        values = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    if (height, width) != values.shape[:2]:
        values = cv2.resize(values, (width, height), interpolation=cv2.INTER_LANCZOS4)  # type: ignore[assignment]
    return values


def enlarged_window(small: Floats, window: tuple[int, ...], start: tuple[int, int], size: tuple[int, int]) -> Floats:
    """The window at `start` of `small`, enlarged to `size` by linear interpolation; `window` is its size."""
    rows, columns = small.shape[0] / size[0], small.shape[1] / size[1]
    # Maps a full-size pixel to the small one with the same centre; warpAffine expects this inverse map.
    to_small = np.array(
        [
            [columns, 0.0, (start[1] + 0.5) * columns - 0.5],
            [0.0, rows, (start[0] + 0.5) * rows - 0.5],
        ]
    )
    return cv2.warpAffine(  # type: ignore[return-value]
        small,
        to_small,
        (window[1], window[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
