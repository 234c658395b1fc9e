"""Degrades the photograph of `darkroom demo` before it is restored.

What light, lens, sensor and file do to a picture, in that order, each in a known amount and with a fixed seed: so the
gain of the restoration can be measured against the photograph itself.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.picture import to_float, to_pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """How much of each."""

    #: Factors on red, green and blue of the sRGB-encoded picture: a warm colour cast, as of a faded print.
    cast: tuple[float, float, float] = (1.0, 0.86, 0.62)
    #: Standard deviation of the Gaussian blur in pixels.
    blur_sigma: float = 1.0
    #: Standard deviation of the Gaussian noise on the 0-255 scale, independent in every pixel and channel.
    noise_sigma: float = 10.0
    jpeg_quality: int = 90
    seed: int = 1931

    def __str__(self) -> str:
        red, green, blue = self.cast
        return (
            f"colour cast {red:g}/{green:g}/{blue:g}, Gaussian blur sigma {self.blur_sigma:g} px, "
            f"noise sigma {self.noise_sigma:g}, JPEG quality {self.jpeg_quality}"
        )


def degrade(reference: NDArray[np.uint8], damage: Damage) -> bytes:
    """The damaged picture as a JPEG file.

    `reference` is uint8 RGB (H, W, 3). The same reference and damage give the same bytes.
    """
    tinted = to_float(reference) * np.asarray(damage.cast, np.float32)
    blurred = cv2.GaussianBlur(tinted, (0, 0), damage.blur_sigma)
    noise = np.random.default_rng(damage.seed).normal(0.0, damage.noise_sigma / 255.0, reference.shape)
    damaged = to_pixels(np.add(blurred, noise, dtype=np.float32), np.dtype(np.uint8))
    quality = [cv2.IMWRITE_JPEG_QUALITY, damage.jpeg_quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
    _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(damaged[..., ::-1]), quality)
    return bytes(encoded)
