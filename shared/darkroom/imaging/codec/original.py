"""Describes the bytes of an upload anew, without decoding and encoding its pixels."""

import struct

from darkroom.imaging.codec.decode import Decoded
from darkroom.imaging.codec.formats import jpeg, png
from darkroom.imaging.codec.metadata import exif
from darkroom.imaging.codec.metadata.metadata import Metadata
from darkroom.imaging.codec.metadata.orientation import UPRIGHT
from darkroom.imaging.codec.metadata.output_metadata import MetadataPolicy, Result, carry

#: Application segments whose contents the decoder needs: JFIF and Adobe's colour transform.
_NEEDED = frozenset({jpeg.APP0, jpeg.APP14})


def described_original(data: bytes, source: Decoded, policy: MetadataPolicy) -> bytes | None:
    """The file with the metadata that `policy` allows, and with its pixels bit for bit; None if that cannot be done.

    `keep` returns the file itself. Otherwise all descriptions are removed from a JPEG or a PNG, known and unknown ones,
    and those that may stay are written anew. Other formats are returned only if they hold no description. A turned
    picture needs its EXIF, so nothing can be removed from it.
    """
    if policy == "keep":
        return data
    about = source.metadata
    if not (about.exif or about.xmp or about.iptc) and source.format not in ("jpeg", "png"):
        return data
    if source.format not in ("jpeg", "png") or _is_turned(about):
        return None
    size = Result(width=source.picture.width, height=source.picture.height, format=source.format)
    allowed = carry(about, policy, size).metadata
    return _jpeg(data, allowed) if source.format == "jpeg" else _png(data, allowed)


def _is_turned(about: Metadata) -> bool:
    try:
        return about.exif is not None and (exif.orientation(about.exif) or UPRIGHT) != UPRIGHT
    except (ValueError, struct.error):
        return True


def _png(data: bytes, allowed: Metadata) -> bytes:
    added = [(b"eXIf", allowed.exif)] if allowed.exif else []
    added += [png.xmp_chunk(allowed.xmp)] if allowed.xmp else []
    return png.with_chunks(png.pixels_only(png.contents(data), transparency=True), added)


def _jpeg(data: bytes, allowed: Metadata) -> bytes | None:
    parsed = jpeg.parse(data)
    if not parsed.closed:
        return None
    kept = [each for each in parsed.segments if each.marker not in jpeg.DESCRIPTIVE or each.marker in _NEEDED]
    described = [b"Exif\0\0" + allowed.exif] if allowed.exif else []
    described += [b"http://ns.adobe.com/xap/1.0/\0" + allowed.xmp] if allowed.xmp else []
    added = [jpeg.Segment(marker=jpeg.APP1, payload=payload) for payload in described]
    first = int(kept[0].marker == jpeg.APP0)  # JFIF stays in front
    return b"".join((jpeg.SOI, *(each.encoded for each in (*kept[:first], *added, *kept[first:])), jpeg.EOI))
