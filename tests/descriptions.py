"""EXIF, XMP and IPTC as cameras and editors write them, put together by hand."""

import struct
from collections.abc import Sequence
from io import BytesIO

from PIL import Image


def thumbnail_jpeg() -> bytes:
    """The small copy of the old picture that EXIF carries."""
    sink = BytesIO()
    Image.linear_gradient("L").resize((16, 12)).save(sink, "JPEG")
    return sink.getvalue()


def camera_exif(orientation: int = 1, *, gps: bool = True, thumbnail: bool = True) -> bytes:
    """An EXIF block as a camera writes it: maker, date, exposure, maker note, place, thumbnail. Little endian."""
    main: list[tuple[int, int, bytes]] = [
        (0x010F, 2, b"Acme\0"),
        (0x0110, 2, b"Model 1\0"),
        (0x0112, 3, struct.pack("<H", orientation)),
        (0x0131, 2, b"Camera firmware 1.0\0"),
        (0x0132, 2, b"2019:05:04 10:20:30\0"),
        (0x8298, 2, b"Somebody\0"),
    ]
    details: list[tuple[int, int, bytes]] = [
        (0x829A, 5, struct.pack("<II", 1, 250)),
        (0x9003, 2, b"2019:05:04 10:20:30\0"),
        (0x927C, 7, bytes(range(64))),
        (0xA001, 3, struct.pack("<H", 0xFFFF)),
        (0xA002, 4, struct.pack("<I", 4000)),
        (0xA003, 4, struct.pack("<I", 3000)),
    ]
    place: list[tuple[int, int, bytes]] = [
        (0x0000, 1, b"\x02\x03\0\0"),
        (0x0001, 2, b"N\0"),
        (0x0002, 5, struct.pack("<6I", 47, 1, 22, 1, 999, 100)),
        (0x0003, 2, b"E\0"),
        (0x0004, 5, struct.pack("<6I", 8, 1, 32, 1, 555, 100)),
    ]
    return _exif_block(main, details, place if gps else [], thumbnail_jpeg() if thumbnail else b"")


_EXIF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}


def _exif_block(
    main: list[tuple[int, int, bytes]],
    details: list[tuple[int, int, bytes]],
    place: list[tuple[int, int, bytes]],
    thumbnail: bytes,
) -> bytes:
    # Offsets depend on lengths, and lengths do not depend on offsets: a first pass with zeros gives them.
    pointers = [(0x8769, 4, bytes(4))] + ([(0x8825, 4, bytes(4))] if place else [])
    details_at = 8 + len(_directory(main + pointers, 8, 0))
    place_at = details_at + len(_directory(details, details_at, 0))
    next_at = place_at + (len(_directory(place, place_at, 0)) if place else 0)
    pointers = [(0x8769, 4, struct.pack("<I", details_at))] + (
        [(0x8825, 4, struct.pack("<I", place_at))] if place else []
    )
    first = _directory(main + pointers, 8, next_at if thumbnail else 0)
    block = b"II*\0" + struct.pack("<I", 8) + first + _directory(details, details_at, 0)
    block += _directory(place, place_at, 0) if place else b""
    if not thumbnail:
        return block
    small = [(0x0103, 3, struct.pack("<H", 6)), (0x0201, 4, bytes(4)), (0x0202, 4, struct.pack("<I", len(thumbnail)))]
    at = next_at + len(_directory(small, next_at, 0))
    small[1] = (0x0201, 4, struct.pack("<I", at))
    return block + _directory(small, next_at, 0) + thumbnail


def _directory(entries: Sequence[tuple[int, int, bytes]], at: int, following: int) -> bytes:
    values_at, values = at + 2 + 12 * len(entries) + 4, b""
    table = struct.pack("<H", len(entries))
    for tag, kind, value in sorted(entries):
        count = len(value) // _EXIF_SIZES[kind]
        inline = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", values_at + len(values))
        values += value + bytes(len(value) % 2) if len(value) > 4 else b""
        table += struct.pack("<HHI", tag, kind, count) + inline
    return table + struct.pack("<I", following) + values


def xmp_packet(orientation: int = 1, *, gps: bool = True) -> bytes:
    """An XMP packet with a title, an orientation, and a place in both of XMP's notations."""
    place = 'exif:GPSLatitude="47,22.999N" drone-dji:GpsLongitude="+8.54"' if gps else ""
    element = "<exif:GPSAltitude>408/1</exif:GPSAltitude>" if gps else ""
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/"
 tiff:Orientation="{orientation}" {place} exif:PixelXDimension="4000">
{element}<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Harbour</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()


def iptc_records() -> bytes:
    """IPTC-IIM records: a caption and a keyword."""
    return b"".join(
        b"\x1c\x02" + struct.pack(">BH", number, len(text)) + text
        for number, text in ((120, b"A harbour"), (25, b"sea"))
    )
