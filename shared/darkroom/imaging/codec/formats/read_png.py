"""Reads the pixels of a PNG.

The decoders get the critical chunks alone. Pillow reads up to 8 bits, OpenCV 16 bits. The transparent colour of grey
and RGB pictures is compared here, since the decoders disagree about it below 8 bits and at 16.
"""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from darkroom.imaging.codec.damage import Damaged
from darkroom.imaging.codec.formats import png
from darkroom.imaging.codec.intermediate import contiguous, decode_unchanged
from darkroom.imaging.codec.limits import Limits, require_size
from darkroom.imaging.codec.samples import Samples, Space, from_pillow, split_alpha
from darkroom.imaging.picture import Pixels


def read_png(data: bytes, limits: Limits) -> Samples:
    """The first picture of a PNG. Raises `Damaged` if a pixel is missing."""
    found = png.contents(data)
    require_size(found.header.width, found.header.height, limits)
    png.require_pixels(found)
    samples = _deep(found) if found.header.depth == 16 else _plain(found)
    frames = len(found.payloads(b"fcTL")) or 1
    return _with_transparent_color(samples.counted(frames), found)


def _plain(found: png.Contents) -> Samples:
    palette = found.header.color_type == png.PALETTE
    kept = png.pixels_only(found, transparency=palette and _transparency(found) is not None)
    with Image.open(BytesIO(kept), formats=("PNG",)) as image:
        image.load()
        return from_pillow(image)


def _deep(found: png.Contents) -> Samples:
    channels = decode_unchanged(png.pixels_only(found))
    grey = found.header.color_type in (png.GREY, png.GREY_ALPHA)
    space: Space = "grey" if grey else "rgb"
    values, alpha = _split_deep(channels, grey=grey)
    return Samples(values=values, space=space, mode=space, alpha=alpha, bits=16)


def _split_deep(channels: NDArray[Any], *, grey: bool) -> tuple[Pixels, Pixels | None]:
    if channels.ndim == 2:
        return channels, None
    if channels.shape[2] == 4:
        return split_alpha(np.ascontiguousarray(channels[..., 2:] if grey else channels[..., [2, 1, 0, 3]]))
    return contiguous(channels[..., ::-1]), None


def _with_transparent_color(samples: Samples, found: png.Contents) -> Samples:
    mark = None if found.header.color_type == png.PALETTE else _transparency(found)
    noted = samples.noted(*_transparency_notes(found))
    if mark is None:
        return noted
    top = (1 << found.header.depth) - 1
    full = int(np.iinfo(samples.values.dtype).max)
    color = (np.frombuffer(mark, ">u2") & top).astype(np.uint32) * full // top
    matches = np.asarray(samples.values == color)
    hidden = matches if matches.ndim == 2 else matches.all(axis=-1)
    if not hidden.any():
        return noted
    opaque: Pixels = np.full_like(samples.values if samples.values.ndim == 2 else samples.values[..., 0], full)
    opaque[hidden] = 0
    return noted.with_alpha(opaque)


def _transparency(found: png.Contents) -> bytes | None:
    """The payload of tRNS if there is one that fits the colour type, and None otherwise."""
    try:
        return _required_transparency(found)
    except Damaged:
        return None


def _transparency_notes(found: png.Contents) -> tuple[str, ...]:
    try:
        _required_transparency(found)
    except Damaged as exc:
        return (f"the transparency (tRNS) was left out: {exc}",)
    return ()


def _required_transparency(found: png.Contents) -> bytes | None:
    """The payload of tRNS, None without one. Raises `Damaged` for one of the wrong length. Source: section 11.3.1."""
    payloads = found.payloads(b"tRNS")
    if not payloads:
        return None
    size, color_type = len(payloads[0]), found.header.color_type
    entries = len(found.payloads(b"PLTE")[0]) // 3 if color_type == png.PALETTE else 0
    allowed = {png.GREY: (2,), png.RGB: (6,), png.PALETTE: range(1, entries + 1)}.get(color_type, ())
    if size not in allowed:
        raise Damaged(f"it has {size} bytes, which do not fit colour type {color_type}")
    return bytes(payloads[0])
