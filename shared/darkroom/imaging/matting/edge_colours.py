"""Estimates the subject's own colours at the edge of a matte."""

import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.filters import box_mean
from darkroom.imaging.picture import Image, Plane

#: Half sides in pixels of the windows in which `free_colours` averages subject and background, coarse to fine.
RADII = (24, 4)
#: Pixels around a tile that `free_colours` needs.
FREE_COLOURS_HALO = sum(RADII)
#: Weight of a pixel's own colour where the window holds no pixel of the estimated layer.
OWN_WEIGHT = np.float32(1e-3)


def subject_colours(image: Image, share: NDArray[np.float32], subject: Image, background: Image) -> Image:
    """Correct an estimate of the subject's colours so that the mixture with the background explains the image.

    Parameters
    ----------
    image : (H, W, 3) float32 in [0, 1]
    share : (H, W, 1) float32 in [0, 1]
        Share of the subject in each pixel. A larger one attributes more of the unexplained colour to the subject.
    subject, background : (H, W, 3) float32 in [0, 1]
        Mean colours around each pixel.

    Returns
    -------
    (H, W, 3) float32 in [0, 1]

    References
    ----------
    M. Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021,
    https://doi.org/10.1109/ICIP42928.2021.9506164
    """
    unexplained = image - share * subject - (1 - share) * background
    colours: Image = np.clip(subject + share * unexplained, 0, 1)
    return colours


def free_colours(image: Image, matte: Plane) -> Image:
    """Estimate the subject's own colours where a matte is neither 0 nor 1.

    A pixel at the edge mixes the colours of the subject and the old background. On a new background it would show as a
    fringe. The colours of subject and background are averaged over a window. The difference between the pixel and the
    mixture of the two averages is attributed to the subject.

    Parameters
    ----------
    image : (H, W, 3) float32 in [0, 1]
    matte : (H, W) float32 in [0, 1]

    Returns
    -------
    (H, W, 3) float32
        Equal to `image` where the matte is 1 and far from the subject; the nearest colours of the subject elsewhere.

    References
    ----------
    M. Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021,
    https://doi.org/10.1109/ICIP42928.2021.9506164
    """
    share = matte[..., np.newaxis]
    subject, background = image, image
    for radius in RADII:
        subject, background = _one_pass(image, subject, background, share, radius)
    return subject


def _one_pass(
    image: Image, subject: Image, background: Image, share: NDArray[np.float32], radius: int
) -> tuple[Image, Image]:
    subject_mean = _weighted(subject, share, radius)
    background_mean = _weighted(background, 1 - share, radius)
    return subject_colours(image, share, subject_mean, background_mean), background_mean


def _weighted(image: Image, weight: NDArray[np.float32], radius: int) -> Image:
    total = box_mean(weight[..., 0], radius)[..., np.newaxis]
    mean: Image = (box_mean(image * weight, radius) + OWN_WEIGHT * image) / (total + OWN_WEIGHT)
    return mean
