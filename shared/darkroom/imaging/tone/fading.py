"""Detects faded dyes in a photograph and restores the range of each channel.

Dyes bleach at different rates, and paper turns yellow: black becomes a light brown, white becomes a dull yellow, and
the contrast falls. In a scan the channels no longer use their full range.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.filters import enlarged_window, gaussian
from darkroom.imaging.picture import Pixels, to_float, to_pixels
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
#: Half side of the median's window, as a share of the longer side. Thinner parts, such as cracks and wrinkles, get no
#: more contrast. Source: three faded photographs with cracks 3 px wide, with one table: +37 to +52 %; here +2 %.
THIN = 0.015
#: Rows of a picture that are computed at a time.
BAND_ROWS = 256
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


def unfaded(pixels: Pixels, amount: float) -> Pixels | None:
    """Restore the range of each channel of a faded picture, without more local contrast than it has.

    The wider range is computed for the surroundings of each pixel, a median, and the pixel is moved by as much as its
    surroundings. So large areas become darker, lighter and less yellow, while a crack, a wrinkle or the grain of paper
    differs from its surroundings by no more than before.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16
    amount : float
        0 to 1; a larger one restores more.

    Returns
    -------
    (H, W, 3) of the same type, or None
        None for a picture that is not faded.
    """
    black, white, share = faded_range(pixels)
    if share == 0.0:
        return None
    gain = np.minimum(1.0 / np.maximum(white - black, 1e-3), LARGEST_GAIN)
    base = to_float(_without_thin_parts(reduced(pixels)))
    # Where the gain is limited, the middle of the range becomes 0.5.
    moved = 0.5 + (base - (black + white) / 2) * gain - base
    return _moved(pixels, (np.float32(amount * share) * moved).astype(np.float32))


def _without_thin_parts(small: Pixels) -> Pixels:
    """The median of the surroundings: thin bright and dark parts vanish, edges of large ones stay."""
    eight = small if small.dtype == np.uint8 else to_pixels(to_float(small), np.dtype(np.uint8))
    return cv2.medianBlur(eight, 2 * max(1, round(THIN * max(small.shape[:2]))) + 1)  # type: ignore[return-value]


def _moved(pixels: Pixels, shift: NDArray[np.float32]) -> Pixels:
    """Add a small field of shifts (h, w, 3), enlarged, band by band."""
    result = np.empty_like(pixels)
    for top in range(0, pixels.shape[0], BAND_ROWS):
        rows = pixels[top : top + BAND_ROWS]
        enlarged = enlarged_window(shift, rows.shape, (top, 0), pixels.shape[:2])
        result[top : top + BAND_ROWS] = to_pixels(to_float(rows) + enlarged, pixels.dtype)
    return result
