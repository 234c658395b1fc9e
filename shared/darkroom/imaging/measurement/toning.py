"""Detects pictures of one hue: sepia, selenium and cyanotype prints."""

import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import lab_from_image
from darkroom.imaging.picture import Pixels, to_float
from darkroom.imaging.sampling import reduced

#: Number of steps of lightness for which the tint is estimated.
STEPS = 24
#: Least number of pixels in a step.
LEAST_PIXELS = 8
#: Distance in L*a*b* from the tint of the same lightness that one pixel in a hundred may exceed. Source: toned copies
#: of nine photographs reach 5.2 with noise of sigma 8 and JPEG of quality 60, toned prints 4.0; of 997 photographs
#: with colour, 14 stay below 4.2, and the other conditions leave two, which are toned prints.
MOST_RESIDUAL = 4.2
#: What noise of a standard deviation of 1 on the 0-255 scale adds to that distance.
NOISE_SHARE = 0.9
#: Least and largest mean chroma in L*a*b* of a toned picture. Below it the picture is nearly grey and has few colours;
#: above it a coloured scene is more likely.
CHROMA = (5.0, 40.0)
#: Least ratio of the mean chroma to the distance from the tint that five pixels in a hundred exceed.
LEAST_RATIO = 2.5
#: Chroma below which a tint has no reliable hue.
FAINT = 4.0
#: Least cosine of the angle between the hue of a tint and the mean hue: blue shadows with yellow lights are no tint.
SAME_HUE = 0.5

Floats = NDArray[np.float32]


def is_toned(pixels: Pixels, noise_sigma: float = 0.0) -> bool:
    """Whether the colour of every pixel follows from its lightness, in one hue.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16
    noise_sigma : float
        Standard deviation of the noise at native resolution, on the 0-255 scale.

    Returns
    -------
    bool
        False for a grey picture, which has no hue, and for a scene with colours of its own.

    Examples
    --------
    >>> ramp = np.linspace([40, 26, 13], [255, 240, 205], 100).astype(np.uint8)[:, None].repeat(50, axis=1)
    >>> is_toned(ramp)
    True
    """
    small = reduced(pixels, 16_384)
    lab = lab_from_image(to_float(small)).reshape(-1, 3)
    chroma = np.linalg.norm(lab[:, 1:], axis=1)
    mean = float(chroma.mean())
    if not CHROMA[0] <= mean <= CHROMA[1]:
        return False
    tints = _tints(lab)
    many, most = np.quantile(np.linalg.norm(lab[:, 1:] - _at(lab[:, 0], tints), axis=1), (0.95, 0.99))
    noise = NOISE_SHARE * noise_sigma * float(np.sqrt(small.size / pixels.size))
    return bool(most <= MOST_RESIDUAL + noise and mean >= LEAST_RATIO * many and _has_one_hue(tints))


def _tints(lab: Floats) -> Floats:
    """The median a* and b* of each step of lightness, (STEPS, 2); between filled steps interpolated."""
    steps = np.clip(lab[:, 0] * (STEPS / 100.0), 0, STEPS - 1).astype(int)
    filled = np.flatnonzero(np.bincount(steps, minlength=STEPS) >= LEAST_PIXELS)
    if not filled.size:
        filled = np.unique(steps)
    medians = np.array([np.median(lab[steps == step, 1:], axis=0) for step in filled])
    tints = [np.interp(np.arange(STEPS), filled, medians[:, channel]) for channel in (0, 1)]
    return np.stack(tints, axis=1).astype(np.float32)


def _at(lightness: Floats, tints: Floats) -> Floats:
    """The tint at each lightness, (N, 2)."""
    centres = (np.arange(STEPS) + 0.5) * (100.0 / STEPS)
    return np.stack([np.interp(lightness, centres, tints[:, channel]) for channel in (0, 1)], axis=1)


def _has_one_hue(tints: Floats) -> bool:
    lengths = np.linalg.norm(tints, axis=1)
    clear = tints[lengths >= FAINT] / lengths[lengths >= FAINT, np.newaxis]
    if not len(clear):
        return False
    mean = clear.mean(axis=0)
    return bool((clear @ mean >= SAME_HUE * np.linalg.norm(mean)).all())
