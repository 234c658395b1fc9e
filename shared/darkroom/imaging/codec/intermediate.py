"""Stores a picture between two stages as a lossless file."""

from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from darkroom.domain.formats import WorkingExtension, working_extension
from darkroom.imaging.codec.damage import Damaged
from darkroom.imaging.codec.decode_errors import reading
from darkroom.imaging.picture import Picture, Pixels


def encode_working(picture: Picture, extension: WorkingExtension) -> bytes:
    """Lossless bytes of a picture, colours below fully transparent pixels included.

    An alpha channel that is opaque everywhere is left out: `decode_working` returns None for it, from both formats.
    """
    if extension == "webp" and working_extension(picture.bits, picture.height, picture.width) != "webp":
        raise ValueError(f"WebP cannot hold {picture.width}x{picture.height} pixels of {picture.bits} bits")
    channels = interleaved(picture)
    return _webp(channels) if extension == "webp" else png_bytes(channels, level=1)


def decode_working(data: bytes) -> Picture:
    """The picture that `encode_working` was given. It checks no limits: these are bytes that the pipeline wrote."""
    with reading("artifact"):
        return picture_from_bgr(decode_unchanged(data))


def interleaved(picture: Picture) -> Pixels:
    """(H, W, 3), or (H, W, 4) with the alpha last unless it is opaque everywhere."""
    if picture.alpha is None or int(picture.alpha.min()) == np.iinfo(picture.alpha.dtype).max:
        return picture.pixels
    channels: Any = np.dstack((picture.pixels, picture.alpha))
    both: Pixels = channels
    return both


def decode_unchanged(data: bytes) -> NDArray[Any]:
    """OpenCV's reading of a PNG, TIFF or WebP with its own depth and channels: (H, W) or (H, W, BGR[A])."""
    decoded = decode_if_possible(data)
    if decoded is None:
        raise Damaged("its pixels cannot be decoded")
    return decoded


def decode_if_possible(data: bytes) -> NDArray[Any] | None:
    """As `decode_unchanged`; None where OpenCV cannot decode the file."""
    decoded: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return decoded


def picture_from_bgr(channels: NDArray[Any]) -> Picture:
    """A picture from (H, W), (H, W, 3) or (H, W, 4) in OpenCV's order; an opaque alpha becomes None."""
    if channels.ndim == 2:
        return Picture(pixels=grey_to_rgb(channels))
    pixels: Any = cv2.cvtColor(channels, cv2.COLOR_BGRA2RGB if channels.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    return Picture(pixels=pixels, alpha=visible_alpha(channels[..., 3]) if channels.shape[2] == 4 else None)


def visible_alpha(alpha: Pixels) -> Pixels | None:
    """The alpha channel as an array of its own, or None if it is opaque everywhere."""
    if int(alpha.min()) == np.iinfo(alpha.dtype).max:
        return None
    return contiguous(alpha)


def contiguous(values: Any) -> Pixels:
    """The values in row order: a copy where they are a view of something larger or turned."""
    pixels: Pixels = np.ascontiguousarray(values)
    return pixels


def grey_to_rgb(grey: Pixels) -> Pixels:
    """(H, W) to (H, W, 3) with three equal channels."""
    pixels: Any = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    colors: Pixels = pixels
    return colors


def png_bytes(channels: Pixels, *, level: int) -> bytes:
    """A PNG of (H, W, 3) or (H, W, 4) in RGB order, 8 or 16 bits; `level` is zlib's, 0 to 9."""
    swap = cv2.COLOR_RGBA2BGRA if channels.shape[2] == 4 else cv2.COLOR_RGB2BGR
    done, data = cv2.imencode(".png", cv2.cvtColor(channels, swap), [cv2.IMWRITE_PNG_COMPRESSION, level])
    if not done:
        raise ValueError(f"OpenCV cannot write a PNG of shape {channels.shape}")
    return data.tobytes()


def _webp(channels: Pixels) -> bytes:
    # `exact` keeps the colours where alpha is 0; without it libwebp replaces them.
    sink = BytesIO()
    Image.fromarray(channels).save(sink, "WEBP", lossless=True, quality=0, method=0, exact=True)
    return sink.getvalue()
