"""Measure and remove a uniform colour over a whole picture, as of a filter."""

import math

import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import apply_table, linear_from_srgb
from darkroom.imaging.picture import Pixels, to_float
from darkroom.imaging.sampling import reduced

#: Percentile of a channel that becomes black. Source: docs/stages.md, against photographs under uniform colours.
BLACK = 0.5
#: Percentile of a channel that becomes white. Source: as for `BLACK`.
WHITE = 99.5
#: Largest factor by which a channel is stretched. Beyond it few levels are left, and noise. Source: as for `BLACK`.
LARGEST_GAIN = 5.0
#: Weights of the measures in `veil_probability`. Source: logistic regression on 700 photographs, each clean, under a
#: coloured light, and under a colour of 20 to 60 % opacity.
LINEAR = (18.54, 16.16, 0.2, 0.46, 35.13, 8.42)
#: Weights of the products of two measures, row by row. Source: as for `LINEAR`.
QUADRATIC = (
    (-34.12, 15.76, 21.11, -13.53, 12.39, -61.85),
    (0.0, -25.81, 4.48, 7.48, -7.97, 8.51),
    (0.0, 0.0, -9.08, -7.64, -7.29, -10.96),
    (0.0, 0.0, 0.0, 11.45, 0.72, 5.34),
    (0.0, 0.0, 0.0, 0.0, -17.27, 4.37),
    (0.0, 0.0, 0.0, 0.0, 0.0, -6.98),
)
#: Constant term of the regression. Source: as for `LINEAR`.
CONSTANT = -14.6


def channel_range(pixels: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 0.5th and the 99.5th percentile of each channel, (3,) in [0, 1]."""
    low, high = np.percentile(to_float(reduced(pixels)), (BLACK, WHITE), axis=(0, 1))
    return low, high


def veil_probability(pixels: Pixels) -> float:
    """Estimate the probability that a uniform colour covers the whole picture.

    Coloured light does not change black. A veil raises the darkest values of each channel, in proportion to its own
    colour, and compresses the range of all channels.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16, sRGB

    Returns
    -------
    float
        0-1. Haze and flat light raise black too, but nearly without colour. About 3 ms.
    """
    low, high = channel_range(pixels)
    extent = high - low
    measures = np.array([low.min(), low.max(), extent.max(), extent.min(), high.max(), high.min()])
    odds = CONSTANT + float(measures @ np.array(LINEAR) + measures @ np.array(QUADRATIC) @ measures)
    return 1.0 / (1.0 + math.exp(-min(max(odds, -50.0), 50.0)))


def stretched(pixels: Pixels) -> Pixels:
    """Each channel stretched from its 0.5th to its 99.5th percentile, sRGB-encoded; a flat channel stays as it is.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16

    Examples
    --------
    >>> ramp = np.linspace([100, 60, 60], [180, 200, 180], 200).round().astype(np.uint8)[:, None].repeat(9, axis=1)
    >>> result = stretched(ramp)
    >>> int(result.min()), int(result.max())
    (0, 255)
    """
    low, high = channel_range(pixels)
    flat = high - low < 1.0 / 255.0
    gains = np.where(flat, 1.0, np.minimum(1.0 / np.maximum(high - low, 1e-6), LARGEST_GAIN))
    middle = (low + high) / 2.0
    # Where the gain is limited, the middle of the range becomes 0.5.
    target = np.where(flat, middle, np.where(gains < LARGEST_GAIN, 0.5, middle))
    levels = np.linspace(0.0, 1.0, int(np.iinfo(pixels.dtype).max) + 1)[:, np.newaxis]
    table = np.clip((levels - middle) * gains + target, 0.0, 1.0)
    return apply_table(pixels, table.astype(np.float32))


def tables_without_veil(
    offset: NDArray[np.float32], gain: NDArray[np.float32], dtype: np.dtype[np.uint8] | np.dtype[np.uint16]
) -> NDArray[np.float32]:
    """Linear light of each value of each channel of a picture, after a uniform colour is removed from it.

    Parameters
    ----------
    offset : (3,) float32
        Subtracted from the sRGB-encoded channels in [0, 1].
    gain : (3,) float32
        Multiplies what is left.
    dtype : uint8 or uint16
        Type of the pixels.

    Returns
    -------
    (256, 3) or (65536, 3) float32 in [0, 1]

    Examples
    --------
    >>> veil, opacity = np.array([0.8, 0.2, 0.6], np.float32), np.float32(0.5)
    >>> tables = tables_without_veil(veil * opacity, np.full(3, 1 / (1 - opacity), np.float32), np.dtype(np.uint8))
    >>> covered = np.rint(255 * (0.5 * veil + 0.5)).astype(int)
    >>> [round(float(tables[level, channel]), 2) for channel, level in enumerate(covered)]
    [1.0, 1.0, 1.0]
    """
    levels = np.linspace(0.0, 1.0, int(np.iinfo(dtype).max) + 1, dtype=np.float32)[:, np.newaxis]
    return linear_from_srgb(np.clip((levels - offset) * gain, 0.0, 1.0))
