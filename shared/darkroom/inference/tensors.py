"""Converts pixels to input tensors, and output tensors to pixels, maps or numbers."""

import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import lab_from_image
from darkroom.imaging.filters import Array
from darkroom.imaging.picture import Image, Pixels, to_float, to_pixels
from darkroom.inference.contract import UNITS, Contract

Tensor = NDArray[np.float32]

#: Range of a matte below which it is not stretched, because it does not show a subject.
FLAT = 1.0 / 255.0


def tensor_of(pixels: Pixels, contract: Contract) -> Tensor:
    """(H, W, 3), RGB, uint8 or uint16, to float32 (1, C, H, W) in the contract's colour form."""
    planes = _planes(to_float(pixels), contract.channels)
    low, high = contract.range
    values: Tensor = planes
    if (low, high) != (0, 1):
        values = np.add(np.multiply(values, high - low, dtype=np.float32), low, dtype=np.float32)
    if contract.mean is not None:
        values = np.subtract(values, np.array(contract.mean, np.float32))
    if contract.deviation is not None:
        values = np.divide(values, np.array(contract.deviation, np.float32))
    tensor: Tensor = np.ascontiguousarray(values.transpose(2, 0, 1))[np.newaxis]
    return tensor


def _planes(image: Image, channels: str) -> NDArray[np.float32]:
    """The channels in [0, 1] in the contract's order."""
    if channels == "luma":
        return lab_from_image(image)[..., :1] * np.float32(0.01)
    return image[..., ::-1] if channels == "bgr" else image


def pixels_of(answer: Tensor, contract: Contract, like: Pixels) -> Pixels:
    """Convert output pixels (3, H, W) to (H, W, 3), RGB, dtype of `like`."""
    low, high = contract.output_range or contract.range
    image = answer.transpose(1, 2, 0)
    if (low, high) != (0, 1):
        image = (image - np.float32(low)) * np.float32(1.0 / (high - low))
    return to_pixels(image[..., ::-1] if contract.channels == "bgr" else image, like.dtype)


def filled(pixels: Array, height: int, width: int) -> Array:
    """Pad to at least (height, width) by repeating the last row and column; the input itself if it is as large."""
    below, beside = max(0, height - pixels.shape[0]), max(0, width - pixels.shape[1])
    if not (below or beside):
        return pixels
    margins = ((0, below), (0, beside), *((0, 0),) * (pixels.ndim - 2))
    return np.pad(pixels, margins, mode="edge")  # type: ignore[return-value]


def as_maps_or_numbers(answer: Tensor) -> Tensor:
    """One output without its batch axis: maps (C, h, w), numbers (K,)."""
    single = answer[0] if answer.ndim > 1 else answer
    return single[np.newaxis] if single.ndim == 2 else single


def in_unit(values: Tensor, contract: Contract) -> Tensor:
    """Convert the first output of a whole-picture network to the unit of its kind in the stages."""
    if contract.output_range is not None:
        low, high = contract.output_range
        bottom, top = UNITS[contract.answer]
        values = (values - np.float32(low)) * np.float32((top - bottom) / (high - low)) + np.float32(bottom)
    return _matte(values, contract.normalise) if contract.answer == "matte" else values


def _matte(values: Tensor, normalise: str) -> Tensor:
    if normalise == "sigmoid":
        values = np.float32(1.0) / (np.float32(1.0) + np.exp(-np.clip(values, -60.0, 60.0)))
    low, high = float(values.min()), float(values.max())
    if normalise == "min_max" and high - low >= FLAT:
        values = (values - np.float32(low)) / np.float32(high - low)
    matte: Tensor = np.clip(values, 0.0, 1.0).astype(np.float32, copy=False)
    return matte


def cropped(values: Tensor, content: tuple[int, int], given: tuple[int, int]) -> Tensor:
    """The part of maps (C, h, w) that covers the picture: `content` of the `given` sides; numbers do not change."""
    if values.ndim != 3 or content == given:
        return values
    shares = (part / whole for part, whole in zip(content, given, strict=True))
    rows, columns = (max(1, round(side * share)) for side, share in zip(values.shape[1:], shares, strict=True))
    return values[:, :rows, :columns]
