"""Adjusts brightness, contrast, saturation and temperature.

All parameters are relative: 0 changes nothing, ±1 is the strongest change.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import LUMINANCE_WEIGHTS, linear_from_srgb, srgb_from_linear
from darkroom.imaging.filters import Array

#: Slope of the tone curve at its middle, at contrast 1.
STEEPEST = 2.0
#: Half the log ratio of the gains of red and blue at temperature 1: about the step from daylight to evening light.
WARMEST = 0.35

Curve = NDArray[np.float32]


def tone_curve(values: Curve, brightness: float, contrast: float) -> Curve:
    """Brightness, then contrast, of sRGB-encoded values in [0, 1]; black stays black and white stays white.

    A larger brightness raises the middle (exponents from 2 to 1/2). A larger contrast makes the middle steeper, by a
    smooth curve that does not clip. A negative contrast moves all values towards grey.

    >>> curve = tone_curve(np.array([0.0, 0.5, 1.0], np.float32), 0.5, 0.0)
    >>> bool(curve[0] == 0 and curve[1] > 0.5 and curve[2] == 1)
    True
    """
    curve = np.power(values, np.float32(2.0**-brightness))
    if contrast > 0.0:
        steepness = STEEPEST * contrast
        curve = 0.5 + np.tanh(steepness * (2.0 * curve - 1.0)) / (2.0 * np.tanh(steepness))
    elif contrast < 0.0:
        curve = 0.5 + (curve - 0.5) * (1.0 + contrast)
    return curve.astype(np.float32)


def temperature_gains(temperature: float) -> NDArray[np.float32]:
    """Factors of linear red, green and blue. A value above 0 is warmer. A grey keeps its luminance."""
    gains = np.exp(np.array([WARMEST, 0.0, -WARMEST]) * temperature)
    normalised: NDArray[np.float32] = (gains / float(gains @ LUMINANCE_WEIGHTS)).astype(np.float32)
    return normalised


def adjustment_table(levels: int, brightness: float, contrast: float, temperature: float) -> NDArray[np.float32]:
    """Tone curve and temperature as one table for each channel: (levels, 3) float32, see `apply_table`."""
    values = tone_curve(np.linspace(0.0, 1.0, levels, dtype=np.float32), brightness, contrast)
    channels = np.repeat(values[:, np.newaxis], 3, axis=1)
    if temperature == 0.0:
        return channels
    return srgb_from_linear(linear_from_srgb(channels) * temperature_gains(temperature))


def saturate(values: Array, saturation: float) -> Array:
    """Move colours away from (above 0) or towards (below 0) the grey of their luma; -1 is black and white.

    `values` is (H, W, 3), RGB. Integers are rounded and clipped to their range, and greys do not change. The luma is
    rounded too: the error is at most half a step times `saturation`.
    """
    grey = cv2.cvtColor(cv2.cvtColor(values, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(values, 1.0 + saturation, grey, -saturation, 0.0)  # type: ignore[return-value]
