"""Transfers colours from a small picture to the full-size one without changing its luma.

Luma is the weighted mean of the encoded channels (ITU-R BT.601). Colour is red minus luma and blue minus luma. Both are
linear in the channels, so that luma does not change when colour is added, scaled or smoothed.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.sizes import within
from darkroom.imaging.color import image_from_lab, lab_from_image, luma, luma_of_image
from darkroom.imaging.filters import Floats, box_mean, enlarged_window, resized
from darkroom.imaging.picture import Pixels

#: Weight of red in luma. Source: ITU-R BT.601, as in OpenCV.
RED = 0.299
#: Weight of green in luma. Source: as for `RED`.
GREEN = 0.587
#: Weight of blue in luma. Source: as for `RED`.
BLUE = 0.114
#: Longest side in pixels of the reduced picture that guides the colours.
GUIDE_SIDE = 384
#: Half side of the guided filter's windows, as a share of the guide's longest side.
RADIUS = 0.012
#: Variance of luma (range [0, 1]) below which there is no edge; larger gives softer transitions.
EPSILON = 5e-4
#: Pixels of the full-size picture in one band: 4 MB for each plane of floats.
BAND_PIXELS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedChroma:
    """Red and blue minus luma, each as a locally linear function of luma, fitted on a small picture."""

    #: (h, w, 4) float32: slopes of red and of blue, offsets of red and of blue.
    coefficients: Floats

    def on(self, pixels: Pixels) -> Pixels:
        """Colour a full-size picture.

        Parameters
        ----------
        pixels : (H, W, 3) uint8 or uint16
            Only its luma is used.

        Returns
        -------
        (H, W, 3), dtype of `pixels`
            Same luma. Where the colour would leave the range at this luma, it is moved towards grey, which keeps the
            hue. 0.05 s for one megapixel.
        """
        coloured: Pixels = np.empty_like(pixels)
        step = max(1, BAND_PIXELS // pixels.shape[1])
        for top in range(0, pixels.shape[0], step):
            band: Pixels = pixels[top : top + step]
            coloured[top : top + step] = _coloured(
                band, enlarged_window(self.coefficients, band.shape, (top, 0), pixels.shape[:2])
            )
        return coloured


def fit(pixels: Pixels, chroma: NDArray[np.float32]) -> GuidedChroma:
    """Align a coarse map of colours with the edges of a picture, by a guided filter.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16
        The full-size picture; its luma is the guide.
    chroma : (h, w, 2) float32
        a* and b* of CIE L*a*b* of the same view at any size.

    References
    ----------
    K. He, J. Sun, X. Tang, "Guided Image Filtering", IEEE Transactions on Pattern Analysis and Machine Intelligence
    35(6), 2013, https://doi.org/10.1109/TPAMI.2012.213
    K. He, J. Sun, "Fast Guided Filter", 2015, https://arxiv.org/abs/1505.00996 (coefficients fitted on a reduction).

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((40, 60, 3), 128, np.uint8)
    >>> orange = np.full((4, 6, 2), (20.0, 50.0), np.float32)
    >>> fit(grey, orange).on(grey)[20, 30].tolist()
    [183, 117, 41]
    """
    guide = luma(_guide(pixels))
    target = _red_and_blue(guide, chroma)
    radius = max(1, round(RADIUS * max(guide.shape)))
    means = box_mean(np.dstack([guide, guide * guide, target, target * guide[..., np.newaxis]]), radius)
    mean, square, colour, product = means[..., :1], means[..., 1:2], means[..., 2:4], means[..., 4:]
    slope = (product - mean * colour) / (np.maximum(square - mean * mean, 0.0) + np.float32(EPSILON))
    return GuidedChroma(coefficients=box_mean(np.dstack([slope, colour - slope * mean]), radius))


def _guide(pixels: Pixels) -> Pixels:
    return resized(pixels, *within(pixels.shape[0], pixels.shape[1], GUIDE_SIDE))


def _red_and_blue(guide: Floats, chroma: NDArray[np.float32]) -> Floats:
    """Red and blue minus luma, (h, w, 2), of a picture with the luma `guide` and the given `chroma`."""
    smooth = cv2.resize(chroma, guide.shape[::-1], interpolation=cv2.INTER_LINEAR)
    lightness = lab_from_image(np.repeat(guide[..., np.newaxis], 3, axis=2))[..., :1]
    image = image_from_lab(np.dstack([lightness, smooth]))
    return (image - luma_of_image(image)[..., np.newaxis])[..., ::2]


def _coloured(pixels: Pixels, coefficients: Floats) -> Pixels:
    """Pixels with the luma of `pixels` and the colour that follows from `coefficients`, (H, W, 4)."""
    top = np.float32(np.iinfo(pixels.dtype).max)
    plane = luma(pixels)
    offsets = coefficients[..., :2] * plane[..., np.newaxis] + coefficients[..., 2:]
    red, blue = offsets[..., 0], offsets[..., 1]
    green = (red * np.float32(RED) + blue * np.float32(BLUE)) * np.float32(-1.0 / GREEN)
    share = np.minimum.reduce([_room(plane, each) for each in (red, green, blue)])
    wanted = plane * top
    whole_red, whole_blue = (np.rint(wanted + share * each * top) for each in (red, blue))
    # Green compensates the rounding of red and blue in luma. The remaining error is too small to change its integer.
    whole_green = np.rint(
        (wanted - whole_red * np.float32(RED) - whole_blue * np.float32(BLUE)) * np.float32(1 / GREEN)
    )
    channels = np.dstack([whole_red, whole_green, whole_blue])
    coloured: Pixels = np.clip(channels, 0.0, top).astype(pixels.dtype)
    return coloured


def _room(plane: Floats, offset: Floats) -> Floats:
    """The share of `offset`, in [0, 1], that can be added to `plane` before 0 or 1 is reached."""
    limit = np.where(offset > 0, 1.0 - plane, plane)
    share: Floats = np.minimum(limit / np.maximum(np.abs(offset), np.float32(1e-6)), 1.0).astype(np.float32, copy=False)
    return share
