"""Real photographs for the tests, from scikit-image's package, made small and spoilt in known ways."""

import io
from functools import cache

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image


@cache
def photograph(name: str = "astronaut") -> NDArray[np.uint8]:
    """One of scikit-image's photographs, (H, W, 3) uint8."""
    found: NDArray[np.uint8] = getattr(skimage.data, name)()[..., :3]
    return found


@cache
def small_jpeg(
    side: int = 96, *, name: str = "astronaut", seed: int = 0, noise: float = 0.0, quality: int = 92
) -> bytes:
    """A square crop, reduced to `side` pixels, with Gaussian noise (standard deviation on the 0-255 scale), as JPEG."""
    source = photograph(name)
    rng = np.random.default_rng(seed)
    extent = min(source.shape[:2]) * 3 // 4
    top, left = (int(rng.integers(0, size - extent + 1)) for size in source.shape[:2])
    crop = Image.fromarray(source[top : top + extent, left : left + extent]).resize((side, side))
    noisy = np.asarray(crop, np.float32) + rng.normal(0.0, noise, (side, side, 3)) if noise else np.asarray(crop)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
