"""Estimates the colour of the light and the strength of a colour cast."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import lab_from_image, linear_from_pixels, strongest
from darkroom.imaging.filters import gaussian
from darkroom.imaging.picture import Pixels, to_float
from darkroom.imaging.sampling import reduced

#: Largest number of pixels that are analysed: a colour cast has no fine detail.
MAX_PIXELS = 65_536
#: Share of the range above which a value may be clipped. Clipped pixels are not used.
CLIPPED = 0.98
#: Mean linear light, [0, 1], at and below which a pixel is not used: noise and rounding determine its colour.
DARK = 0.004
#: Half the log ratio of red to blue in a typical photograph: daylight scenes are warm.
USUAL_WARMTH = 0.1
#: Deviation from `USUAL_WARMTH`, same unit, that counts as a full cast.
WARMTH_SCALE = 1.0
#: Deviation from neutral on the axis from green to magenta (log ratio) that counts as a full cast. It is smaller, since
#: light varies more from blue to red.
TINT_SCALE = 0.5
#: Saturation (chroma divided by lightness) of the greyest pixels from which a picture contains nothing neutral.
NO_NEUTRALS = 0.2
#: L* up to which a pixel is a shadow; its colour is not used.
SHADOW_LIGHTNESS = 30.0
#: Share of pixels outside the shadows below which the shadows are used too.
LEAST_LIT = 0.1

Triple = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The light of a picture and the strength of its colour cast."""

    #: Red, green, blue of the light in linear sRGB; their mean is 1.
    illuminant: tuple[float, float, float]
    #: 0-1; see `estimate_cast`.
    strength: float


NEUTRAL = Cast(illuminant=(1.0, 1.0, 1.0), strength=0.0)


def estimate_cast(pixels: Pixels) -> Cast:
    """Estimate the strength of a colour cast over the whole picture.

    Two conditions must hold: the estimated light differs from usual light, and even the greyest pixels are coloured. A
    red car in a grey street fulfils the first only.

    The method cannot distinguish coloured light from a scene of one colour, such as a brown table top, a sunset or
    a forest. It does not detect a cast that makes a warm scene neutral. Of some 600 photographs of all kinds half
    had a strength below 0.1, a tenth above 0.5; red and blue gains of 1.3 and 0.65 gave a median of 0.4, green and
    magenta casts of the same size 0.7 to 0.8.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16, sRGB

    Returns
    -------
    Cast
        Strength 0-1; a larger value is a more certain and a deeper cast. Illuminant by shades of grey (norm 6).

    References
    ----------
    G. D. Finlayson, E. Trezzi, "Shades of Gray and Colour Constancy", Color Imaging Conference 2004.
    F. Gasparini, R. Schettini, "Color balancing of digital photos using simple image statistics", Pattern
    Recognition 37(6), 2004, https://doi.org/10.1016/j.patcog.2003.12.007 (looking for near-neutral objects).
    """
    small = reduced(pixels, MAX_PIXELS)
    usable = _usable(small)
    if not usable.any():
        return NEUTRAL
    light = shades_of_grey(linear_from_pixels(small)[usable], 6.0)
    no_neutrals = min(_least_saturation(lab_from_image(to_float(small))[usable]) / NO_NEUTRALS, 1.0)
    red, green, blue = (float(value) for value in light)
    return Cast(illuminant=(red, green, blue), strength=min(_deviation(light) * no_neutrals, 1.0))


def _least_saturation(lab: NDArray[np.float32]) -> float:
    """Saturation of the greyest twentieth of the pixels (N, 3), without shadows, which are grey in any light."""
    lit = lab[lab[:, 0] > SHADOW_LIGHTNESS]
    chosen = lit if len(lit) >= len(lab) * LEAST_LIT else lab
    return float(np.quantile(np.hypot(chosen[:, 1], chosen[:, 2]) / np.maximum(chosen[:, 0], 10.0), 0.05))


def _deviation(light: Triple) -> float:
    red, green, blue = np.log(np.maximum(light, 1e-4))
    warmth, tint = (red - blue) / 2.0, (red + blue) / 2.0 - green
    return float(np.hypot((warmth - USUAL_WARMTH) / WARMTH_SCALE, tint / TINT_SCALE))


def _usable(pixels: Pixels) -> NDArray[np.bool_]:
    """Neither clipped nor black."""
    linear = linear_from_pixels(pixels)
    mean = (linear[..., 0] + linear[..., 1] + linear[..., 2]) / np.float32(3.0)
    usable: NDArray[np.bool_] = (strongest(pixels) < CLIPPED * np.iinfo(pixels.dtype).max) & (mean > DARK)
    return usable


def estimate_light(pixels: Pixels, method: str, norm: float) -> Triple:
    """Colour of the light in linear sRGB, mean 1, by one of the named assumptions.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16, sRGB
    method : {"shades_of_grey", "grey_world", "white_patch", "grey_edge"}
        What is assumed to be grey: the Minkowski mean, the mean, the brightest parts, the mean of the edges.
    norm : float
        Minkowski norm of shades_of_grey and grey_edge; a larger value trusts brighter pixels more.

    References
    ----------
    J. van de Weijer, T. Gevers, A. Gijsenij, "Edge-Based Color Constancy", IEEE Transactions on Image Processing
    16(9), 2007, https://doi.org/10.1109/TIP.2007.901808, which holds all four in one framework.
    """
    small = reduced(pixels, MAX_PIXELS)
    usable = _usable(small)
    if not usable.any():
        return np.ones(3, np.float32)
    linear = linear_from_pixels(small)
    if method == "grey_edge":
        return grey_edge(linear, usable, norm)
    if method == "white_patch":
        return _normalised(np.quantile(linear[usable], 0.98, axis=0))
    return shades_of_grey(linear[usable], 1.0 if method == "grey_world" else norm)


def shades_of_grey(linear: NDArray[np.float32], norm: float) -> Triple:
    """Minkowski mean over the pixels (N, 3), scaled to a mean of 1."""
    return _normalised(np.power(np.mean(np.power(linear, norm), axis=0), 1.0 / norm))


def grey_edge(linear: NDArray[np.float32], usable: NDArray[np.bool_], norm: float) -> Triple:
    """Minkowski mean over the gradient of a smoothed image (H, W, 3); without edges next to unusable pixels."""
    smooth = gaussian(linear, 1.0)
    gradient = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 0, 1), cv2.Sobel(smooth, cv2.CV_32F, 1, 0))
    inner = cv2.erode(usable.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    chosen = gradient[inner] if inner.any() else gradient.reshape(-1, 3)
    if float(chosen.max()) <= 0.0:
        return np.ones(3, np.float32)
    return shades_of_grey(chosen, norm)


def _normalised(light: NDArray[np.floating]) -> Triple:
    safe = np.maximum(light, 1e-6).astype(np.float32)
    normalised: Triple = safe / safe.mean()
    return normalised
