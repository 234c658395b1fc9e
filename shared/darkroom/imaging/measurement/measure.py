"""Measures the quality of a picture from its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.measurements import Measurements
from darkroom.imaging.color import luma, strongest, weakest
from darkroom.imaging.measurement.blockiness import blockiness
from darkroom.imaging.measurement.illuminant import NEUTRAL, Cast, estimate_cast
from darkroom.imaging.measurement.noise import estimate_noise
from darkroom.imaging.measurement.sharpness import edge_blur
from darkroom.imaging.measurement.toning import is_toned
from darkroom.imaging.picture import Picture, Pixels, Plane, to_float
from darkroom.imaging.sampling import native_tiles, reduced
from darkroom.imaging.veil import veil_probability

#: Value, range [0, 1], from which a pixel is blown out, if all its channels reach it.
WHITE = 250.0 / 255.0
#: Value up to which a pixel is black, if no channel exceeds it.
BLACK = 5.0 / 255.0
#: Least luma of a plain background.
BACKGROUND_LUMA = 240.0 / 255.0
#: Largest difference between the channels of a plain background.
BACKGROUND_SPREAD = 10.0 / 255.0
#: Least share of the picture's border that a plain background covers; a blown-out sky covers less.
BACKGROUND_BORDER = 0.6
#: Largest difference between the channels of a grey pixel.
GREY_SPREAD = 8.0 / 255.0
#: Largest share of coloured pixels in a greyscale picture, such as a coloured scratch.
COLOURED_SHARE = 0.002


@dataclass(frozen=True, slots=True)
class _Subject:
    """The reduced picture and the mask of its relevant pixels."""

    image: NDArray[np.float32]
    luma: Plane
    counted: NDArray[np.bool_]
    white_background: float


def measure(picture: Picture, *, source_format: str = "", frames: int = 1) -> Measurements:
    """Measure a picture.

    Noise, edges and blocks are measured at native resolution, in a large picture on nine evenly spaced tiles. Tones and
    colours are measured on a reduction. They ignore transparent parts and a plain white background around the subject,
    which is no overexposure.

    Parameters
    ----------
    picture : Picture
        Any size from 1x1.
    source_format : str
        Name of the file's format, copied to the result.
    frames : int
        Number of frames of the file, copied to the result.

    Returns
    -------
    Measurements
        About 50 ms for one megapixel on one core, and no more than 80 ms for any size.

    References
    ----------
    D. Hasler, S. Suesstrunk, "Measuring colourfulness in natural images", Human Vision and Electronic Imaging VIII,
    2003, https://doi.org/10.1117/12.477378. For the others see `noise`, `sharpness`, `illuminant`, `blockiness`.

    Examples
    --------
    >>> import numpy as np
    >>> grey = Picture(pixels=np.full((40, 60, 3), 128, np.uint8))
    >>> found = measure(grey)
    >>> found.width, found.greyscale, round(found.exposure_mean, 2)
    (60, True, 0.5)
    """
    tiles = native_tiles(picture.pixels)
    noise = estimate_noise(tiles)
    planes = [luma(tile) for tile in tiles]
    edges = edge_blur(planes, noise.sigma)
    subject = _subject(picture)
    grey = is_grey(picture.pixels, noise.sigma)
    cast = NEUTRAL if grey else estimate_cast(picture.pixels)
    return Measurements(
        height=picture.height,
        width=picture.width,
        bits=picture.bits,
        format=source_format,
        frames=frames,
        has_alpha=_is_transparent(picture.alpha),
        greyscale=grey,
        toned=not grey and is_toned(picture.pixels, noise.sigma),
        noise_sigma=round(max(noise.sigma, noise.grain), 3),
        sharpness=round(edges.sharpness, 4),
        blur_radius=round(edges.radius, 3),
        edge_share=round(edges.share, 5),
        white_background=round(subject.white_background, 4),
        blockiness=round(blockiness(planes), 4),
        veil=0.0 if grey else round(veil_probability(picture.pixels), 3),
        **_tones(subject),
        **_colours(subject, cast),
    )


def _is_transparent(alpha: Pixels | None) -> bool:
    return alpha is not None and int(alpha.min()) < np.iinfo(alpha.dtype).max


def _subject(picture: Picture) -> _Subject:
    pixels = reduced(picture.pixels)
    image = to_float(pixels)
    plane = luma(pixels)
    counted = np.ones(plane.shape, bool)
    if picture.alpha is not None:
        counted = to_float(reduced(picture.alpha)) > 0.5
    background = _plain_background(image, plane)
    if (counted & ~background).any():
        counted &= ~background
    if not counted.any():
        counted[...] = True
    return _Subject(image, plane, counted, float(background.mean()))


def _plain_background(image: NDArray[np.float32], plane: Plane) -> NDArray[np.bool_]:
    """White connected to the border, if it covers most of the border."""
    spread = strongest(image) - weakest(image)
    white = ((plane >= BACKGROUND_LUMA) & (spread <= BACKGROUND_SPREAD)).astype(np.uint8)
    _, labels = cv2.connectedComponents(white, connectivity=4)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    if np.count_nonzero(border) < BACKGROUND_BORDER * border.size:
        return np.zeros(plane.shape, bool)
    return np.isin(labels, np.unique(border[border > 0]))


def _tones(subject: _Subject) -> Mapping[str, float]:
    values = subject.luma[subject.counted]
    darkest = strongest(subject.image)[subject.counted]
    brightest = weakest(subject.image)[subject.counted]
    low, median, high = np.quantile(values, [0.01, 0.5, 0.99])
    return {
        "exposure_mean": round(float(values.mean()), 4),
        "exposure_median": round(float(median), 4),
        "clipped_shadows": round(float(np.mean(darkest <= BLACK)), 4),
        "clipped_highlights": round(float(np.mean(brightest >= WHITE)), 4),
        "contrast": round(float(high - low), 4),
    }


def _colours(subject: _Subject, cast: Cast) -> Mapping[str, float]:
    red, green, blue = (255.0 * subject.image[..., channel][subject.counted] for channel in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2.0 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    offset = np.hypot(red_green.mean(), yellow_blue.mean())
    return {
        "colourfulness": round(float(spread + 0.3 * offset), 3),
        "cast_strength": round(cast.strength, 4),
        "illuminant_red": round(cast.illuminant[0], 4),
        "illuminant_green": round(cast.illuminant[1], 4),
        "illuminant_blue": round(cast.illuminant[2], 4),
    }


def is_grey(pixels: Pixels, noise_sigma: float = 0.0) -> bool:
    """Whether the channels differ no more than by noise, measured on averages of many pixels."""
    small = to_float(reduced(pixels, 16_384))
    averaged = max(1.0, pixels.shape[0] * pixels.shape[1] / (small.shape[0] * small.shape[1]))
    allowed = GREY_SPREAD + 4.0 * noise_sigma / 255.0 / float(np.sqrt(averaged))
    coloured = strongest(small) - weakest(small) > allowed
    return float(coloured.mean()) <= COLOURED_SHARE
