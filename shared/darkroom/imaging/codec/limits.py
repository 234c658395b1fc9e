"""Limits the size of files and pictures before memory is allocated."""

from dataclasses import dataclass

from darkroom.domain.errors import BadImage
from darkroom.domain.sizes import MAX_SIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper limits for files and pictures."""

    #: Largest file in bytes.
    max_bytes: int = 100_000_000
    #: Largest width times height in pixels.
    max_pixels: int = 40_000_000


def require_bytes(data: bytes, limits: Limits) -> None:
    """Raise `BadImage` for a file that is empty or larger than `limits.max_bytes`."""
    if not data:
        raise BadImage("the object is empty: it has 0 bytes", code="empty_object")
    if len(data) > limits.max_bytes:
        message = f"{len(data)} bytes, the limit is {limits.max_bytes}"
        raise BadImage(message, code="too_many_bytes", value=len(data), limit=limits.max_bytes)


def require_size(width: int, height: int, limits: Limits) -> None:
    """Raise `BadImage` for a picture without area, with a side above `MAX_SIDE` or above `limits.max_pixels` pixels."""
    if width <= 0 or height <= 0:
        raise BadImage(f"{width}x{height} has no area", code="zero_area")
    if max(width, height) > MAX_SIDE:
        message = f"{width}x{height} has a side of {max(width, height)} pixels, the limit is {MAX_SIDE}"
        raise BadImage(message, code="side_too_long", value=max(width, height), limit=MAX_SIDE)
    if width * height > limits.max_pixels:
        message = f"{width}x{height} is {width * height} pixels, the limit is {limits.max_pixels}"
        raise BadImage(message, code="too_many_pixels", value=width * height, limit=limits.max_pixels)
