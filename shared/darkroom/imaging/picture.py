"""Defines `Picture`, the value that stages receive and return.

It holds integer sRGB pixels with the orientation applied. The output of a stage is exactly the input of the next one,
whether it was stored in a bucket or stayed in memory.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

#: Float image: (H, W, 3), RGB, sRGB-encoded, range [0, 1].
Image = NDArray[np.float32]
#: Single plane: (H, W), range [0, 1]. A mask, a matte, an alpha channel or a luminance.
Plane = NDArray[np.float32]
#: Integer pixels: (H, W, 3) or (H, W), uint8 or uint16, full range of the type.
Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def to_float(pixels: Pixels) -> NDArray[np.float32]:
    """Full-range uint8 or uint16 of any shape to float32 in [0, 1]."""
    return np.multiply(pixels, np.float32(1.0 / np.iinfo(pixels.dtype).max), dtype=np.float32)


def to_pixels(values: NDArray[np.float32], dtype: np.dtype[np.uint8] | np.dtype[np.uint16]) -> Pixels:
    """Float32 to full-range integers: clipped to [0, 1] first, then rounded to the nearest."""
    top = np.float32(np.iinfo(dtype).max)
    scaled = np.clip(values, 0.0, 1.0) * top
    pixels: Pixels = np.rint(scaled, out=scaled).astype(dtype)
    return pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture between two stages."""

    #: (H, W, 3), RGB, sRGB-encoded; uint8, or uint16 for pictures of more than 8 bits.
    pixels: Pixels
    #: (H, W), same dtype as `pixels`, straight (not premultiplied); None means opaque everywhere.
    alpha: Pixels | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(f"pixels have shape {self.pixels.shape}, expected (H, W, 3)")
        if self.pixels.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"pixels are {self.pixels.dtype}, expected uint8 or uint16")
        if self.alpha is not None and (
            self.alpha.shape != self.pixels.shape[:2] or self.alpha.dtype != self.pixels.dtype
        ):
            raise ValueError(f"alpha is {self.alpha.dtype} {self.alpha.shape}, pixels are {self.pixels.dtype}")

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def bits(self) -> int:
        """Bits per channel: 8 or 16."""
        return self.pixels.dtype.itemsize * 8

    @property
    def image(self) -> Image:
        """The colour channels as float32 (H, W, 3) in [0, 1]; 12 bytes a pixel, computed at each call."""
        return to_float(self.pixels)

    @property
    def matte(self) -> Plane | None:
        """The alpha channel as float32 (H, W) in [0, 1], or None."""
        return None if self.alpha is None else to_float(self.alpha)

    def with_pixels(self, pixels: Pixels) -> "Picture":
        """A picture with other pixels of the same size and bit depth."""
        return replace(self, pixels=pixels)
