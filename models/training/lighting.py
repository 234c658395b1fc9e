"""Simulates faults of lighting: colour casts, water, and underexposure.

Every function takes and returns an `image` (H, W, 3), float32, RGB, sRGB-encoded in [0, 1], and does not change its
argument alone. A light is the colour of the illumination relative to the one under which the photograph is neutral:
what each of linear red, green and blue is multiplied by, (3,), or (H, W, 3) where it changes over the frame.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import LUMINANCE_WEIGHTS, linear_from_srgb, srgb_from_linear
from darkroom.imaging.picture import Image

Light = NDArray[np.float32]

#: The temperature of the daylight that sRGB is defined for, in kelvin.
DAYLIGHT_K = 6504.0
#: Some colours of black bodies are outside sRGB; no channel of a light falls below this share of the largest.
LEAST_CHANNEL = 0.03
#: From CIE XYZ to linear sRGB (IEC 61966-2-1).
_SRGB_FROM_XYZ = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
#: Attenuation of red, green and blue light per metre of water: from clear ocean to green coastal water. Of the order
#: that Akkaynak and Treibitz measured.
CLEAR_WATER, COASTAL_WATER = np.array([0.37, 0.07, 0.05]), np.array([0.45, 0.12, 0.25])


def black_body(temperature_k: float) -> Light:
    """Light of a black body relative to daylight, green 1: 2000 K is a candle, 2850 a bulb, 12000 a blue sky's shade.

    References
    ----------
    Kim, Han, Kang et al.: Design of advanced color temperature control system for HDTV applications, 2002, Journal of
    the Korean Physical Society 41(6) (the Planckian locus as cubics, 1667 to 25000 K).
    """
    light = _planckian(temperature_k) / _planckian(DAYLIGHT_K)
    return (light / light[1]).astype(np.float32)


def _planckian(temperature_k: float) -> NDArray[np.float64]:
    t = 1e3 / temperature_k
    low = temperature_k <= 4000
    x = _cubic(
        t, (-0.2661239, -0.2343589, 0.8776956, 0.179910) if low else (-3.0258469, 2.1070379, 0.2226347, 0.240390)
    )
    if temperature_k <= 2222:
        y = _cubic(x, (-1.1063814, -1.34811020, 2.18555832, -0.20219683))
    elif low:
        y = _cubic(x, (-0.9549476, -1.37418593, 2.09137015, -0.16748867))
    else:
        y = _cubic(x, (3.0817580, -5.87338670, 3.75112997, -0.37001483))
    rgb = _SRGB_FROM_XYZ @ np.array([x / y, 1.0, (1 - x - y) / y])
    return np.maximum(rgb, LEAST_CHANNEL * rgb.max())


def _cubic(value: float, coefficients: tuple[float, float, float, float]) -> float:
    return float(np.polyval(coefficients, value))


def some_light(rng: np.random.Generator) -> Light:
    """A random light: a black body, partly compensated by the adaptation of eye or camera, with a tint; or any colour.

    From hardly visible to stronger than a bulb without white balance. Tints from magenta to green are those of
    fluorescent tubes and foliage.
    """
    if rng.random() < 0.5:
        temperature_k = 1e6 / rng.uniform(50, 500)
        logs = np.log(black_body(temperature_k)) * rng.uniform(0.3, 1.0)
        logs[1] += rng.normal(0, 0.12)
    else:
        logs = rng.uniform(0.1, 1.0) * rng.uniform(-0.9, 0.9, 3)
    return np.exp(logs).astype(np.float32)


def exposed(light: Light, linear: NDArray[np.float32], rng: np.random.Generator) -> Light:
    """The light at one of the brightnesses at which casts are made: green, the mean, luminance or the maximum kept."""
    flat = light.reshape(-1, 3).mean(axis=0)
    kind = rng.integers(4)
    if kind == 0:
        scale = flat[1]
    elif kind == 1:
        scale = flat.mean()
    elif kind == 2:
        scale = flat.max()
    else:
        mean = linear.reshape(-1, 3).mean(axis=0) + 1e-4
        scale = (mean * flat) @ LUMINANCE_WEIGHTS / (mean @ LUMINANCE_WEIGHTS)
    return (light / scale).astype(np.float32)


def mixed_light(first: Light, second: Light, shape: tuple[int, ...], rng: np.random.Generator) -> Light:
    """Two lights, one on either side of a soft border, or one in a pool within the other: (H, W, 3)."""
    rows, columns = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    if rng.random() < 0.7:
        angle = rng.uniform(0, 2 * np.pi)
        across = rows * np.sin(angle) + columns * np.cos(angle) - rng.uniform(-0.5, 0.5)
    else:
        across = np.hypot(rows - rng.uniform(-0.7, 0.7), columns - rng.uniform(-0.7, 0.7)) - rng.uniform(0.4, 1.0)
    share = (1 / (1 + np.exp(-across / rng.uniform(0.08, 0.5))))[..., np.newaxis]
    return (first * (1 - share) + second * share).astype(np.float32)


def under_light(image: Image, light: Light) -> Image:
    """The photograph under another light: channel by channel in linear light, clipped where it exceeds the range.

    References
    ----------
    von Kries: Chromatic adaptation, 1902, Festschrift der Albrecht-Ludwigs-Universitaet.
    """
    return srgb_from_linear(np.clip(linear_from_srgb(image) * light, 0, 1))


def veiled(image: Image, transmission: Light, veil: Light) -> Image:
    """What is left of the scene, and the light scattered before it: `image * transmission + veil`, in linear light.

    Under water the veil is the water's colour times what is missing in the transmission (`water`); on a faded print it
    is the dye that no longer covers the paper.

    References
    ----------
    Akkaynak, Treibitz: A revised underwater image formation model, 2018, DOI 10.1109/CVPR.2018.00703.
    """
    return srgb_from_linear(np.clip(linear_from_srgb(image) * transmission + veil, 0, 1))


def water(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Light, Light]:
    """Transmission and veil, (H, W, 3) each, of some metres of water that get deeper towards one side.

    Daylight passes the water above the scene, and what the scene returns passes the water before it. The veil is the
    daylight that is scattered on that way, less of the colours that are attenuated on it.
    """
    attenuation = CLEAR_WATER + rng.random() * (COASTAL_WATER - CLEAR_WATER)
    rows, columns = np.ogrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    angle = rng.normal(-np.pi / 2, 0.5)
    ramp = (rows - 0.5) * np.sin(angle) + (columns - 0.5) * np.cos(angle) + 0.5
    distance_m = rng.uniform(0.5, 2.5) + rng.uniform(0, 3.5) * np.clip(ramp, 0, 1)[..., np.newaxis]
    light = np.exp(-attenuation * rng.uniform(0.5, 6.0))
    path = np.exp(-attenuation * distance_m)
    colour = light / light.max() * (attenuation.min() / attenuation) * rng.uniform(0.05, 0.5)
    scattered = colour * (1 - path) * rng.uniform(0.2, 1.0)
    return (light * path * rng.uniform(1.0, 2.0)).astype(np.float32), scattered.astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """A photograph taken with too little light."""

    #: How many times less light than the photograph as it should be.
    factor: float
    #: Deviation of the noise at the mean level of the dark photograph, on the 0-255 scale.
    sigma: float
    #: Part of the noise's variance that comes from counting photons, 0-1.
    shot_share: float
    #: How far the camera's curve is bent into an S, 0-1.
    contrast: float
    #: Correlation length of the noise in pixels: what demosaicking and the camera's own filter leave.
    grain: float
    #: The noise in red, green and blue relative to each other: white balance amplifies the weak channels.
    coloured: Light
    #: Colour of the light in the dark photograph.
    light: Light
    #: How many times brighter than white the brightest parts were; a short exposure shows what a long one clips.
    headroom: float = 1.0


def some_exposure(rng: np.random.Generator, *, least_factor: float = 1.5, least_sigma: float = 0.2) -> Exposure:
    """Down to a sixtieth of the light, with noise up to most of the signal."""
    return Exposure(
        factor=float(np.exp(rng.uniform(np.log(least_factor), np.log(60)))),
        sigma=float(np.exp(rng.uniform(np.log(least_sigma), np.log(5)))),
        shot_share=float(rng.uniform(0.2, 1)),
        contrast=max(0.0, float(rng.uniform(-0.4, 0.6))),
        grain=float(rng.choice([0.0, rng.uniform(0.3, 1.0)])),
        coloured=np.array([rng.uniform(0.8, 1.8), 1.0, rng.uniform(0.8, 2.0)], np.float32),
        light=np.exp(rng.normal(0, 0.06, 3)).astype(np.float32),
        headroom=float(rng.choice([1.0, np.exp(rng.uniform(0, np.log(6)))])),
    )


def underexposed(image: Image, exposure: Exposure) -> Image:
    """The photograph with less light, free of noise: divided in the light behind the camera's curve."""
    light = linear_from_srgb(bent(image, -exposure.contrast))
    beyond = np.square(np.clip(light * 2 - 1, 0, 1)) * np.float32(exposure.headroom - 1)
    light = light * (1 + beyond) * (exposure.light / np.float32(exposure.factor))
    return bent(srgb_from_linear(np.clip(light, 0, 1)), exposure.contrast)


def raised(image: Image, factor: float, contrast: float) -> Image:
    """The inverse of `underexposed` as far as nothing is clipped, by any `factor`."""
    light = linear_from_srgb(bent(image, -contrast)) * np.float32(factor)
    return bent(srgb_from_linear(np.clip(light, 0, 1)), contrast)


def bent(image: Image, contrast: float) -> Image:
    """Encoded values through an S of that strength; a negative one is the inverse of the positive."""
    if contrast == 0.0:
        return image
    grid = np.linspace(0, 1, 1025)
    curve = grid + abs(contrast) * (grid * grid * (3 - 2 * grid) - grid)
    known, wanted = (grid, curve) if contrast >= 0 else (curve, grid)
    return np.interp(image, known, wanted).astype(np.float32)


def photon_noise(dark: Image, exposure: Exposure, rng: np.random.Generator) -> Image:
    """The dark photograph with the noise of its few photons and of the sensor's reading, in linear light.

    The variance is `shot_share` times the light over its mean, and a constant rest; what falls below black is cut off,
    which brightens the shadows by the mean of what remains.

    References
    ----------
    Foi, Trimeche, Katkovnik, Egiazarian: Practical Poissonian-Gaussian noise modeling and fitting for single-image
    raw-data, 2008, DOI 10.1109/TIP.2008.2001399. Wei, Chen, Guo, Yang: Deep Retinex decomposition for low-light
    enhancement, 2018, arXiv 1808.04560 (pairs of short and long exposures).
    """
    light = linear_from_srgb(dark)
    mean = float(light.mean())
    step = np.float32(mean + 1e-4)
    slope = float(srgb_from_linear(step * np.float32(1.01)) - srgb_from_linear(step)) / (0.01 * float(step))
    deviation = (
        exposure.sigma / 255 / slope * np.sqrt(1 - exposure.shot_share + exposure.shot_share * light / max(mean, 1e-4))
    )
    noise = rng.standard_normal(dark.shape, dtype=np.float32)
    if exposure.grain:
        noise = cv2.GaussianBlur(noise, (0, 0), exposure.grain)
        noise /= noise.std()
    return srgb_from_linear(np.clip(light + noise * exposure.coloured * deviation.astype(np.float32), 0, 1))
