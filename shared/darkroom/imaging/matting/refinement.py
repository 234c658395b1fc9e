"""Alpha matting: the share of the subject in each pixel of the full-size picture, and the subject's own colours."""

from dataclasses import dataclass

import cv2
import numpy as np

from darkroom.imaging.filters import Floats, box_mean
from darkroom.imaging.matting.guided import GuidedMatte, enlarged_window
from darkroom.imaging.picture import Image, Plane

#: Half sides in pixels of the windows that colours are averaged in, from the widest to the nearest.
COLOUR_RADII = (32, 12, 4)
#: Weight of the wider window's colour where the nearer one holds few known pixels.
WIDER = np.float32(0.02)
#: Squared distance of two colours (RGB in [0, 1]) at which they tell a mixture as well as the matte does.
NOISE = np.float32(0.004)
#: Times the variance of both colours that is added to the noise.
VARIANCE_WEIGHT = np.float32(3.0)
#: The share between these is stretched to the full range: less than this is noise, and would show as a haze.
SHARE_LOW, SHARE_HIGH = 0.08, 0.92
#: A matte beyond these is known to be background or subject.
KNOWN_BELOW, KNOWN_ABOVE = 0.1, 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourFields:
    """The colours of subject and background around each pixel of a reduced picture, and how well they differ."""

    #: (h, w, 3) each, RGB in [0, 1].
    subject: Floats
    background: Floats
    #: (h, w) in [0, 1]: trust in the share that follows from the two colours, against the guided filter's.
    trust: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A window of the full-size picture, cut out."""

    #: (H, W) in [0, 1].
    matte: Plane
    #: (H, W, 3): the subject's colours, without what the old background added to them.
    colours: Image


def colour_fields(image: Image, matte: Plane, *, reach: int) -> ColourFields:
    """Estimate the colours of subject and background near the edge of a matte.

    Parameters
    ----------
    image : (h, w, 3) float32 in [0, 1]
        The reduced picture.
    matte : (h, w) float32 in [0, 1]
    reach : int
        Pixels around the unknown part of the matte that are not taken for known either; a larger one helps a less
        exact matte, and brings wrong colours into narrow parts.

    Returns
    -------
    ColourFields
        Estimated twice: from the known pixels alone, then from all by their share, so that a strand or a bar in which
        nothing is known gives its own colour.
    """
    around = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    inside = (cv2.erode(matte, around) > KNOWN_ABOVE).astype(np.float32)
    outside = (cv2.dilate(matte, around) < KNOWN_BELOW).astype(np.float32)
    first = _fields(image, inside, outside)
    share = np.clip(first.trust * _share(image, first.subject, first.background) + (1 - first.trust) * matte, 0, 1)
    share = np.where(inside + outside > 0, matte, share)
    return _fields(image, share**4, (1 - share) ** 4)


def _fields(image: Image, inside: Floats, outside: Floats) -> ColourFields:
    subject, subject_variance = _local(image, inside)
    background, background_variance = _local(image, outside)
    apart = ((subject - background) ** 2).sum(axis=2)
    trust = apart / (apart + NOISE + VARIANCE_WEIGHT * (subject_variance + background_variance))
    return ColourFields(subject=subject, background=background, trust=trust)


def _local(image: Image, weight: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the colours of weight around each pixel, as near as there are any."""
    values = np.dstack([image, (image**2).sum(axis=2)])
    total = max(float(weight.sum()), 1.0)
    mean = np.broadcast_to((values * weight[..., None]).sum(axis=(0, 1)) / np.float32(total), values.shape)
    for radius in COLOUR_RADII:
        near = box_mean(weight, radius)[..., None]
        mean = (box_mean(values * weight[..., None], radius) + WIDER * mean) / (near + WIDER)
    colour = np.ascontiguousarray(mean[..., :3], np.float32)
    return colour, np.maximum(mean[..., 3] - (colour**2).sum(axis=2), 0)


def _share(image: Image, subject: Floats, background: Floats) -> Plane:
    """The share of `subject` in the mixture with `background` that is nearest to each pixel's colour."""
    apart = subject - background
    share: Plane = ((image - background) * apart).sum(axis=2) / np.maximum((apart**2).sum(axis=2), 1e-6)
    return np.clip(share, 0, 1)


def cut_window(
    image: Image, guided: GuidedMatte, fields: ColourFields, *, start: tuple[int, int], size: tuple[int, int]
) -> Cut:
    """Cut out a window of the full-size picture.

    The share of the subject follows from its colour and the background's where these differ clearly, and from the
    guided filter elsewhere; it never leaves the limits of `guided`.

    Parameters
    ----------
    image : (H, W, 3) float32 in [0, 1]
        The window.
    guided, fields
        Of the reduced picture.
    start : (int, int)
        Row and column of the window in the full-size picture.
    size : (int, int)
        Height and width of the full-size picture.

    References
    ----------
    M. Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021,
    https://doi.org/10.1109/ICIP42928.2021.9506164, for the colours.
    """
    prior, floor, ceiling = guided.parts(image, start[0], start[1], size)
    window = image.shape[:2], start, size
    local = enlarged_window(np.dstack([fields.subject, fields.background, fields.trust]), *window)
    subject, background, trust = local[..., :3], local[..., 3:6], local[..., 6]
    told = _share(image, subject, background)
    share = trust * told + (1 - trust) * prior
    matte = np.clip(share, floor, ceiling)
    matte = np.clip((matte - np.float32(SHARE_LOW)) / np.float32(SHARE_HIGH - SHARE_LOW), 0, 1)
    mixed = matte[..., None]
    unexplained = image - mixed * subject - (1 - mixed) * background
    return Cut(matte=matte, colours=np.clip(subject + mixed * unexplained, 0, 1))
