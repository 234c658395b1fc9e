"""Detects faded dyes in a photograph and restores the range of each channel.

Dyes bleach, each at its own pace, and paper yellows: black becomes a light brown, white a dull yellow, and what lies
between moves closer together. A scanner sees it as channels that no longer reach their ends.
"""

import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.filters import gaussian
from darkroom.imaging.picture import Pixels, to_float
from darkroom.imaging.sampling import reduced

#: Shares of the pixels that may be darker than black and brighter than white after it: specks and glints.
DARKEST, BRIGHTEST = 0.005, 0.995
#: Darker than this share of the pixels nothing may be in a faded print; few photographs of today have no real black.
BLACK_SHARE = 0.001
#: Share of each side that is not looked at: scans have margins.
MARGIN = 0.05
#: A picture whose blackest black has all channels above the first number begins to count as faded, above the second
#: one it does.
FADING, FADED = 0.06, 0.12
#: So much more red than blue has the black of a yellowed print, at least and surely. Haze and flat light are grey or
#: blue: without this eighteen of 65 photographs of today would be taken for faded, with it five.
WARM, WARMER = 0.05, 0.10
#: No channel's range is widened more than so many times: what is left has few levels, and noise.
LARGEST_GAIN = 2.0
#: A channel's white may lie so far below that of the brightest: a picture of a red wall has no white.
YELLOWEST = 0.7


def faded_range(pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Black and white of each channel, and how sure it is that the picture has faded.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16

    Returns
    -------
    black, white : (3,) float32 in [0, 1]
    share : float
        0 for a picture that has a real black, 1 for one that surely has none, and a warm grey in its place.

    Examples
    --------
    >>> ramp = np.linspace([80, 70, 50], [230, 220, 190], 100).astype(np.uint8)[:, None].repeat(50, axis=1)
    >>> black, white, share = faded_range(ramp)
    >>> bool(0.3 < black[0] < 0.36), bool(0.86 < white[0] < 0.92), share
    (True, True, 1.0)
    """
    rows, columns = (max(0, int(MARGIN * extent)) for extent in pixels.shape[:2])
    inner = pixels[rows : pixels.shape[0] - rows, columns : pixels.shape[1] - columns]
    image = gaussian(to_float(reduced(inner)), 1.0)
    shares = (BLACK_SHARE, DARKEST, BRIGHTEST)
    darkest, black, white = np.quantile(image, shares, axis=(0, 1)).astype(np.float32)
    lifted, warm = (darkest.min() - FADING) / (FADED - FADING), (black[0] - black[2] - WARM) / (WARMER - WARM)
    share = float(np.clip(lifted, 0.0, 1.0) * np.clip(warm, 0.0, 1.0))
    return black, np.maximum(white, YELLOWEST * white.max()), share


def unfading_table(pixels: Pixels, amount: float) -> NDArray[np.float32] | None:
    """A table for each channel that gives back the range, (levels, 3) float32, see `apply_table`.

    A larger `amount` in [0, 1] gives back more. None for a picture that has not faded.
    """
    black, white, share = faded_range(pixels)
    if share == 0.0:
        return None
    gain = np.minimum(1.0 / np.maximum(white - black, 1e-3), LARGEST_GAIN)
    values = np.linspace(0.0, 1.0, int(np.iinfo(pixels.dtype).max) + 1, dtype=np.float32)[:, np.newaxis]
    # Where the gain is limited the middle of the range stays in the middle.
    restored = 0.5 + (values - (black + white) / 2) * gain
    table: NDArray[np.float32] = (values + np.float32(amount * share) * (restored - values)).astype(np.float32)
    return table
