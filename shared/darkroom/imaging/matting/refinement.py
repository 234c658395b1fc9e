"""Refines a matte at full size: the share of the subject in each pixel, and the subject's own colours."""

from dataclasses import dataclass

import cv2
import numpy as np

from darkroom.imaging.filters import Floats, box_mean, enlarged_window
from darkroom.imaging.matting.edge_colours import subject_colours
from darkroom.imaging.matting.guided import GuidedMatte
from darkroom.imaging.picture import Image, Plane

#: Half sides in pixels of the windows in which the known colours are averaged, from wide to narrow.
RADII = (32, 12, 4)
#: Weight of the wider window's colour, where the narrower window holds few known pixels.
WIDER = np.float32(0.02)
#: Squared distance of two colours (RGB in [0, 1]) at which the share by colour is as reliable as the matte.
NOISE = np.float32(0.004)
#: Factor of the variance of both colours that is added to `NOISE`.
VARIANCE_WEIGHT = np.float32(3.0)
#: Share at and below which a pixel becomes background: it is noise, and would show as a haze.
SHARE_LOW = 0.08
#: Share at and above which a pixel becomes subject.
SHARE_HIGH = 0.92
#: Alpha below which a pixel is known background.
KNOWN_BELOW = 0.1
#: Alpha above which a pixel is known subject.
KNOWN_ABOVE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourFields:
    """Mean colours of subject and background around each pixel of a reduced picture, and how reliably they differ."""

    #: (h, w, 3) each, RGB in [0, 1].
    subject: Floats
    background: Floats
    #: (h, w) in [0, 1]: weight of the share by colour against the share of the guided filter.
    trust: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A window of the full-size picture, cut out."""

    #: (H, W) in [0, 1].
    matte: Plane
    #: (H, W, 3): the subject's colours without the old background's.
    colours: Image


def colour_fields(image: Image, matte: Plane, *, reach: int) -> ColourFields:
    """Estimate the colours of subject and background near the edge of a matte.

    Parameters
    ----------
    image : (h, w, 3) float32 in [0, 1]
        The reduced picture.
    matte : (h, w) float32 in [0, 1]
    reach : int
        Distance in pixels from the unknown part of the matte within which no pixel counts as known. A larger one suits
        a less exact matte, and brings wrong colours into narrow parts.

    Returns
    -------
    ColourFields
        Estimated twice: from the known pixels alone, then from all pixels weighted by their share. By the second
        estimate a strand without known pixels contributes its own colour.
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
    """Weighted mean and variance of the colours around each pixel, in the narrowest window that holds any weight."""
    values = np.dstack([image, (image**2).sum(axis=2)])
    total = max(float(weight.sum()), 1.0)
    mean = np.broadcast_to((values * weight[..., None]).sum(axis=(0, 1)) / np.float32(total), values.shape)
    for radius in RADII:
        near = box_mean(weight, radius)[..., None]
        mean = (box_mean(values * weight[..., None], radius) + WIDER * mean) / (near + WIDER)
    colour = np.ascontiguousarray(mean[..., :3], np.float32)
    return colour, np.maximum(mean[..., 3] - (colour**2).sum(axis=2), 0)


def _share(image: Image, subject: Floats, background: Floats) -> Plane:
    """The share of `subject` for which its mixture with `background` is nearest to the pixel's colour."""
    apart = subject - background
    share: Plane = ((image - background) * apart).sum(axis=2) / np.maximum((apart**2).sum(axis=2), 1e-6)
    return np.clip(share, 0, 1)


def cut_window(
    image: Image, guided: GuidedMatte, fields: ColourFields, *, start: tuple[int, int], size: tuple[int, int]
) -> Cut:
    """Cut out a window of the full-size picture.

    Where the colours of subject and background differ clearly, they determine the share of the subject. Elsewhere the
    guided filter does. The share always stays within the limits of `guided`.

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
    by_colour = _share(image, subject, background)
    share = trust * by_colour + (1 - trust) * prior
    matte = np.clip(share, floor, ceiling)
    matte = np.clip((matte - np.float32(SHARE_LOW)) / np.float32(SHARE_HIGH - SHARE_LOW), 0, 1)
    return Cut(matte=matte, colours=subject_colours(image, matte[..., None], subject, background))
