"""How noisy is a picture?"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.color import luma
from shared.imaging.filters import Floats, box_mean, gaussian, gradient
from shared.imaging.picture import Pixels, to_float

#: Side of the patches, in pixels: large enough for many noise-only directions, small enough to be fast.
PATCH_SIDE = 5
#: Patches looked at in all; more gain nothing.
MAX_PATCHES = 20_000
#: Patches with a clipped value are used only if the others are less than this share.
LEAST_WHOLE = 0.1
#: Share of the patches that are kept: those with the least structure.
FLAT_SHARE = 0.4
#: Fewer patches than this say nothing about a covariance of 25 x 25.
MIN_PATCHES = 100


def estimate_sigma(tiles: Sequence[Pixels]) -> float:
    """Standard deviation of the noise, root mean square over the colour channels.

    The covariance of small patches has a few large eigenvalues, made by the picture, and many small ones, made by
    noise alone. The noise variance is the mean of the largest set of small eigenvalues whose mean is its median.
    Patches are chosen by their gradient after smoothing, which says where structure is without looking at the noise,
    and patches with a clipped pixel are left out.

    Parameters
    ----------
    tiles : sequence of (H, W, 3) uint8 or uint16
        Parts of one picture at native resolution, all of one type.

    Returns
    -------
    float
        On the 0-255 scale; 0 for pictures too small to tell. Within 20 % for white Gaussian noise of 5 to 50.
        Noise that neighbours share (after scaling, or strong JPEG compression) is underestimated.

    References
    ----------
    G. Chen, F. Zhu, P. A. Heng, "An Efficient Statistical Method for Image Noise Level Estimation", ICCV 2015,
    https://doi.org/10.1109/ICCV.2015.62

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(128, 10, (200, 200, 3))
    >>> 9 < estimate_sigma([np.clip(noise, 0, 255).astype(np.uint8)]) < 11
    True
    """
    usable = [tile for tile in tiles if min(tile.shape[:2]) >= PATCH_SIDE]
    if not usable:
        return 0.0
    step = _step(usable)
    chosen = _chosen([_structure(tile, step) for tile in usable])
    variances = [_channel_variance([tile[..., channel] for tile in usable], step, chosen) for channel in range(3)]
    return 255.0 * float(np.sqrt(np.mean(variances)))


def _step(tiles: Sequence[Pixels]) -> int:
    """Distance between patches; odd, so that every phase of a JPEG grid is met."""
    pixels = sum(tile.shape[0] * tile.shape[1] for tile in tiles)
    return max(1, int(np.sqrt(pixels / MAX_PATCHES))) | 1


def _centres(plane: Floats, step: int) -> Floats:
    """Of a plane of values around each pixel, those around the centres of the patches."""
    half = PATCH_SIDE // 2
    return plane[half : plane.shape[0] - half : step, half : plane.shape[1] - half : step].ravel()


def _structure(tile: Pixels, step: int) -> Floats:
    """How much structure each patch holds, from a smoothed gradient of luma; infinite where a value is clipped."""
    rows, columns = gradient(gaussian(luma(tile), 2.0))
    energy = box_mean(rows * rows + columns * columns, PATCH_SIDE // 2)
    clipped = ((tile == 0) | (tile == np.iinfo(tile.dtype).max)).any(axis=2).astype(np.uint8)
    near = cv2.dilate(clipped, np.ones((PATCH_SIDE, PATCH_SIDE), np.uint8))
    return _centres(np.where(near > 0, np.float32(np.inf), energy), step)


def _chosen(structures: Sequence[Floats]) -> NDArray[np.intp]:
    """Indices of the flattest patches, without the clipped ones unless hardly any others are left."""
    structure = np.concatenate(structures)
    whole = int(np.count_nonzero(np.isfinite(structure)))
    if whole < max(MIN_PATCHES, LEAST_WHOLE * len(structure)):
        return np.arange(len(structure))
    keep = max(min(MIN_PATCHES, whole), int(FLAT_SHARE * whole))
    return np.argpartition(structure, keep - 1)[:keep]


def _channel_variance(planes: Sequence[Pixels], step: int, chosen: NDArray[np.intp]) -> float:
    if len(chosen) < MIN_PATCHES:
        return 0.0
    patches = np.concatenate([_patches(plane, step) for plane in planes])[chosen]
    patches -= patches.mean(axis=0)
    # OpenCV's product and eigenvalues run in one thread; for matrices this small BLAS spends its time on its threads.
    covariance = cv2.mulTransposed(patches, True, scale=1.0 / (len(patches) - 1))
    _, eigenvalues, _ = cv2.eigen(covariance)
    return _noise_variance(np.asarray(eigenvalues[::-1, 0], np.float64))


def _patches(plane: Pixels, step: int) -> Floats:
    """Patches as rows, (N, PATCH_SIDE²)."""
    windows = np.lib.stride_tricks.sliding_window_view(to_float(plane), (PATCH_SIDE, PATCH_SIDE))[::step, ::step]
    return windows.reshape(-1, PATCH_SIDE * PATCH_SIDE)


def _noise_variance(eigenvalues: NDArray[np.floating]) -> float:
    """`eigenvalues` ascending. Drop the largest until the mean of the rest is no more than their median."""
    for kept in range(len(eigenvalues), 1, -1):
        rest = eigenvalues[:kept]
        if rest.mean() <= np.median(rest):
            return float(max(rest.mean(), 0.0))
    return float(max(eigenvalues[0], 0.0))
