"""Measures the similarity of a degraded picture and its original as one number from 0 to 1."""

import cv2
import numpy as np

from darkroom.imaging.picture import Image

#: Weights of red, green and blue in luma (ITU-R BT.601).
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
#: PSNR over all channels in dB that counts as 0.
RUINED_DB = 10.0
#: PSNR over all channels in dB that counts as 1: the error is invisible.
INVISIBLE_DB = 45.0
#: Standard deviation of SSIM's window in pixels. Source: Wang et al., see `ssim`.
_WINDOW = 1.5
#: Stabiliser of SSIM's luminance term for a range of 1. Source: as for `_WINDOW`.
_C1 = 0.01**2
#: Stabiliser of SSIM's contrast term for a range of 1. Source: as for `_WINDOW`.
_C2 = 0.03**2


def quality(degraded: Image, clean: Image) -> float:
    """0 to 1: the mean of structure (SSIM on luma) and of the error in all channels (PSNR, linear from 10 to 45 dB).

    SSIM alone hardly sees a colour cast, PSNR alone takes fine noise for as bad as lost detail; their mean falls with
    each fault and follows both. An identical picture has 1. Shapes (H, W, 3), [0, 1]; about 4 ms for 256 x 256.

    Examples
    --------
    >>> grey = np.full((32, 32, 3), 0.5, np.float32)
    >>> quality(grey, grey)
    1.0
    """
    error_db = -10 * np.log10(max(float(np.square(degraded - clean).mean()), 1e-10))
    intact = (error_db - RUINED_DB) / (INVISIBLE_DB - RUINED_DB)
    structure = ssim(degraded @ LUMA, clean @ LUMA)
    return float(np.clip(0.5 * max(structure, 0.0) + 0.5 * np.clip(intact, 0, 1), 0, 1))


def ssim(first: Image, second: Image) -> float:
    """Mean structural similarity of two planes (H, W) in [0, 1].

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity, 2004,
    DOI 10.1109/TIP.2003.819861.
    """
    stacked = cv2.merge([first, second, first * first, second * second, first * second])
    mean1, mean2, square1, square2, product = cv2.split(cv2.GaussianBlur(stacked, (11, 11), _WINDOW))
    variance1, variance2 = square1 - mean1 * mean1, square2 - mean2 * mean2
    covariance = product - mean1 * mean2
    luminance = (2 * mean1 * mean2 + _C1) / (mean1 * mean1 + mean2 * mean2 + _C1)
    return float((luminance * (2 * covariance + _C2) / (variance1 + variance2 + _C2)).mean())
