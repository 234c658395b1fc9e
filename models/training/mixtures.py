"""Combines several faults in one photograph, each at a known grade.

In the order in which a camera brings them about: the light (exposure, cast), the lens (blur), the sensor (noise), the
file (blocks). Every grade is in [0, 1]; 0 leaves the photograph as it is, and the scales are chosen so that equal
steps look about equal. Images are (H, W, 3), float32, RGB, [0, 1].
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import cv2
import numpy as np

from darkroom.imaging.picture import Image
from models.training.degradations import film_grain, gaussian_noise, jpeg, quantise, sensor_noise

#: The faults, in the order of the network's outputs.
FAULTS = ("noise", "blur", "blocking", "exposure", "cast")
#: Probability of 0, 1, 2, 3 and 4 faults in a photograph.
COUNTS = (0.12, 0.36, 0.28, 0.16, 0.08)
#: Sigma of the noise (0-255 scale) at a grade near 0 and at grade 1.
SIGMAS = (2.0, 60.0)
#: Standard deviation of the blur in pixels at a grade near 0 and at grade 1.
RADII = (0.45, 5.5)
#: JPEG quality at a grade near 0 and at grade 1.
QUALITIES = (92.0, 6.0)
#: Exponent of the tone curve of the darkest picture; 1 changes nothing.
STEEPEST = 4.0
#: Share of the light that is missing in the darkest picture.
MISSING_LIGHT = 0.97
#: Overexposure of the brightest picture in stops.
BRIGHTEST_STOPS = 2.6
#: Exponent of the tone curve of the brightest picture.
FLATTEST = 0.3
#: Difference between the channels in stops for the strongest cast.
STRONGEST_CAST = 1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Which faults, and how grave."""

    #: Grade of each fault that is there, above 0.
    grades: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def parts(self) -> tuple[float, ...]:
        """1 for each fault that is absent, falling to 0 with its grade, also beyond 1; in the order of `FAULTS`."""
        return tuple(max(1.0 - self.grades.get(fault, 0.0), 0.0) for fault in FAULTS)


def random_mixture(rng: np.random.Generator) -> Mixture:
    """No fault, one, or several, of any grade."""
    count = int(rng.choice(len(COUNTS), p=COUNTS))
    faults = rng.choice(FAULTS, size=count, replace=False)
    return Mixture(grades={str(fault): float(rng.uniform(0.02, 1.0)) for fault in faults})


def degraded(clean: Image, mixture: Mixture, rng: np.random.Generator) -> Image:
    """The photograph with those faults; their kinds (grain or white noise, motion or defocus) are drawn from `rng`."""
    image = clean
    for fault, bring_about in (("exposure", misexposed), ("cast", tinted), ("blur", blurred), ("noise", noisy)):
        if fault in mixture.grades:
            image = bring_about(image, mixture.grades[fault], rng)
    if "blocking" in mixture.grades:
        return jpeg(image, round(_between(QUALITIES, mixture.grades["blocking"])))
    return quantise(image)


def misexposed(image: Image, grade: float, rng: np.random.Generator) -> Image:
    """Too dark or too bright by a tone curve, by less light, by more of it with clipping; or faded.

    Light is scaled in the linear domain that sRGB encodes (IEC 61966-2-1, here as a power of 2.2).
    """
    kind = rng.random()
    if kind < 0.25:
        return np.power(image, np.float32(1 + grade * (STEEPEST - 1)))
    if kind < 0.4:
        return np.power(image, np.float32(1 + grade * (FLATTEST - 1)))
    if kind < 0.6:
        return image * np.float32((1 - MISSING_LIGHT * grade) ** (1 / 2.2))
    if kind < 0.8:
        return np.clip(image * np.float32(2 ** (grade * BRIGHTEST_STOPS / 2.2)), 0, 1)
    return _faded(image, grade, rng)


def _faded(image: Image, grade: float, rng: np.random.Generator) -> Image:
    """Less contrast around some grey, as behind haze or in an old print."""
    grey = np.float32(rng.uniform(0.3, 0.8))
    return grey + (image - grey) * np.float32(1 - 0.75 * grade)


def tinted(image: Image, grade: float, rng: np.random.Generator) -> Image:
    """A light of another colour: gains of the channels in linear light, after von Kries, luma about kept."""
    stops = rng.standard_normal(3)
    stops -= stops.mean()
    gains = 2.0 ** (grade * STRONGEST_CAST * stops / max(float(np.abs(stops).max()), 1e-6))
    gains /= float(np.dot(gains, (0.2126, 0.7152, 0.0722)))
    return np.clip(image * (gains ** (1 / 2.2)).astype(np.float32), 0, 1)


def blurred(image: Image, grade: float, rng: np.random.Generator) -> Image:
    """Out of focus (Gaussian or disc), moved, or enlarged from fewer pixels; a larger grade is a wider blur."""
    radius = _between(RADII, grade**1.3)
    kind = rng.random()
    if kind < 0.35:
        return cv2.GaussianBlur(image, (0, 0), radius)
    if kind < 0.55:
        return cv2.filter2D(image, -1, disc(2 * radius), borderType=cv2.BORDER_REFLECT_101)
    if kind < 0.85:
        return cv2.filter2D(
            image, -1, line(3.4 * radius, float(rng.uniform(0, 180))), borderType=cv2.BORDER_REFLECT_101
        )
    return _enlarged(image, 1 + 1.2 * radius)


def disc(radius: float) -> Image:
    """The image of a point out of focus: a disc with a soft rim, of that radius in pixels; it sums to 1."""
    reach = int(np.ceil(radius))
    rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(rows, columns), 0, 1).astype(np.float32)
    return kernel / kernel.sum()


def line(length: float, angle: float) -> Image:
    """The image of a point that moved straight: `length` in pixels, `angle` in degrees; it sums to 1."""
    reach = int(np.ceil(length / 2)) + 1
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    sine, cosine = np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))
    across, along = np.abs(rows * cosine - columns * sine), np.abs(rows * sine + columns * cosine)
    kernel = (np.clip(1 - across, 0, 1) * np.clip(length / 2 + 0.5 - along, 0, 1)).astype(np.float32)
    return kernel / kernel.sum()


def _enlarged(image: Image, factor: float) -> Image:
    height, width = image.shape[:2]
    size = max(4, round(width / factor)), max(4, round(height / factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def noisy(image: Image, grade: float, rng: np.random.Generator) -> Image:
    """White noise, a sensor's, or film grain; now and then smoothed away again with a part of the detail."""
    sigma, kind = _between(SIGMAS, grade**1.5), rng.random()
    if kind < 0.45:
        return gaussian_noise(image, sigma, rng)
    if kind < 0.65:
        return sensor_noise(image, sigma, rng, shot_share=float(rng.uniform(0.3, 1)))
    if kind < 0.9:
        return film_grain(image, sigma, rng, radius=float(rng.uniform(0.4, 1.1)), coloured=rng.random() < 0.5)
    smoothed = gaussian_noise(image, sigma, rng).clip(0, 1)
    return cv2.bilateralFilter(smoothed, 5, float(rng.uniform(1, 3)) * sigma / 255, 2)


def _between(ends: tuple[float, float], share: float) -> float:
    first, last = ends
    return first + (last - first) * share
