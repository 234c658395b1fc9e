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
#: Patches looked at in all; more gain nothing.
MAX_PATCHES = 20_000
#: Patches with a clipped value are used only if the others are less than this share.
LEAST_WHOLE = 0.1
#: Share of the patches that are kept: those with the least structure.
FLAT_SHARE = 0.4
#: Fewer patches than this say nothing about a covariance of 25 x 25.
MIN_PATCHES = 100

#: White noise of 1 in every channel is so much in their weighted mean, luma.
LUMA_NOISE = float(np.sqrt(0.299**2 + 0.587**2 + 0.114**2))
#: Texture is light for the most part: what the channels differ by tells white noise of 3 to 25 within a tenth, whatever
#: the picture shows. Up to the first share of what each channel has it says nothing, as after a JPEG or of grain in
#: black and white; from the second on it alone counts.
NOT_INDEPENDENT, INDEPENDENT = 0.35, 0.55
#: Patches without a clipped value have the smaller part of strong noise: 44 of 50. What was found is taken for more by
#: the square of its share of this.
CUT_SIGMA = 150.0

#: Grain is looked for in blocks of this side, in what a Gaussian of the second number (pixels) takes away.
BLOCK_SIDE, GRAIN_REACH = 16, 2.5
#: Fewer unclipped blocks than this say nothing about a percentile.
MIN_BLOCKS = 50
#: Grain is everywhere: the calmest hundredth of the blocks has at least the first number (0-255 scale), the calmest
#: quarter no more than the second one times that. Of 65 clean photographs one is like that; of those with grain of 9,
#: 0.5 to 1 pixels in size, nine in ten.
LEAST_GRAIN, UNIFORM = 2.5, 1.5
#: White noise leaves less in the calmest blocks than its sigma; what leaves more than so many times it is grain.
GRAIN_RATIO = 1.15
#: White noise of 1 leaves 0.9 in the calmest blocks where all channels have the same, 0.6 to 0.7 where each has its
#: own. No more noise is told than these blocks have by the first number, or by the second one before a JPEG.
CALMEST_WHITE, CALMEST_LUMA = 0.81, 0.63
#: From the calmest blocks to the sigma that serves best: over grain of 5 to 25, 0.5 to 1 pixels in size, nothing
#: between 1.3 and 1.6 is more than 0.3 dB from the best.
GRAIN_FACTOR = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What noise a picture has."""

    #: Standard deviation, root mean square over the colour channels, on the 0-255 scale.
    sigma: float
    #: The same of what each channel has, texture that cannot be told from noise among it.
    channels: float
    #: 1 where each channel has noise of its own, as a sensor makes it; 0 where all have the same, or a file has kept
    #: their differences at half the resolution. Only then may texture be taken for noise.
    independent: float
    #: Standard deviation of noise that neighbours share (film grain, noise that was scaled or compressed), on the 0-255
    #: scale; 0 where there is none, or no more than `channels` explains.
    grain: float


def estimate_noise(tiles: Sequence[Pixels]) -> Noise:
    """How much noise there is, and whether every channel has its own.

    The covariance of small patches has a few large eigenvalues, made by the picture, and many small ones, made by
    noise alone. The noise variance is the mean of the largest set of small eigenvalues whose mean is its median.
    Patches are chosen by their gradient after smoothing, which says where structure is without looking at the noise,
    and patches with a clipped pixel are left out. Beyond the source, what the channels differ by is looked at before
    the channels, and no more is found than the calmest blocks have. Texture stands somewhere, grain everywhere: in a
    picture with grain the calmest blocks are as restless as many others. No published method is behind that; the
    constants say on what they were chosen.

    Parameters
    ----------
    tiles : sequence of (H, W, 3) uint8 or uint16
        Parts of one picture at native resolution, all of one type.

    Returns
    -------
    Noise
        `sigma` is 0 for pictures too small to tell. Within a tenth for white Gaussian noise of 3 to 25, a fifth up
        to 50. Noise that neighbours share is underestimated: see `grain`.

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
    """What white noise had in every channel, from what is left of it in luma.

    JPEG keeps chroma at half the resolution, so that of noise that was stored it is luma that still tells how strong it
    was: of white noise of 25, `estimate_noise` finds 17 after a JPEG of quality 80 to 95, and this 20 to 29. In a
    picture without colour, whose channels have the same noise, it is up to half as much again as there is.

    Parameters
    ----------
    tiles : sequence of (H, W, 3) uint8 or uint16
        Parts of one picture at native resolution, all of one type.

    Returns
    -------
    float
        On the 0-255 scale; 0 for pictures too small to tell.

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

    Noise is everywhere: there is hardly more of it. Infinite for pictures too small to tell.
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
    """What the channels differ by, twice, so that independent noise of 1 in every channel is 1 in both."""
    red, green, blue = _channels(tile)
    return [(red - blue) / np.float32(np.sqrt(2)), (red - 2 * green + blue) / np.float32(np.sqrt(6))]


def _uncut(variances: Sequence[float]) -> float:
    """The sigma of these variances together, with what patches without clipped values lack, on the 0-255 scale."""
    found = 255.0 * float(np.sqrt(np.mean(variances)))
    return found * (1.0 + (found / CUT_SIGMA) ** 2)


def _grey(tile: Pixels) -> Pixels:
    """Luma in the type of the tile."""
    return cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY)  # type: ignore[return-value]


def _variances(tiles: Sequence[Pixels], planes: Callable[[Pixels], Sequence[Floats]]) -> list[float]:
    """The noise variance in each of the planes (H, W) that are made of a tile; 0 for each if they are too small."""
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
    clipped = ((weakest(tile) == 0) | (strongest(tile) == np.iinfo(tile.dtype).max)).astype(np.uint8)
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


def _channel_variance(planes: Sequence[Floats], step: int, chosen: NDArray[np.intp]) -> float:
    if len(chosen) < MIN_PATCHES:
        return 0.0
    patches = np.concatenate([_patches(plane, step) for plane in planes])[chosen]
    patches -= patches.mean(axis=0)
    # OpenCV's product and eigenvalues run in one thread; for matrices this small BLAS spends its time on its threads.
    covariance = cv2.mulTransposed(patches, True, scale=1.0 / (len(patches) - 1))
    _, eigenvalues, _ = cv2.eigen(covariance)
    return _noise_variance(np.asarray(eigenvalues[::-1, 0], np.float64))


def _patches(plane: Floats, step: int) -> Floats:
    """Patches as rows, (N, PATCH_SIDE²)."""
    windows = np.lib.stride_tricks.sliding_window_view(plane, (PATCH_SIDE, PATCH_SIDE))[::step, ::step]
    return windows.reshape(-1, PATCH_SIDE * PATCH_SIDE)


def _noise_variance(eigenvalues: NDArray[np.floating]) -> float:
    """`eigenvalues` ascending. Drop the largest until the mean of the rest is no more than their median."""
    for kept in range(len(eigenvalues), 1, -1):
        rest = eigenvalues[:kept]
        if rest.mean() <= np.median(rest):
            return float(max(rest.mean(), 0.0))
    return float(max(eigenvalues[0], 0.0))
