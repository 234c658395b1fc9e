"""Converts between sRGB, linear light, luma and CIE L*a*b*."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.filters import Array
from darkroom.imaging.picture import Image, Pixels, Plane, to_float

#: Weights of red, green and blue in luminance, for linear light (ITU-R BT.709).
LUMINANCE_WEIGHTS = np.array([0.2126, 0.7152, 0.0722], np.float32)


def linear_from_srgb(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB-encoded values in [0, 1], any shape, to linear light in [0, 1] (IEC 61966-2-1)."""
    low = values * np.float32(1.0 / 12.92)
    high = np.power((np.maximum(values, 0.0) + np.float32(0.055)) * np.float32(1.0 / 1.055), np.float32(2.4))
    return np.where(values <= 0.04045, low, high).astype(np.float32, copy=False)


def srgb_from_linear(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light, any shape, to sRGB-encoded values; [0, 1] maps onto [0, 1]; values outside stay outside."""
    low = values * np.float32(12.92)
    high = np.float32(1.055) * np.power(np.maximum(values, 0.0), np.float32(1.0 / 2.4)) - np.float32(0.055)
    return np.where(values <= 0.0031308, low, high).astype(np.float32, copy=False)


@cache
def _linear_table(levels: int) -> NDArray[np.float32]:
    return linear_from_srgb(np.linspace(0.0, 1.0, levels, dtype=np.float32))


def linear_from_pixels(pixels: Pixels, tables: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Full-range uint8 or uint16 sRGB of any shape to linear light in [0, 1], by a table.

    `tables` (256, 3) or (65536, 3) replaces that of sRGB for pixels (H, W, 3): a column for each channel.
    """
    if tables is None:
        return np.take(_linear_table(int(np.iinfo(pixels.dtype).max) + 1), pixels)
    linear = np.empty(pixels.shape, np.float32)
    for channel, table in enumerate(tables.T):
        linear[..., channel] = np.take(np.ascontiguousarray(table), pixels[..., channel])
    return linear


def luma(pixels: Pixels) -> Plane:
    """Weighted mean of the encoded channels (ITU-R BT.601), (H, W) float32 in [0, 1]."""
    return to_float(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))  # type: ignore[arg-type]


def luma_of_image(image: Image) -> Plane:
    """As `luma`, of a float image; may exceed [0, 1] where the image does."""
    plane: Plane = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)  # type: ignore[assignment]
    return plane


def strongest(channels: Array) -> Array:
    """The greatest of the three channels in each pixel: (H, W, 3) to (H, W), a tenth of the time of `max(axis=2)`."""
    return np.maximum(np.maximum(channels[..., 0], channels[..., 1]), channels[..., 2])  # type: ignore[return-value]


def weakest(channels: Array) -> Array:
    """The least of the three channels in each pixel: (H, W, 3) to (H, W)."""
    return np.minimum(np.minimum(channels[..., 0], channels[..., 1]), channels[..., 2])  # type: ignore[return-value]


def lab_from_image(image: Image) -> NDArray[np.float32]:
    """CIE L*a*b* (D65) of an sRGB image: (H, W, 3) float32, L* in [0, 100], a* and b* about [-110, 110]."""
    lab: NDArray[np.float32] = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)  # type: ignore[assignment]
    return lab


def image_from_lab(lab: NDArray[np.float32]) -> Image:
    """The inverse of `lab_from_image`; colours outside sRGB are clipped to it."""
    image: Image = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)  # type: ignore[assignment]
    return image


def parse_hex(color: str) -> NDArray[np.float32]:
    """`#RRGGBB` as three float32 in [0, 1].

    >>> parse_hex("#FF0000").tolist()
    [1.0, 0.0, 0.0]
    """
    return np.array([int(color[at : at + 2], 16) / 255.0 for at in (1, 3, 5)], np.float32)


def apply_table(pixels: Pixels, table: NDArray[np.float32]) -> Pixels:
    """Map every value through a table over the type's full range.

    Parameters
    ----------
    pixels : uint8 or uint16, any shape
    table : (256,) or (65536,), or (256, 3) or (65536, 3) for one table a channel, float32
        The new value in [0, 1] of each old one; clipped and rounded.

    Returns
    -------
    ndarray
        As `pixels`. At most four further bytes a value are needed.
    """
    top = np.iinfo(pixels.dtype).max
    rounded = np.rint(np.clip(table, 0.0, 1.0) * top).astype(pixels.dtype)
    if rounded.shape == (256, 3):
        return cv2.LUT(pixels, rounded[np.newaxis])  # type: ignore[return-value, arg-type]
    if rounded.ndim == 1:
        return np.take(rounded, pixels)
    return np.stack([np.take(rounded[:, channel], pixels[..., channel]) for channel in range(3)], axis=-1)
