"""Describes the bytes of an upload anew, without decoding and encoding its pixels."""

import re
import struct

from darkroom.imaging.codec.decode import Decoded
from darkroom.imaging.codec.formats import png
from darkroom.imaging.codec.metadata import exif
from darkroom.imaging.codec.metadata.metadata import Metadata
from darkroom.imaging.codec.metadata.orientation import UPRIGHT
from darkroom.imaging.codec.metadata.output_metadata import MetadataPolicy, Result, carry

#: Markers of JPEG, ITU-T T.81 table B.1: start of image, start of scan, comment.
_SOI, _SOS, _COM = 0xD8, 0xDA, 0xFE
#: Application segments whose contents the decoder needs: JFIF and Adobe's colour transform.
_NEEDED = frozenset({0xE0, 0xEE})
#: A marker of an application segment or a comment behind the first scan. In the data of a scan 0xFF is followed by 0 or
#: by a restart marker, so that nothing else matches.
_LATE = re.compile(rb"\xff[\xe0-\xef\xfe]")
#: Chunks of a PNG that hold pixels.
_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


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
    chunks = [png.chunk(each.name, each.payload) for each in png.chunks(data) if each.name in _PIXEL_CHUNKS]
    added = [png.chunk(b"eXIf", allowed.exif)] if allowed.exif else []
    added += [png.chunk(*png.xmp_chunk(allowed.xmp))] if allowed.xmp else []
    return b"".join((png.SIGNATURE, chunks[0], *added, *chunks[1:]))


def _jpeg(data: bytes, allowed: Metadata) -> bytes | None:
    head, at = [data[:2]], 2
    while data[at + 1] != _SOS:
        length = struct.unpack_from(">H", data, at + 2)[0]
        marker = data[at + 1]
        if not (0xE0 <= marker <= 0xEF or marker == _COM) or marker in _NEEDED:
            head.append(data[at : at + 2 + length])
        at += 2 + length
        if data[at] != 0xFF or at + 4 > len(data):
            return None  # padding between segments is legal and rare
    if _LATE.search(data, at + 2) or not data.endswith(b"\xff\xd9"):
        return None
    added = [_segment(b"Exif\0\0" + allowed.exif)] if allowed.exif else []
    added += [_segment(b"http://ns.adobe.com/xap/1.0/\0" + allowed.xmp)] if allowed.xmp else []
    jfif = 2 if len(head) > 1 and head[1][1] == 0xE0 else 1
    return b"".join((*head[:jfif], *added, *head[jfif:], data[at:]))


def _segment(payload: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload
