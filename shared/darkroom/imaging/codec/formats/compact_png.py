"""Writes a PNG with fewer channels or bits where that holds exactly the same pixels."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from PIL import Image

from darkroom.imaging.codec.intermediate import contiguous
from darkroom.imaging.picture import Pixels

#: Most colours of a palette.
MOST_COLOURS = 256
#: zlib's level for all kinds of PNG here.
LEVEL = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactPng:
    """A PNG without metadata."""

    data: bytes
    #: Whether it has one channel of grey, so that an RGB profile does not fit.
    grey: bool


def compact_png(channels: Pixels, *, may_be_grey: bool) -> CompactPng | None:
    """The pixels as a bilevel, grey or palette PNG; None if none of them can hold the pixels.

    Parameters
    ----------
    channels : (H, W, 3) or (H, W, 4), uint8 or uint16
        RGB or RGBA. A palette needs 8 bits and at most 256 colours; grey needs three equal channels and no alpha.
    may_be_grey : bool
        False for pixels whose profile has three channels and is not sRGB.
    """
    if may_be_grey and _is_grey(channels):
        grey = contiguous(channels[..., 0])
        if grey.dtype == np.uint8 and bool(((grey == 0) | (grey == 255)).all()):
            return CompactPng(data=_saved(Image.fromarray(grey).convert("1", dither=Image.Dither.NONE)), grey=True)
        return CompactPng(data=_grey(grey), grey=True)
    if channels.dtype != np.uint8:
        return None
    image = Image.fromarray(channels)
    colours = image.getcolors(MOST_COLOURS)
    return None if colours is None else CompactPng(data=_with_palette(channels, colours), grey=False)


def _is_grey(channels: Pixels) -> bool:
    if channels.shape[2] != 3 or (channels[0, :, 0] != channels[0, :, 1]).any():
        return False
    red, green, blue = cv2.split(channels)
    return np.array_equal(red, green) and np.array_equal(green, blue)


def _grey(grey: Pixels) -> bytes:
    done, data = cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_COMPRESSION, LEVEL])
    if not done:
        raise ValueError(f"OpenCV cannot write a PNG of shape {grey.shape}")
    return data.tobytes()


def _with_palette(channels: Pixels, colours: list[Any]) -> bytes:
    palette = np.array([colour for _, colour in colours], np.uint8)
    # Colours that are not opaque come first, so that the chunk tRNS is short.
    order = np.argsort(palette[:, 3], kind="stable") if palette.shape[1] == 4 else np.arange(len(palette))
    palette = palette[order]
    codes = _codes(palette)
    ascending = np.argsort(codes)
    found = ascending[np.searchsorted(codes[ascending], _codes(channels))]
    image = Image.fromarray(found.astype(np.uint8))
    image.putpalette(palette[:, :3].tobytes())
    transparency = palette[palette[:, 3] < 255, 3].tobytes() if palette.shape[1] == 4 else b""
    return _saved(image, **({"transparency": transparency} if transparency else {}))


def _codes(colours: Pixels) -> Any:
    """Each colour as one number."""
    wide = colours.astype(np.uint32)
    codes = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    return codes if colours.shape[-1] == 3 else codes | (wide[..., 3] << 24)


def _saved(image: Image.Image, **options: Any) -> bytes:
    sink = BytesIO()
    image.save(sink, "PNG", compress_level=LEVEL, **options)
    return sink.getvalue()
