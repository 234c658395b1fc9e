"""Prepares the input of the score model and reads its output."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from darkroom.domain.measurements import Score
from darkroom.imaging.picture import Picture, Pixels, to_float
from darkroom.imaging.transparency import resized_picture

#: Side in pixels of the patches at native resolution.
PATCH_SIDE = 96
#: Side in pixels of the reduced view of the whole picture.
VIEW_SIDE = 96
#: Largest number of patches along each side: sixteen in all, a seventh of a megapixel.
GRID = 4
#: Largest size in pixels at which a picture is scored: about that of a screen.
MAX_PIXELS = 1_500_000
#: Parts of the score in the order of the network's output, each from 0 (the fault at its worst) to 100 (no such fault).
PARTS = ("noise", "blur", "blocking", "exposure", "cast")


def prepare(picture: Picture, reference_pixels: int | None = None) -> Pixels:
    """Return the pixels to score: at most `MAX_PIXELS`, composited over white where they are transparent.

    Parameters
    ----------
    picture : Picture
        Any size from 1x1.
    reference_pixels : int, optional
        Pixels of the upload. An enlarged picture is scored at that size: enlargement alone does not make it worse.

    Returns
    -------
    (H, W, 3), RGB, dtype of the picture; the same array if nothing is to be changed. About 5 ms for a reduction from 4
    megapixels to one.

    Examples
    --------
    >>> large = Picture(pixels=np.zeros((2000, 3000, 3), np.uint8))
    >>> prepare(large).shape, prepare(large, 600).shape
    ((1000, 1500, 3), (20, 30, 3))
    """
    factor = float(np.sqrt(min(MAX_PIXELS, reference_pixels or MAX_PIXELS) / (picture.height * picture.width)))
    size = [max(1, round(side * min(1.0, factor))) for side in (picture.height, picture.width)]
    sized = resized_picture(picture, *size)
    return sized.pixels if sized.alpha is None else _on_white(sized.pixels, sized.alpha)


def _on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    full = np.iinfo(alpha.dtype).max
    if int(alpha.min()) == full:
        return pixels
    share = to_float(alpha)[..., np.newaxis]
    laid: Pixels = np.rint(full - share * (full - pixels.astype(np.float32))).astype(pixels.dtype)
    return laid


def patches(pixels: Pixels) -> NDArray[np.float32]:
    """Up to sixteen evenly spaced patches at native resolution, (P, 3, 96, 96), RGB, [0, 1].

    They begin at multiples of 8, which keeps the phase of JPEG blocks. A picture smaller than a patch is padded by
    repeating its edge. 1 ms.

    Examples
    --------
    >>> patches(np.zeros((300, 50, 3), np.uint8)).shape
    (4, 3, 96, 96)
    """
    below, beside = (max(0, PATCH_SIDE - side) for side in pixels.shape[:2])
    if below or beside:
        pixels = np.pad(pixels, ((0, below), (0, beside), (0, 0)), mode="edge")  # type: ignore[assignment]
    height, width = pixels.shape[:2]
    cut = [
        pixels[row : row + PATCH_SIDE, column:][:, :PATCH_SIDE] for row in _starts(height) for column in _starts(width)
    ]
    return np.ascontiguousarray(np.stack([to_float(each) for each in cut]).transpose(0, 3, 1, 2))


def _starts(length: int) -> list[int]:
    count = min(GRID, -(-length // PATCH_SIDE))
    return [int(start) // 8 * 8 for start in np.linspace(0, length - PATCH_SIDE, count)]


def verdict(answer: Mapping[str, NDArray[np.float32]]) -> Score:
    """Convert the network's outputs to a score; with parts if the network returns all five."""
    quality = next(iter(answer.values()))
    given = answer.get("parts", np.zeros(0, np.float32))
    named = zip(PARTS, given, strict=True) if given.shape == (len(PARTS),) else ()
    parts = {name: _rounded(part) for name, part in named}
    return Score(value=_rounded(quality.mean()), parts=MappingProxyType(parts))


def _rounded(value: np.floating) -> float:
    return round(float(np.clip(value, 0.0, 100.0)), 1)
