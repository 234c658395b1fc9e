"""Detects the format of a file from its first bytes; the file's name is ignored."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from darkroom.domain.errors import BadImage

Format = Literal["jpeg", "png", "webp", "tiff", "bmp", "gif", "avif", "heic"]

#: Display names of the formats.
LABELS: Mapping[str, str] = MappingProxyType(
    {
        "jpeg": "JPEG",
        "png": "PNG",
        "webp": "WebP",
        "tiff": "TIFF",
        "bmp": "BMP",
        "gif": "GIF",
        "avif": "AVIF",
        "heic": "HEIC",
    }
)

#: Every format that `decode` accepts.
ACCEPTED: tuple[Format, ...] = get_args(Format)

_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
)

#: Brands of ISO base media files (ISO/IEC 23008-12 for HEIC, AV1 Image File Format for AVIF).
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})

#: Unsupported kinds of files that the error message names.
_KNOWN: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x01\x00", "a Windows icon"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML document"),
    (b"<!DOCTYPE html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"FUJIFILM", "a camera's raw file"),
    (b"\x1aE\xdf\xa3", "a Matroska video"),
)

_SHOWN_BYTES = 16


def sniff(data: bytes) -> Format:
    """The format by the file's first bytes alone.

    Raises `BadImage` with the code `unsupported_format` that says what the bytes look like and what is accepted.
    """
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return _unless_raw(data, name)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if _is_bmp(data):
        return "bmp"
    return _by_brand(data) or _refuse(_describe(data))


def _is_bmp(data: bytes) -> bool:
    """Two letters are too little: the size of the header that follows must be one that exists."""
    return data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124)


def _by_brand(data: bytes) -> Format | None:
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), 4096)
    brands = {data[at : at + 4] for at in (8, *range(16, end, 4))}
    if brands & _AVIF_BRANDS:
        return "avif"
    return "heic" if brands & _HEIC_BRANDS else None


def _unless_raw(data: bytes, name: Format) -> Format:
    """The format, unless it is Canon's CR2 (a TIFF that begins with a preview) or Apple's own kind of PNG."""
    if name == "png" and data[12:16] == b"CgBI":
        _refuse("a PNG of Apple's own kind (CgBI)")
    if name == "tiff" and data[8:10] == b"CR":
        _refuse("a camera's raw file (CR2)")
    return name


def _refuse(what: str) -> Format:
    message = f"the file is {what}; accepted are {', '.join(LABELS[name] for name in ACCEPTED)}"
    raise BadImage(message, code="unsupported_format")


def _describe(data: bytes) -> str:
    for magic, name in _KNOWN:
        if data.startswith(magic):
            return name
    if data[4:8] == b"ftyp":
        return f"a video or an unknown container with the brand {data[8:12].decode('latin-1')!r}"
    if _is_text(data[:256]):
        return f"text (it begins with {data[:_SHOWN_BYTES].decode(errors='ignore').strip()!r})"
    return f"of an unknown kind (its first bytes are {data[:_SHOWN_BYTES].hex(' ')})"


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\r\n\t" for character in text)
