"""Estimates the noise of a picture: white noise and grain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import luma, strongest, weakest
from darkroom.imaging.filters import Floats, box_mean, gaussian, gradient
from darkroom.imaging.picture import Pixels, to_float

#: Side of the patches, in pixels: large enough for many noise-only directions, small enough to be fast.
PATCH_SIDE = 5
#: Largest number of patches; more do not improve the estimate.
MAX_PATCHES = 20_000
#: Share of unclipped patches below which patches with a clipped value are used too.
LEAST_WHOLE = 0.1
#: Share of the patches that are used: those with the least structure.
FLAT_SHARE = 0.4
#: Least number of patches for a covariance matrix of 25 x 25.
MIN_PATCHES = 100

#: Standard deviation of luma for independent white noise of 1 in every channel. Source: weights of ITU-R BT.601.
LUMA_NOISE = float(np.sqrt(0.299**2 + 0.587**2 + 0.114**2))
#: Ratio of the noise in the channel differences to the noise in the channels, up to which the differences are not used:
#: after JPEG compression, and for monochrome grain. Texture is mostly in luma, so that otherwise the differences give
#: white noise of 3 to 25 within a tenth, for any scene.
NOT_INDEPENDENT = 0.35
#: The same ratio from which only the differences are used.
INDEPENDENT = 0.55
#: Scale of the correction for clipping, 0-255: a measured sigma is increased by the share (sigma / CUT_SIGMA)². Only
#: unclipped patches are measured, in which strong noise is weaker than elsewhere: 44 instead of 50.
CUT_SIGMA = 150.0

#: Side in pixels of the blocks in which grain is measured.
BLOCK_SIDE = 16
#: Standard deviation in pixels of the Gaussian that is subtracted from luma before grain is measured.
GRAIN_REACH = 2.5
#: Least number of unclipped blocks for a percentile.
MIN_BLOCKS = 50
#: Least standard deviation (0-255 scale) in the 1st percentile of the blocks of a picture with grain. Source: of 65
#: clean photographs one has that much and is as `UNIFORM`; of those with grain of 9, 0.5 to 1 pixels in size, nine in
#: ten.
LEAST_GRAIN = 2.5
#: Largest ratio of the 25th to the 1st percentile of the blocks of a picture with grain: grain is everywhere.
UNIFORM = 1.5
#: Ratio of the 1st percentile of the blocks to the noise of the channels above which the noise is grain. White noise
#: has a ratio below 1.
GRAIN_RATIO = 1.15
#: Standard deviation of the calmest blocks for white noise of 1, which limits the estimate from above. Measured: 0.9
#: where all channels have the same noise, 0.6 to 0.7 where each has its own.
CALMEST_WHITE = 0.81
#: The same limit for the estimate from luma, after JPEG compression.
CALMEST_LUMA = 0.63
#: Factor from the calmest blocks to the sigma of grain. Source: over grain of 5 to 25, 0.5 to 1 pixels in size, all
#: factors from 1.3 to 1.6 are within 0.3 dB of the best.
GRAIN_FACTOR = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise of a picture."""

    #: Standard deviation, root mean square over the colour channels, on the 0-255 scale.
    sigma: float
    #: The same, measured in each channel; includes texture that cannot be separated from noise.
    channels: float
    #: 1 if the noise of the channels is independent, as from a sensor; 0 if it is the same in all channels, or if the
    #: file stores chroma at half the resolution. Only towards 0 may the estimate contain texture.
    independent: float
    #: Standard deviation of spatially correlated noise (film grain, scaled or compressed noise), on the 0-255 scale; 0
    #: if there is none, or no more than `channels` explains.
    grain: float


def estimate_noise(tiles: Sequence[Pixels]) -> Noise:
    """Estimate the noise, and whether it is independent in each channel.

    The covariance of small patches has a few large eigenvalues from the scene, and many small ones from noise alone.
    The noise variance is the mean of the largest set of small eigenvalues whose mean equals its median. Patches are
    selected by their gradient after smoothing, which does not depend on the noise. Patches with a clipped pixel are not
    used.

    Two steps go beyond the source. The differences of the channels are measured before the channels themselves. The
    estimate is limited by the noise of the calmest blocks: texture is local, grain is everywhere, so that in a picture
    with grain the calmest blocks vary as much as many others. Both steps are our own; the constants state the data on
    which they were chosen.

    Parameters
    ----------
    tiles : sequence of (H, W, 3) uint8 or uint16
        Parts of one picture at native resolution, all of one type.

    Returns
    -------
    Noise
        `sigma` is 0 for pictures that are too small. Its error is below a tenth for white Gaussian noise of 3 to 25,
        and below a fifth up to 50. Correlated noise is underestimated: see `grain`.

    References
    ----------
    G. Chen, F. Zhu, P. A. Heng, "An Efficient Statistical Method for Image Noise Level Estimation", ICCV 2015,
    https://doi.org/10.1109/ICCV.2015.62

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(128, 10, (200, 200, 3))
    >>> found = estimate_noise([np.clip(noise, 0, 255).astype(np.uint8)])
    >>> 9 < found.sigma < 11, found.independent
    (True, 1.0)
    >>> noise = gaussian(np.random.default_rng(0).normal(128, 20, (200, 200)), 0.7)
    >>> 5 < estimate_noise([np.repeat(noise[..., None], 3, axis=2).astype(np.uint8)]).grain < 15
    True
    """
    each = _variances(tiles, lambda tile: [*_channels(tile), *_differences(tile)])
    channels, differences = (_uncut(each[part]) for part in (slice(0, 3), slice(3, 5)))
    unrest = _unrest_of(tiles)
    grain = _grain(unrest, channels)
    if channels == 0.0:
        return Noise(sigma=0.0, channels=0.0, independent=1.0, grain=grain)
    independent = float(np.clip((differences / channels - NOT_INDEPENDENT) / (INDEPENDENT - NOT_INDEPENDENT), 0, 1))
    most = max(min(channels, _calmest(unrest) / CALMEST_WHITE), differences)
    sigma = independent * differences + (1 - independent) * most
    return Noise(sigma=sigma, channels=channels, independent=independent, grain=grain)


def estimate_sigma_from_luma(tiles: Sequence[Pixels]) -> float:
    """Estimate from luma the white noise that every channel had before JPEG compression.

    JPEG stores chroma at half the resolution, so that only luma keeps the strength of the noise. For white noise of 25
    and JPEG of quality 80 to 95, `estimate_noise` gives 17 and this function 20 to 29. For a picture without colour,
    whose channels have the same noise, the result is up to 1.5 times the true noise.

    Parameters
    ----------
    tiles : sequence of (H, W, 3) uint8 or uint16
        Parts of one picture at native resolution, all of one type.

    Returns
    -------
    float
        On the 0-255 scale; 0 for pictures that are too small.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(128, 10, (200, 200, 3))
    >>> 9 < estimate_sigma_from_luma([np.clip(noise, 0, 255).astype(np.uint8)]) < 11
    True
    """
    found = _uncut(_variances(tiles, lambda tile: [to_float(_grey(tile))])) / LUMA_NOISE
    return min(found, calmest(tiles) / CALMEST_LUMA)


def calmest(tiles: Sequence[Pixels]) -> float:
    """Standard deviation of the fine part of luma in the calmest fiftieth of the blocks, on the 0-255 scale.

    Noise is everywhere, so that this is nearly an upper limit of it. Infinite for pictures that are too small.
    """
    return _calmest(_unrest_of(tiles))


def _calmest(unrest: Floats) -> float:
    return 255.0 * float(np.percentile(unrest, 2)) if len(unrest) >= MIN_BLOCKS else float("inf")


def _grain(unrest: Floats, channels: float) -> float:
    if len(unrest) < MIN_BLOCKS:
        return 0.0
    least, calm = 255.0 * np.percentile(unrest, (1, 25))
    is_grain = least > max(LEAST_GRAIN, GRAIN_RATIO * channels) and calm < UNIFORM * least
    return GRAIN_FACTOR * float(least) if is_grain else 0.0


def _channels(tile: Pixels) -> Sequence[Floats]:
    return [to_float(tile[..., channel]) for channel in range(3)]


def _differences(tile: Pixels) -> Sequence[Floats]:
    """Two differences of the channels, scaled so that independent noise of 1 in every channel gives 1 in both."""
    red, green, blue = _channels(tile)
    return [(red - blue) / np.float32(np.sqrt(2)), (red - 2 * green + blue) / np.float32(np.sqrt(6))]


def _uncut(variances: Sequence[float]) -> float:
    """Sigma of the mean variance, corrected for the missing clipped patches, on the 0-255 scale."""
    found = 255.0 * float(np.sqrt(np.mean(variances)))
    return found * (1.0 + (found / CUT_SIGMA) ** 2)


def _grey(tile: Pixels) -> Pixels:
    """Luma in the type of the tile."""
    return cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY)  # type: ignore[return-value]


def _variances(tiles: Sequence[Pixels], planes: Callable[[Pixels], Sequence[Floats]]) -> list[float]:
    """The noise variance of each plane (H, W) that `planes` returns for a tile; 0 for tiles that are too small."""
    usable = [tile for tile in tiles if min(tile.shape[:2]) >= PATCH_SIDE]
    if not usable:
        return [0.0] * len(planes(tiles[0]))
    step = _step(usable)
    chosen = _chosen([_structure(tile, step) for tile in usable])
    return [_channel_variance(each, step, chosen) for each in zip(*map(planes, usable), strict=True)]


def _unrest_of(tiles: Sequence[Pixels]) -> Floats:
    return np.concatenate([np.zeros(0, np.float32), *map(_unrest, tiles)])


def _unrest(tile: Pixels) -> Floats:
    """Standard deviation of the fine part of luma in each block without a nearly clipped value."""
    rows, columns = (extent // BLOCK_SIDE for extent in tile.shape[:2])
    plane = luma(tile)
    whole, fine = (
        each[: rows * BLOCK_SIDE, : columns * BLOCK_SIDE]
        .reshape(rows, BLOCK_SIDE, columns, BLOCK_SIDE)
        .swapaxes(1, 2)
        .reshape(rows * columns, BLOCK_SIDE * BLOCK_SIDE)
        for each in (plane, plane - gaussian(plane, GRAIN_REACH))
    )
    if not whole.size:
        return np.zeros(0, np.float32)
    within = (whole.min(axis=1) > 0.02) & (whole.max(axis=1) < 0.98)
    unrest: Floats = fine[within].std(axis=1)
    return unrest


def _step(tiles: Sequence[Pixels]) -> int:
    """Distance between patches; odd, so that patches have all phases of a JPEG grid."""
    pixels = sum(tile.shape[0] * tile.shape[1] for tile in tiles)
    return max(1, int(np.sqrt(pixels / MAX_PATCHES))) | 1


def _centres(plane: Floats, step: int) -> Floats:
    """The values of a plane at the centres of the patches."""
    half = PATCH_SIDE // 2
    return plane[half : plane.shape[0] - half : step, half : plane.shape[1] - half : step].ravel()


def _structure(tile: Pixels, step: int) -> Floats:
    """Structure of each patch, from a smoothed gradient of luma; infinite where a value is clipped."""
    rows, columns = gradient(gaussian(luma(tile), 2.0))
    energy = box_mean(rows * rows + columns * columns, PATCH_SIDE // 2)
    clipped = ((weakest(tile) == 0) | (strongest(tile) == np.iinfo(tile.dtype).max)).astype(np.uint8)
    near = cv2.dilate(clipped, np.ones((PATCH_SIDE, PATCH_SIDE), np.uint8))
    return _centres(np.where(near > 0, np.float32(np.inf), energy), step)


def _chosen(structures: Sequence[Floats]) -> NDArray[np.intp]:
    """Indices of the flattest patches; clipped ones only if nearly all patches are clipped."""
    structure = np.concatenate(structures)
    whole = int(np.count_nonzero(np.isfinite(structure)))
    if whole < max(MIN_PATCHES, LEAST_WHOLE * len(structure)):
        return np.arange(len(structure))
    keep = max(min(MIN_PATCHES, whole), int(FLAT_SHARE * whole))
    return np.argpartition(structure, keep - 1)[:keep]


def _channel_variance(planes: Sequence[Floats], step: int, chosen: NDArray[np.intp]) -> float:
    if len(chosen) < MIN_PATCHES:
        return 0.0
    patches = np.concatenate([_patches(plane, step) for plane in planes])[chosen]
    patches -= patches.mean(axis=0)
    # OpenCV computes product and eigenvalues in one thread. For matrices this small BLAS is slower: it starts threads.
    covariance = cv2.mulTransposed(patches, True, scale=1.0 / (len(patches) - 1))
    _, eigenvalues, _ = cv2.eigen(covariance)
    return _noise_variance(np.asarray(eigenvalues[::-1, 0], np.float64))


def _patches(plane: Floats, step: int) -> Floats:
    """Patches as rows, (N, PATCH_SIDE²)."""
    windows = np.lib.stride_tricks.sliding_window_view(plane, (PATCH_SIDE, PATCH_SIDE))[::step, ::step]
    return windows.reshape(-1, PATCH_SIDE * PATCH_SIDE)


def _noise_variance(eigenvalues: NDArray[np.floating]) -> float:
    """Remove the largest of the ascending `eigenvalues` until the mean of the rest does not exceed their median."""
    for kept in range(len(eigenvalues), 1, -1):
        rest = eigenvalues[:kept]
        if rest.mean() <= np.median(rest):
            return float(max(rest.mean(), 0.0))
    return float(max(eigenvalues[0], 0.0))
