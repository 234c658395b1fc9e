"""Aligns a coarse mask with the edges of the full-size picture by a guided filter."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from darkroom.imaging.filters import Floats, box_mean, enlarged_window
from darkroom.imaging.picture import Image, Plane

#: Mask value, range [0, 1], above which the floor of the matte rises above 0. The ceiling is its mirror image.
SETTLED = 0.5
#: Slope of floor and ceiling over the mask value: they reach their ends at SETTLED + 1 / SETTLED_SLOPE.
SETTLED_SLOPE = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedMatte:
    """A matte as a locally linear function of colour, fitted on a small picture: matte = slope · colour + offset."""

    #: (h, w, 3) at the small size.
    slope: Floats
    #: (h, w) at the small size.
    offset: Floats
    #: (h, w): lower limit of the matte, whatever the colours.
    floor: Floats
    #: (h, w): upper limit of the matte.
    ceiling: Floats

    def on(self, image: Image, top: int, left: int, size: tuple[int, int]) -> Plane:
        """Evaluate on the window of the full picture that starts at (`top`, `left`).

        Parameters
        ----------
        image : (H, W, 3) float32 in [0, 1]
            The window.
        size : (int, int)
            Height and width of the whole full-size picture.

        Returns
        -------
        (H, W) float32 in [0, 1]
        """
        coloured, floor, ceiling = self.parts(image, top, left, size)
        matte: Plane = np.clip(coloured, floor, ceiling)
        return matte

    def parts(self, image: Image, top: int, left: int, size: tuple[int, int]) -> tuple[Plane, Plane, Plane]:
        """The linear function, the floor and the ceiling that `on` combines, each (H, W)."""
        window = image.shape[:2], (top, left), size
        local = enlarged_window(np.dstack([self.slope, self.offset]), *window)
        limits = enlarged_window(np.dstack([self.floor, self.ceiling]), *window)
        coloured: Plane = (local[..., :3] * image).sum(axis=2) + local[..., 3]
        return coloured, limits[..., 0], limits[..., 1]


def fit(image: Image, mask: Plane, *, radius: int, epsilon: float) -> GuidedMatte:
    """Fit a guided filter with a colour guide.

    Parameters
    ----------
    image : (H, W, 3) float32 in [0, 1]
        The guide, reduced.
    mask : (H, W) float32 in [0, 1]
    radius : int
        Half side in pixels of the windows of one linear function. A larger one follows edges farther away from those
        of the mask.
    epsilon : float
        Variance of colour below which there is no edge; larger gives a softer matte.

    References
    ----------
    K. He, J. Sun, X. Tang, "Guided Image Filtering", IEEE Transactions on Pattern Analysis and Machine Intelligence
    35(6), 2013, https://doi.org/10.1109/TPAMI.2012.213
    K. He, J. Sun, "Fast Guided Filter", 2015, https://arxiv.org/abs/1505.00996 (coefficients fitted on a reduction).
    """
    mean_image, mean_mask = box_mean(image, radius), box_mean(mask, radius)
    cross = box_mean(image * mask[..., np.newaxis], radius) - mean_image * mean_mask[..., np.newaxis]
    outer = image[..., :, np.newaxis] * image[..., np.newaxis, :]
    flat = np.ascontiguousarray(outer.reshape(*image.shape[:2], 9))
    covariance = box_mean(flat, radius).reshape(outer.shape) - mean_image[..., :, None] * mean_image[..., None, :]
    covariance += np.eye(3, dtype=np.float32) * np.float32(epsilon)
    slope = np.linalg.solve(covariance, cross[..., np.newaxis])[..., 0].astype(np.float32)
    offset = mean_mask - (slope * mean_image).sum(axis=2)
    return GuidedMatte(
        slope=box_mean(slope, radius),
        offset=box_mean(offset, radius),
        floor=np.zeros_like(offset),
        ceiling=np.ones_like(offset),
    )


def restrict_to_edges(guided: GuidedMatte, mask: Plane, *, radius: int) -> GuidedMatte:
    """Restrict the influence of colour to the surroundings of the mask's edges.

    Otherwise parts of the subject with the background's colours would become holes, and the background would get spots.

    Parameters
    ----------
    mask : (h, w) float32 in [0, 1]
        The mask that `guided` was fitted on. Values near one half are uncertain and remain unrestricted.
    radius : int
        Distance from the mask's edges, in pixels of the mask, within which colours decide.
    """
    around = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    floor = np.clip(SETTLED_SLOPE * (cv2.erode(mask, around) - SETTLED), 0.0, 1.0)
    ceiling = np.clip(1.0 - SETTLED_SLOPE * (1.0 - SETTLED - cv2.dilate(mask, around)), 0.0, 1.0)
    return replace(guided, floor=floor.astype(np.float32), ceiling=ceiling.astype(np.float32))
