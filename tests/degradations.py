"""Photographs spoilt in known ways, and how far two pictures are apart."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import linear_from_pixels, srgb_from_linear
from tests.photographs import photograph

U8 = NDArray[np.uint8]


def part(name: str = "astronaut", side: int = 256, *, top: int = 0, left: int = 100) -> U8:
    """A square part of a photograph at its native resolution."""
    return np.ascontiguousarray(photograph(name)[top : top + side, left : left + side])


def noisy(pixels: U8, sigma: float, seed: int = 0) -> U8:
    """White Gaussian noise, deviation on the 0-255 scale, in every channel of its own."""
    noise = np.random.default_rng(seed).normal(0.0, sigma, pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def blurred(pixels: U8, radius: float) -> U8:
    """A Gaussian blur of that standard deviation in pixels."""
    return cv2.GaussianBlur(pixels, (0, 0), radius)


def in_light(pixels: U8, gains: float | Sequence[float]) -> U8:
    """The scene in other light: linear red, green and blue multiplied. One number darkens or brightens."""
    light = srgb_from_linear(linear_from_pixels(pixels) * np.array(gains, np.float32))
    return np.rint(255.0 * np.clip(light, 0.0, 1.0)).astype(np.uint8)


def compressed(pixels: U8, quality: int) -> U8:
    """Through JPEG and back."""
    data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def faded(pixels: U8) -> U8:
    """Two fifths of the contrast, around a light grey."""
    return np.rint(90.0 + 0.4 * pixels).astype(np.uint8)


def psnr_db(one: NDArray[np.integer], other: NDArray[np.integer]) -> float:
    """Peak signal-to-noise ratio of two pictures of one type, in dB; infinite if they are equal."""
    top = float(np.iinfo(one.dtype).max)
    error = float(np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2))
    return float("inf") if error == 0.0 else 10.0 * float(np.log10(top * top / error))
