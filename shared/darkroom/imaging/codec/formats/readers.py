"""Selects the library that reads each format and works around its losses.

Pillow reads all formats but HEIC. Where it would reduce samples to 8 bits (PNG, AVIF and TIFF), OpenCV reads them.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from darkroom.imaging.codec.damage import Damaged, EndsEarly
from darkroom.imaging.codec.formats import bmp, gif, isobmff
from darkroom.imaging.codec.formats.code_points import code_point_notes
from darkroom.imaging.codec.formats.isobmff import Container
from darkroom.imaging.codec.formats.read_jpeg import read_jpeg
from darkroom.imaging.codec.formats.read_png import read_png
from darkroom.imaging.codec.formats.sniff import Format
from darkroom.imaging.codec.formats.tiff.read import read_tiff
from darkroom.imaging.codec.intermediate import decode_if_possible
from darkroom.imaging.codec.limits import Limits, require_size
from darkroom.imaging.codec.metadata import exif, metadata
from darkroom.imaging.codec.metadata.jpeg_metadata import from_jpeg
from darkroom.imaging.codec.metadata.metadata import Metadata
from darkroom.imaging.codec.metadata.png_metadata import from_png
from darkroom.imaging.codec.samples import Samples, Space, from_pillow, split_alpha, widen

_Reader = Callable[[bytes, Limits], Samples]


def read(data: bytes, name: Format, limits: Limits) -> Samples:
    """Decode the first picture completely. Raises what the libraries raise: call it inside `decode_errors.reading`."""
    reader = _READERS.get(name)
    return reader(data, limits) if reader else _pillow(data, name, limits)


def described(data: bytes, name: Format) -> Metadata:
    """The descriptions beside the pixels, without decoding them."""
    if name == "jpeg":
        return from_jpeg(data)
    if name == "png":
        return from_png(data)
    if name == "tiff":
        return metadata.from_tiff(data)
    if name == "heic":
        return metadata.from_info(_heif(data).info)
    with Image.open(BytesIO(data), formats=(name.upper(),)) as image:
        return metadata.from_info(image.info)


def _pillow(data: bytes, name: Format, limits: Limits) -> Samples:
    with Image.open(BytesIO(data), formats=(name.upper(),)) as image:
        require_size(image.width, image.height, limits)
        image.load()
        samples = from_pillow(image)
        return samples.counted(1 if name == "gif" else int(getattr(image, "n_frames", 1)))


def _gif(data: bytes, limits: Limits) -> Samples:
    samples = _pillow(data, "gif", limits).counted(gif.count_frames(data))
    frame = gif.first_frame(data)
    if frame is None or frame.covers(*samples.values.shape[:2]):
        return samples
    alpha = np.zeros(samples.values.shape[:2], np.uint8)
    inside = frame.rows, frame.columns
    alpha[inside] = 255 if samples.alpha is None else samples.alpha[inside]
    return samples.with_alpha(alpha)


def _webp(data: bytes, limits: Limits) -> Samples:
    """libwebp fills what is missing with grey and gives no error, so the container's own length is checked."""
    expected = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < expected:
        raise EndsEarly(f"end of file after {len(data)} of {expected} bytes")
    return _pillow(data, "webp", limits)


def _bmp(data: bytes, limits: Limits) -> Samples:
    samples = _pillow(data, "bmp", limits)
    if samples.alpha is None and bmp.alpha_mask(data) and data[28] == 16:
        return samples.noted("the transparency of a 16-bit BMP was left out")
    return samples


def _code_points(found: Container) -> tuple[str, ...]:
    """Notes about colours that are declared by code points and not by a profile."""
    colors = found.colors()
    declared = [each for each in colors if each[:4] == b"nclx" and len(each) >= 8]
    if not declared or any(each[:4] in (b"prof", b"rICC") for each in colors):
        return ()
    return code_point_notes(int.from_bytes(declared[0][4:6]), int.from_bytes(declared[0][6:8]))


def _unapplied_orientation(data: bytes, found: Container) -> tuple[str, ...]:
    """A note if EXIF has a rotation that the container lacks: only the container's counts in these formats."""
    block = found.exif(data)
    try:
        stated = exif.orientation(block) if block else None
    except (Damaged, struct.error):
        return ()
    if found.turned() or stated in (None, 1):
        return ()
    return (f"EXIF orientation {stated} was not applied: only the container's own rotation counts in this format",)


def _avif(data: bytes, limits: Limits) -> Samples:
    isobmff.require_whole(data)
    found = isobmff.container(data)
    samples = _pillow(data, "avif", limits).noted(*_code_points(found), *_unapplied_orientation(data, found))
    bits = _avif_bits(found)
    if bits == 8:
        return samples
    # OpenCV gives up at some EXIF and XMP items; Pillow reads every file with 8 bits.
    channels = decode_if_possible(isobmff.without_descriptions(data))
    if channels is None or channels.shape[:2] != samples.values.shape[:2]:
        return samples.noted(f"the {bits} bits of the AVIF were read as 8")
    return _deep_avif(samples, widen(channels, bits), bits)


def _deep_avif(samples: Samples, channels: NDArray[np.uint16], bits: int) -> Samples:
    if channels.ndim == 2:
        channels = np.dstack((channels, channels, channels))
    ordered = np.ascontiguousarray(channels[..., [2, 1, 0, 3][: channels.shape[2]]])
    values, alpha = split_alpha(ordered) if channels.shape[2] == 4 else (ordered, None)
    return replace(samples, values=values, space="rgb", alpha=alpha, bits=bits)


def _avif_bits(found: Container) -> int:
    """Bits per sample from the AV1 configuration (AV1 in ISOBMFF, section 2.3): two flags in its third byte."""
    configuration = found.property(b"av1C") or b"\0\0\0"
    if len(configuration) < 3 or not configuration[2] & 0x40:
        return 8
    return 12 if configuration[2] & 0x20 else 10


def _heic(data: bytes, limits: Limits) -> Samples:
    """libheif applies the container's own rotation and mirroring, which rule over EXIF in this format."""
    isobmff.require_whole(data)
    found = isobmff.container(data)
    opened = _heif(data)
    width, height = opened.size
    require_size(width, height, limits)
    bits = int(opened.info["bit_depth"])
    channels = np.asarray(opened)
    if channels.dtype == np.uint16:
        channels = widen(channels, bits)
    grey = channels.ndim == 2
    values, alpha = split_alpha(channels) if not grey and channels.shape[2] == 4 else (channels.copy(), None)
    space: Space = "grey" if grey else "rgb"
    samples = Samples(values=values, space=space, mode=space, alpha=alpha, bits=bits, upright=True)
    return samples.counted(len(opened)).noted(*_code_points(found), *_unapplied_orientation(data, found))


def _heif(data: bytes) -> Any:
    import pi_heif  # loads libheif: only a HEIC needs it

    return pi_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)


_READERS: Mapping[Format, _Reader] = MappingProxyType(
    {
        "jpeg": read_jpeg,
        "png": read_png,
        "gif": _gif,
        "webp": _webp,
        "bmp": _bmp,
        "tiff": read_tiff,
        "avif": _avif,
        "heic": _heic,
    }
)
