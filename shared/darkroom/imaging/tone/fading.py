"""Detects faded dyes in a photograph and restores the range of each channel.

Dyes bleach at different rates, and paper turns yellow: black becomes a light brown, white becomes a dull yellow, and
the contrast falls. In a scan the channels no longer use their full range.
"""

import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.filters import gaussian
from darkroom.imaging.picture import Pixels, to_float
from darkroom.imaging.sampling import reduced

#: Quantile of a channel that becomes black. Darker pixels are specks and are clipped.
DARKEST = 0.005
#: Quantile of a channel that becomes white. Brighter pixels are glints and are clipped.
BRIGHTEST = 0.995
#: Quantile of a channel that is tested for a real black. Few unfaded photographs have no real black.
BLACK_SHARE = 0.001
#: Share of each side of the picture that is ignored: scans have margins.
MARGIN = 0.05
#: Value of the darkest channel at `BLACK_SHARE`, range [0, 1], above which a picture may be faded.
FADING = 0.06
#: The same value above which a picture is certainly faded.
FADED = 0.12
#: Red minus blue of the black, range [0, 1], above which a print may be yellowed. Haze and flat light are grey or blue:
#: without this test 18 of 65 unfaded photographs are detected as faded, with it 5.
WARM = 0.05
#: Red minus blue of the black above which a print is certainly yellowed.
WARMER = 0.10
#: Largest factor by which the range of a channel is widened. Beyond it few levels are left, and noise.
LARGEST_GAIN = 2.0
#: Least white of a channel relative to that of the brightest channel: a picture of a red wall has no white.
YELLOWEST = 0.7


def faded_range(pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Estimate black and white of each channel, and the certainty that the picture is faded.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16

    Returns
    -------
    black, white : (3,) float32 in [0, 1]
    share : float
        0 for a picture with a real black; 1 for one that certainly has a warm grey in its place.

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
    """A table per channel that restores the range, (levels, 3) float32, see `apply_table`.

    A larger `amount` in [0, 1] restores more. None for a picture that is not faded.
    """
    black, white, share = faded_range(pixels)
    if share == 0.0:
        return None
    gain = np.minimum(1.0 / np.maximum(white - black, 1e-3), LARGEST_GAIN)
    values = np.linspace(0.0, 1.0, int(np.iinfo(pixels.dtype).max) + 1, dtype=np.float32)[:, np.newaxis]
    # Where the gain is limited, the middle of the range becomes 0.5.
    restored = 0.5 + (values - (black + white) / 2) * gain
    table: NDArray[np.float32] = (values + np.float32(amount * share) * (restored - values)).astype(np.float32)
    return table
