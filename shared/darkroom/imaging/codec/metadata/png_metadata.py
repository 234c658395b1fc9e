"""Extracts the descriptions of a PNG.

A damaged description is left out with a note; it never costs the picture. Formats: Portable Network Graphics
Specification (Third Edition), W3C, 2025; the texts "Raw profile type ..." are a convention of ImageMagick and ExifTool.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from darkroom.imaging.codec.damage import Damaged
from darkroom.imaging.codec.formats import png
from darkroom.imaging.codec.formats.code_points import code_point_notes
from darkroom.imaging.codec.metadata import photoshop
from darkroom.imaging.codec.metadata.metadata import Metadata, aspect_note, exif_block, plausible_dpi

_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
#: The unit of a pHYs chunk.
_METRE = 1
_METRES_PER_INCH = 0.0254
_RAW_PROFILE = b"Raw profile type "
_JPEG_EXIF, _JPEG_XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
#: Number of text keywords that a note names, and the longest keyword. Source of the length: section 11.3.3.
_NAMED_KEYWORDS, _KEYWORD_BYTES = 5, 79
#: Chunks whose length is fixed. Source: section 11.3.
_LENGTHS = {b"sRGB": 1, b"gAMA": 4, b"cHRM": 32, b"pHYs": 9, b"cICP": 4, b"tIME": 7}


@dataclass(slots=True)
class _Found:
    """What was found so far; the first of each kind counts, and a chunk of its own counts before a text."""

    values: dict[str, Any] = field(default_factory=dict)
    from_texts: dict[str, Any] = field(default_factory=dict)
    keywords: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def from_png(data: bytes) -> Metadata:
    """From the chunks of a PNG, wherever in the file they stand."""
    contents, found = png.contents(data), _Found(notes=[])
    for name, payload in contents.chunks:
        try:
            _require_length(name, payload)
            _read(name, payload, found)
        except Damaged as exc:
            found.notes.append(f"the chunk {name.decode('latin-1')!r} is damaged and was left out: {exc}")
    values = found.from_texts | found.values
    notes = (*contents.notes, *found.notes, *_text_notes(found.keywords), *_color_notes(contents, values))
    return Metadata(**values, notes=tuple(dict.fromkeys(notes)))


def _require_length(name: bytes, payload: memoryview) -> None:
    expected = _LENGTHS.get(name, len(payload))
    if len(payload) != expected:
        raise Damaged(f"it has {len(payload)} bytes instead of {expected}")


def _read(name: bytes, payload: memoryview, found: _Found) -> None:
    if name in _TEXTS:
        _read_text(*png.read_text(name, payload), found)
    elif name in _READERS:
        for key, value in _READERS[name](payload, found):
            if value:
                found.values.setdefault(key, value)


def _exif(payload: memoryview, found: _Found) -> Iterator[tuple[str, Any]]:  # noqa: ARG001 - one signature
    yield "exif", exif_block(bytes(payload))


def _profile(payload: memoryview, found: _Found) -> Iterator[tuple[str, Any]]:  # noqa: ARG001 - one signature
    yield "profile", png.read_profile(payload)


def _density(payload: memoryview, found: _Found) -> Iterator[tuple[str, Any]]:
    across, down, unit = struct.unpack(">IIB", payload)
    if unit == _METRE:
        yield "dpi", plausible_dpi((across * _METRES_PER_INCH, down * _METRES_PER_INCH))
    else:
        found.notes.extend(aspect_note(down, across))


_READERS: dict[bytes, Callable[[memoryview, _Found], Iterator[tuple[str, Any]]]] = {
    b"eXIf": _exif,
    b"iCCP": _profile,
    b"pHYs": _density,
}


def _read_text(keyword: bytes, text: bytes, found: _Found) -> None:
    if keyword == png.XMP_KEYWORD:
        found.values.setdefault("xmp", text)
    elif keyword.startswith(_RAW_PROFILE):
        kind = keyword.removeprefix(_RAW_PROFILE).decode("latin-1").lower()
        for key, value in _from_raw_profile(kind, _raw_profile(text)):
            found.from_texts.setdefault(key, value)
    else:
        found.keywords.append(_shown(keyword))


def _raw_profile(text: bytes) -> bytes:
    """The bytes of a raw profile: name, length and hexadecimal digits, separated by white space."""
    words = text.split(None, 2)
    try:
        block = bytes.fromhex("".join(words[2].decode("ascii").split()))
        complete = len(block) == int(words[1])
    except (ValueError, IndexError) as exc:
        raise Damaged("the raw profile is not a length and hexadecimal digits") from exc
    if not complete:
        raise Damaged(f"the raw profile has {len(block)} bytes instead of {int(words[1])}")
    return block


def _from_raw_profile(kind: str, block: bytes) -> Iterator[tuple[str, bytes]]:
    if block.startswith(_JPEG_XMP):
        yield "xmp", block.removeprefix(_JPEG_XMP)
    elif kind in ("exif", "app1") and (exif := exif_block(block)):
        yield "exif", exif
    elif kind == "xmp":
        yield "xmp", block
    elif kind in ("iptc", "8bim") and (records := photoshop.iptc(block)):
        yield "iptc", records
    elif kind in ("icc", "icm"):
        yield "profile", block


def _shown(keyword: bytes) -> str:
    text = keyword[:_KEYWORD_BYTES].decode("latin-1")
    return "".join(letter if letter.isprintable() else "?" for letter in text) or "without a keyword"


def _text_notes(keywords: list[str]) -> tuple[str, ...]:
    named = list(dict.fromkeys(keywords))
    if not named:
        return ()
    more = f" and {len(named) - _NAMED_KEYWORDS} more" if len(named) > _NAMED_KEYWORDS else ""
    return (f"the PNG's texts were left out: {', '.join(named[:_NAMED_KEYWORDS])}{more}",)


def _color_notes(contents: png.Contents, values: dict[str, Any]) -> tuple[str, ...]:
    points = [bytes(payload) for payload in contents.payloads(b"cICP") if len(payload) == _LENGTHS[b"cICP"]]
    return code_point_notes(points[0][0], points[0][1]) if points and "profile" not in values else ()
