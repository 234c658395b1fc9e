"""Defines decoded samples before colour conversion and orientation."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from darkroom.imaging.codec.intermediate import contiguous, visible_alpha
from darkroom.imaging.picture import Pixels

Space = Literal["grey", "rgb", "cmyk", "lab"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Decoded samples in the file's own colour space and orientation."""

    #: (H, W) for grey, (H, W, 3) for rgb and lab, (H, W, 4) for cmyk; uint8 or uint16, full range; a and b of lab are
    #: signed (two's complement).
    values: Pixels
    space: Space
    #: Colour mode of the file: bilevel, grey, palette, rgb, cmyk, ycbcr or lab.
    mode: str
    #: (H, W), dtype of `values`; None means opaque.
    alpha: Pixels | None = None
    #: Bits per sample in the file.
    bits: int = 8
    #: Number of pictures in the file; the first one is read.
    frames: int = 1
    #: Whether the reader has applied the orientation already (TIFF, HEIC).
    upright: bool = False
    #: Messages for the user: what was lost or assumed.
    notes: tuple[str, ...] = ()

    def counted(self, frames: int) -> "Samples":
        """The same samples out of a file with `frames` pictures."""
        return replace(self, frames=frames)

    def noted(self, *notes: str) -> "Samples":
        """The same samples with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def with_alpha(self, alpha: Pixels) -> "Samples":
        """The same samples with an alpha channel."""
        return replace(self, alpha=alpha)


_MODES = {"1": "bilevel", "L": "grey", "LA": "grey", "La": "grey", "P": "palette", "PA": "palette", "CMYK": "cmyk"}
_OTHER_MODES = {"YCbCr": "ycbcr", "LAB": "lab", "I;16": "grey", "I;16B": "grey", "I": "grey", "F": "grey"}


def from_pillow(image: Image.Image) -> Samples:
    """8-bit samples of a loaded Pillow image of any mode, its transparency as an alpha channel."""
    mode = {**_MODES, **_OTHER_MODES}.get(image.mode, "rgb")
    if image.mode in ("CMYK", "LAB"):
        return Samples(values=np.asarray(image), space="cmyk" if mode == "cmyk" else "lab", mode=mode)
    grey = image.mode in ("1", "L", "LA", "La")
    space: Space = "grey" if grey else "rgb"
    bits = 1 if image.mode == "1" else 8
    if not image.has_transparency_data:
        plain = image.convert("L" if grey else "RGB")
        return Samples(values=np.asarray(plain), space=space, mode=mode, bits=bits)
    values, alpha = split_alpha(np.asarray(image.convert("LA" if grey else "RGBA")))
    return Samples(values=values, space=space, mode=mode, alpha=alpha, bits=bits)


def split_alpha(channels: Pixels) -> tuple[Pixels, Pixels | None]:
    """(H, W, 2) into grey and alpha, (H, W, 4) into RGB and alpha; an opaque alpha becomes None."""
    colors = channels[..., 0] if channels.shape[2] == 2 else channels[..., :3]
    return contiguous(colors), visible_alpha(channels[..., -1])


def widen(values: NDArray[Any], bits: int) -> NDArray[np.uint16]:
    """Unsigned integers of `bits` bits (9 to 32) to the full range of uint16, rounded to the nearest."""
    if bits == 16:
        return values.astype(np.uint16, copy=False)
    if bits > 16:
        return (values >> (bits - 16)).astype(np.uint16)
    top = (1 << bits) - 1
    table = (np.arange(1 << 16, dtype=np.uint32).clip(0, top) * 65535 + top // 2) // top
    wide: NDArray[np.uint16] = table.astype(np.uint16)[values]
    return wide


def narrow(values: Pixels) -> NDArray[np.uint8]:
    """uint16 to uint8, rounded to the nearest; uint8 as it is."""
    if values.dtype == np.uint8:
        return values.astype(np.uint8, copy=False)
    table = ((np.arange(1 << 16, dtype=np.uint32) + 128) // 257).astype(np.uint8)
    narrowed: NDArray[np.uint8] = table[values]
    return narrowed


def join_notes(*groups: Iterable[str]) -> tuple[str, ...]:
    """All notes in order, each once."""
    return tuple(dict.fromkeys(note for group in groups for note in group))
