"""Selects the library that reads each format and works around its losses.

Pillow reads all formats but HEIC. Where it would reduce samples to 8 bits (PNG, AVIF and TIFF), OpenCV reads them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec.formats import gif, png
from darkroom.imaging.codec.formats.sniff import Format
from darkroom.imaging.codec.formats.tiff.read import read_tiff
from darkroom.imaging.codec.intermediate import decode_unchanged
from darkroom.imaging.codec.limits import Limits, require_size
from darkroom.imaging.codec.metadata import metadata
from darkroom.imaging.codec.metadata.metadata import Metadata
from darkroom.imaging.codec.samples import Samples, Space, from_pillow, split_alpha, widen
from darkroom.imaging.picture import Pixels

_Reader = Callable[[bytes, Limits], Samples]

_PNG_DEPTH_AT, _PNG_COLOR_AT = 24, 25
#: Progressive files have about ten scans. Thousands of empty ones fit into a small file and take minutes to decode.
_START_OF_SCAN, _MAX_SCANS = b"\xff\xda", 200

_PNG_GREY, _PNG_GREY_ALPHA = 0, 4

#: Code points of BT.709, which sRGB shares, of "unspecified", and of the standard definition systems close to it.
_SRGB_LIKE_PRIMARIES = frozenset({1, 2, 5, 6})
#: PQ and HLG, which need tone mapping.
_HDR_TRANSFERS = frozenset({16, 18})


def read(data: bytes, name: Format, limits: Limits) -> Samples:
    """Decode the first picture completely. Raises what the libraries raise: call it inside `faults.reading`."""
    reader = _READERS.get(name)
    return reader(data, limits) if reader else _pillow(data, name, limits)


def described(data: bytes, name: Format) -> Metadata:
    """What the file says besides the pixels, without decoding them."""
    if name == "png":
        return metadata.from_png(data)
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


def _jpeg(data: bytes, limits: Limits) -> Samples:
    scans = data.count(_START_OF_SCAN)
    if scans > _MAX_SCANS:
        message = (
            f"the JPEG file has {scans} scans, each of which is a pass over the whole picture; at most {_MAX_SCANS}"
        )
        raise BadImage(message, code="decompression_bomb")
    return _pillow(data, "jpeg", limits)


def _png(data: bytes, limits: Limits) -> Samples:
    for _ in png.chunks(data):
        pass  # every checksum is verified, and the file is known to be whole, before a pixel is decoded
    return _deep_png(data) if data[_PNG_DEPTH_AT] == 16 else _pillow(data, "png", limits)


def _deep_png(data: bytes) -> Samples:
    channels = decode_unchanged(data)
    space: Space = "grey" if data[_PNG_COLOR_AT] in (_PNG_GREY, _PNG_GREY_ALPHA) else "rgb"
    values, alpha = _split_deep(data, channels, grey=space == "grey")
    frames = sum(name == b"fcTL" for name, _ in png.chunks(data)) or 1
    return Samples(values=values, space=space, mode=space, alpha=alpha, bits=16, frames=frames)


def _split_deep(data: bytes, channels: NDArray[np.uint16], *, grey: bool) -> tuple[Pixels, Pixels | None]:
    """libpng turns a transparent colour into an alpha channel, but a transparent grey it leaves to us."""
    if channels.ndim == 2:
        marks = [int.from_bytes(payload[:2]) for name, payload in png.chunks(data) if name == b"tRNS"]
        alpha = np.where(channels == marks[0], np.uint16(0), np.uint16(65535)) if marks else None
        return channels, alpha
    if channels.shape[2] == 4:
        return split_alpha(np.ascontiguousarray(channels[..., 2:] if grey else channels[..., [2, 1, 0, 3]]))
    return np.ascontiguousarray(channels[..., ::-1]), None


def _gif(data: bytes, limits: Limits) -> Samples:
    return _pillow(data, "gif", limits).counted(gif.count_frames(data))


def _webp(data: bytes, limits: Limits) -> Samples:
    """libwebp fills what is missing with grey and says nothing, so the container's own length is checked."""
    expected = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < expected:
        raise EOFError(f"end of file after {len(data)} of {expected} bytes")
    return _pillow(data, "webp", limits)


def _code_point_notes(data: bytes) -> tuple[str, ...]:
    """Colours may be declared by code points (ITU-T H.273) in place of a profile; others than sRGB's are noted."""
    at = data.find(b"colrnclx") + 8
    if at < 8 or at + 4 > len(data) or b"colrprof" in data or b"colrrICC" in data:
        return ()
    primaries, transfer = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])
    if primaries in _SRGB_LIKE_PRIMARIES and transfer not in _HDR_TRANSFERS:
        return ()
    return (f"the colours are declared as primaries {primaries} and transfer {transfer}: they were taken as sRGB",)


def _avif(data: bytes, limits: Limits) -> Samples:
    samples = _pillow(data, "avif", limits).noted(*_code_point_notes(data))
    bits = _avif_bits(data)
    if bits == 8:
        return samples
    channels = widen(decode_unchanged(data), bits)
    if channels.ndim == 2:
        channels = np.dstack((channels, channels, channels))
    ordered = np.ascontiguousarray(channels[..., [2, 1, 0, 3][: channels.shape[2]]])
    values, alpha = split_alpha(ordered) if channels.shape[2] == 4 else (ordered, None)
    return replace(samples, values=values, space="rgb", alpha=alpha, bits=bits)


def _avif_bits(data: bytes) -> int:
    """Bits per sample from the AV1 configuration (AV1 in ISOBMFF, section 2.3): two flags in its third byte."""
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 7 else 0
    if not flags & 0x40:
        return 8
    return 12 if flags & 0x20 else 10


def _heic(data: bytes, limits: Limits) -> Samples:
    """libheif applies the container's own rotation and mirroring, which rule over EXIF in this format."""
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
    return samples.counted(len(opened)).noted(*_code_point_notes(data))


def _heif(data: bytes) -> Any:
    import pi_heif  # loads libheif: only a HEIC needs it

    return pi_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)


_READERS: Mapping[Format, _Reader] = MappingProxyType(
    {"jpeg": _jpeg, "png": _png, "gif": _gif, "webp": _webp, "tiff": read_tiff, "avif": _avif, "heic": _heic}
)
