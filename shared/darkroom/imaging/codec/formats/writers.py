"""Writes prepared pixels in each format at a given quality."""

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from darkroom.imaging.codec.formats import png
from darkroom.imaging.codec.formats.compact_png import compact_png
from darkroom.imaging.codec.formats.write_tiff import tiff_bytes
from darkroom.imaging.codec.intermediate import png_bytes
from darkroom.imaging.codec.metadata.metadata import Metadata
from darkroom.imaging.codec.metadata.profile import srgb_bytes
from darkroom.imaging.picture import Pixels

__all__ = ["Prepared", "avif_bytes", "jpeg_bytes", "png_file", "tiff_bytes", "webp_bytes"]

#: Quantisation that rises slowly with frequency: 16 for the mean, 44 for the finest detail. The tables of ITU-T T.81
#: annex K, which most encoders scale, rise to 99 (chroma: 99 from the fourth frequency on) and so spend fewer bytes on
#: edges. At equal bytes these tables bring a fifth less colour error at edges; docs/formats.md has the figures.
_FREQUENCY = np.add.outer(np.arange(8), np.arange(8)).ravel()
_LUMA_TABLE = 16.0 + 2.0 * _FREQUENCY
_CHROMA_TABLE = 1.5 * _LUMA_TABLE
#: With halved chroma resolution each chroma sample stands for four pixels and deserves as fine a step as luma.
_HALVED_CHROMA_TABLE = _LUMA_TABLE

#: AV1's speed 8 takes a quarter of the time of libavif's usual 6 for 5 % more bytes.
_AVIF_SPEED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Pixels in the depth and channels that a format takes, with what goes beside them."""

    #: (H, W, 3) or (H, W, 4), RGB order.
    channels: Pixels
    metadata: Metadata


def jpeg_bytes(prepared: Prepared, quality: float, *, full_chroma: bool, compact: bool = True) -> bytes:
    """A JPEG; `quality` 1 to 100 scales the tables as IJG's formula does.

    Compact means progressive with optimised entropy coding: the same pixels in fewer bytes and five times the time.
    """
    chroma = _CHROMA_TABLE if full_chroma else _HALVED_CHROMA_TABLE
    options: dict[str, Any] = {
        "qtables": [_scaled(_LUMA_TABLE, quality), _scaled(chroma, quality)],
        "subsampling": "4:4:4" if full_chroma else "4:2:0",
        **_jpeg_descriptions(prepared.metadata),
    }
    image = Image.fromarray(prepared.channels)
    if not compact:
        return _saved(image, "JPEG", **options)
    try:
        return _saved(image, "JPEG", progressive=True, optimize=True, **options)
    except OSError:
        # Pillow gives libjpeg two bytes a pixel to optimise in; noise at the highest qualities needs more, and only
        # the plain mode can write it piece by piece.
        return _saved(image, "JPEG", **options)


def webp_bytes(prepared: Prepared, quality: int, *, lossless: bool) -> bytes:
    """WebP; lossless keeps colours below transparent pixels too."""
    mode = {"lossless": True, "quality": 75, "exact": True} if lossless else {"quality": quality}
    return _saved(Image.fromarray(prepared.channels), "WEBP", method=4, **mode, **_descriptions(prepared.metadata))


def avif_bytes(prepared: Prepared, quality: int) -> bytes:
    """AVIF without chroma subsampling, which costs 2 to 3 % of the bytes and keeps coloured edges."""
    options = {"subsampling": "4:4:4", "speed": _AVIF_SPEED, **_descriptions(prepared.metadata)}
    return _saved(Image.fromarray(prepared.channels), "AVIF", quality=quality, **options)


def png_file(prepared: Prepared) -> bytes:
    """PNG of 8 or 16 bits: bilevel, grey or with a palette where that holds the same pixels."""
    metadata = prepared.metadata
    small = compact_png(prepared.channels, may_be_grey=metadata.profile in (None, srgb_bytes()))
    # A grey PNG may not carry an RGB profile; the chunk sRGB says the same.
    chunks = [png.SRGB_CHUNK] if small is not None and small.grey and metadata.profile else []
    chunks += [png.profile_chunk(metadata.profile)] if metadata.profile and not chunks else []
    chunks += [png.density_chunk(metadata.dpi)] if metadata.dpi else []
    chunks += [(b"eXIf", metadata.exif)] if metadata.exif else []
    chunks += [png.xmp_chunk(metadata.xmp)] if metadata.xmp else []
    return png.with_chunks(png_bytes(prepared.channels, level=6) if small is None else small.data, chunks)


def _scaled(table: NDArray[np.float64], quality: float) -> list[int]:
    """IJG's scale: 50 leaves the table, 100 makes every step 1."""
    percent = 5000.0 / quality if quality < 50 else 200.0 - 2.0 * quality
    return [int(step) for step in np.clip(np.rint(table * percent / 100.0), 1, 255)]


def _descriptions(metadata: Metadata) -> dict[str, bytes]:
    found = {"exif": metadata.exif, "xmp": metadata.xmp, "icc_profile": metadata.profile}
    return {name: value for name, value in found.items() if value}


def _jpeg_descriptions(metadata: Metadata) -> dict[str, Any]:
    options: dict[str, Any] = dict(_descriptions(metadata))
    if metadata.exif:
        options["exif"] = b"Exif\0\0" + metadata.exif
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    if metadata.iptc:
        options["extra"] = _photoshop_segment(metadata.iptc)
    return options


def _photoshop_segment(iptc: bytes) -> bytes:
    """An APP13 segment with the IPTC records as Adobe's image resource 0x0404."""
    resource = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + bytes(len(iptc) % 2)
    return b"\xff\xed" + struct.pack(">H", len(resource) + 2) + resource


def _saved(image: Image.Image, name: str, **options: Any) -> bytes:
    sink = BytesIO()
    image.save(sink, name, **options)
    return sink.getvalue()
