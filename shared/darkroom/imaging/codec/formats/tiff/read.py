"""Reads the photograph of a TIFF."""

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from darkroom.imaging.codec.formats.tiff import codecs, colors
from darkroom.imaging.codec.formats.tiff import layout as tiff
from darkroom.imaging.codec.formats.tiff.blocks import blocks
from darkroom.imaging.codec.formats.tiff.depth import Depth
from darkroom.imaging.codec.formats.tiff.layout import Layout, read_layout, unsupported
from darkroom.imaging.codec.formats.tiff.pages import Page, main_page
from darkroom.imaging.codec.intermediate import contiguous, visible_alpha
from darkroom.imaging.codec.limits import Limits, require_size
from darkroom.imaging.codec.metadata import ifd
from darkroom.imaging.codec.metadata.orientation import UPRIGHT, apply_orientation
from darkroom.imaging.codec.samples import Samples, Space, from_pillow, narrow
from darkroom.imaging.picture import Pixels

_WIDTH, _LENGTH, _COMPRESSION, _ORIENTATION = 256, 257, 259, 274
#: Old compressions that libtiff, inside Pillow, still decodes: old-style JPEG, CCITT with word alignment, ThunderScan.
_BY_PILLOW = frozenset({tiff.OLD_JPEG, 32771, 32809})
#: Meanings of extra samples: premultiplied alpha, alpha.
_PREMULTIPLIED, _STRAIGHT = 1, 2

_SPACES: dict[int, Space] = {
    tiff.WHITE_IS_ZERO: "grey",
    tiff.BLACK_IS_ZERO: "grey",
    tiff.MASK: "grey",
    tiff.CMYK: "cmyk",
    tiff.CIE_LAB: "lab",
    tiff.ICC_LAB: "lab",
}
_MODES = {
    tiff.RGB: "rgb",
    tiff.PALETTE: "palette",
    tiff.CMYK: "cmyk",
    tiff.YCBCR: "ycbcr",
    tiff.CIE_LAB: "lab",
    tiff.ICC_LAB: "lab",
}
#: Photometric interpretations whose numbers are not scaled: indices of a palette, and Lab with its signs.
_AS_STORED = frozenset({tiff.PALETTE, tiff.CIE_LAB, tiff.ICC_LAB})


def read_tiff(data: bytes, limits: Limits) -> Samples:
    """The photograph of a TIFF, see `pages.main_page`, with its orientation applied.

    Raises `BadImage` with the codes of `main_page`, `read_layout` and `blocks`, and not_finite for NaN and infinity.
    Costs the memory of the result, and that of one strip or tile.
    """
    page = main_page(data)
    require_size(page.tags.integer(_WIDTH), page.tags.integer(_LENGTH), limits)
    by_pillow = page.tags.integer(_COMPRESSION) in _BY_PILLOW
    samples = _by_pillow(data, page) if by_pillow else _upright(_samples(data, read_layout(page.tags)), page)
    return replace(samples.counted(page.pictures).noted(*page.notes), upright=True)


def _upright(samples: Samples, page: Page) -> Samples:
    turn = page.tags.integer(_ORIENTATION, UPRIGHT)
    alpha = None if samples.alpha is None else apply_orientation(samples.alpha, turn)
    return replace(samples, values=apply_orientation(samples.values, turn), alpha=alpha)


def _samples(data: bytes, layout: Layout) -> Samples:
    _require_storable(layout)
    alpha = _find_alpha(layout)
    depth = Depth(layout)
    channels = _gathered(data, layout, alpha, depth)
    _convert_in_place(channels, layout, premultiplied=alpha.premultiplied)
    values, color_notes = _values(channels, layout)
    return Samples(
        values=values,
        space=_SPACES.get(layout.photometric, "rgb"),
        mode=_mode(layout),
        alpha=None if alpha.index is None else _alpha_values(channels[..., -1], values, layout),
        bits=layout.bits,
        notes=(*depth.notes(), *alpha.notes, *color_notes),
    )


def _require_storable(layout: Layout) -> None:
    """Palettes have indices, and Lab is read with 8 and 16 bits."""
    lab = layout.photometric in (tiff.CIE_LAB, tiff.ICC_LAB)
    allowed = (8, 16) if lab else range(1, 17)
    if layout.photometric in _AS_STORED and (layout.bits not in allowed or layout.format == "float"):
        raise unsupported(f"{layout.bits}-bit {layout.format} samples of {'Lab' if lab else 'a palette'}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alpha:
    """Which of the channels is transparency."""

    #: None if there is none.
    index: int | None
    #: Whether the colours are multiplied by it.
    premultiplied: bool
    notes: tuple[str, ...]


def _find_alpha(layout: Layout) -> _Alpha:
    """The first extra channel that the file calls alpha. The format says of no other that it is transparency."""
    beside = layout.samples - layout.colors
    meanings = (*layout.extra, *[0] * beside)[:beside]
    found = next((index for index, meaning in enumerate(meanings) if meaning in (_PREMULTIPLIED, _STRAIGHT)), None)
    unused = beside - (found is not None)
    note = f"{unused} of {layout.samples} channels left out: the file does not say that they are colour or transparency"
    return _Alpha(
        index=None if found is None else layout.colors + found,
        premultiplied=found is not None and meanings[found] == _PREMULTIPLIED,
        notes=(note,) if unused else (),
    )


def _gathered(data: bytes, layout: Layout, alpha: _Alpha, depth: Depth) -> Pixels:
    """(H, W, colours and alpha) in the full range of 8 or 16 bits, or as stored where numbers are no amounts."""
    kept = [*range(layout.colors), *([] if alpha.index is None else [alpha.index])]
    gathered: Any = np.empty((layout.height, layout.width, len(kept)), depth.dtype)
    for block in blocks(data, layout, kept):
        height, width = block.samples.shape[:2]
        part = gathered[block.top : block.top + height, block.left : block.left + width]
        if layout.separate:
            channel = kept.index(block.plane)
            part, chosen = part[..., channel : channel + 1], block.samples
        else:
            chosen = block.samples if len(kept) == layout.samples else block.samples[..., kept]
        part[...] = chosen if layout.photometric in _AS_STORED else depth.convert(chosen, block.top)
    pixels: Pixels = gathered
    return pixels


def _convert_in_place(channels: Pixels, layout: Layout, *, premultiplied: bool) -> None:
    if layout.photometric == tiff.YCBCR and not layout.is_converted:
        colors.rgb_from_ycbcr(channels, layout)
    if layout.photometric in (tiff.CIE_LAB, tiff.ICC_LAB):
        colors.unify_lab(channels, layout)
    if premultiplied and layout.photometric not in _AS_STORED:
        colors.unpremultiply(channels)
    if layout.photometric == tiff.WHITE_IS_ZERO:
        np.subtract(np.iinfo(channels.dtype).max, channels[..., 0], out=channels[..., 0])


def _values(channels: Pixels, layout: Layout) -> tuple[Pixels, tuple[str, ...]]:
    """The colours as `Samples` has them, and a note where bits were lost."""
    if layout.photometric == tiff.PALETTE:
        return colors.palette_colors(channels[..., 0], layout), ()
    if layout.photometric == tiff.CMYK and channels.dtype != np.uint8:
        return narrow(channels[..., :4]), (f"{layout.bits}-bit CMYK samples were read with 8 bits",)
    return contiguous(channels[..., 0] if layout.colors == 1 else channels[..., : layout.colors]), ()


def _alpha_values(alpha: Pixels, values: Pixels, layout: Layout) -> Pixels | None:
    """The alpha channel in the depth of the colours; None if it is opaque everywhere."""
    if layout.photometric == tiff.PALETTE:
        alpha = Depth(layout).convert(alpha, 0)
    return visible_alpha(narrow(alpha) if values.dtype == np.uint8 else alpha)


def _mode(layout: Layout) -> str:
    if layout.colors == 1 and layout.photometric != tiff.PALETTE:
        return "bilevel" if layout.bits == 1 else "grey"
    return _MODES[layout.photometric]


def _by_pillow(data: bytes, page: Page) -> Samples:
    """The first picture, which Pillow turns upright."""
    compression = f"{codecs.name_of(page.tags.integer(_COMPRESSION))} compression"
    if page.offset != next(ifd.chain(data))[0]:
        raise unsupported(f"{compression} of a picture that is not the first")
    try:
        with Image.open(BytesIO(data), formats=("TIFF",)) as image:
            image.load()
            return from_pillow(image)
    except UnidentifiedImageError as exc:
        raise unsupported(compression) from exc
