"""Updates an XMP packet for a changed picture and removes GPS coordinates.

Properties are edited as text, as attribute (`exif:Foo="1"`) or element (`<exif:Foo>1</exif:Foo>`): parsing and writing
XML anew would rename prefixes and drop the packet's wrapper, and XML parsers can be attacked by expanding entities.
Every pattern begins at a character that cannot repeat within it, so that the time grows with the length and no faster.
"""

import re

from darkroom.imaging.codec.damage import Damaged
from darkroom.imaging.codec.metadata import xmp_claims

#: Properties whose local name begins with GPS, under whatever prefix: EXIF's own and those of drones and phones.
_GPS = r"[\w.-]+:[Gg][Pp][Ss][\w.-]*"
#: Small copies of the old picture.
_THUMBNAILS = r"[\w.-]+:Thumbnails"

_ORIENTATION = re.compile(r"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\s*["'<]""")
_GPS_LEFT = re.compile(rf"(?<![\w.-]){_GPS}\s*[=>/]")


def orientation(xmp: bytes) -> int | None:
    """The value of tiff:Orientation, or None if it is absent or no orientation."""
    found = _ORIENTATION.search(xmp.decode("utf-8", errors="replace"))
    return int(found[1]) if found else None


def announces_data(xmp: bytes) -> bool:
    """Whether a property announces data outside the packet: a video, a gain map, a depth map, extended XMP."""
    text = xmp.decode("utf-8", errors="replace")
    return re.search(rf"(?<![\w.-]){xmp_claims.pattern(text)}\s*[=>/\s]", text) is not None


def cleaned(xmp: bytes, *, width: int, height: int, keep_gps: bool) -> bytes:
    """The packet for a picture that is upright and `width` by `height`, without thumbnails and without
    properties that announce data outside the packet, with places on request.

    Raises ValueError if the packet is not UTF-8 or if a property cannot be taken out.
    """
    text = _without(_THUMBNAILS, _decoded(xmp))
    text = _without(xmp_claims.pattern(text), text)
    if not keep_gps:
        text = _without(_GPS, text)
        if left := _GPS_LEFT.search(text):
            raise Damaged(f"the property {left[0]!r} cannot be removed")
    for name, value in (
        ("tiff:Orientation", 1),
        ("tiff:ImageWidth", width),
        ("tiff:ImageLength", height),
        ("exif:PixelXDimension", width),
        ("exif:PixelYDimension", height),
    ):
        text = _with_value(name, value, text)
    return text.encode("utf-8")


def _decoded(xmp: bytes) -> str:
    try:
        return xmp.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise Damaged("it is not UTF-8") from exc


def _without(name: str, text: str) -> str:
    text = re.sub(rf"""(?<=\s){name}\s*=\s*("[^"]*"|'[^']*')\s*""", "", text)
    return _without_elements(re.compile(rf"<({name})(\s[^<>]*|/)?>"), text)


def _without_elements(opening: re.Pattern[str], text: str) -> str:
    kept, at = [], 0
    while found := opening.search(text, at):
        kept.append(text[at : found.start()])
        at = found.end() if found[0].endswith("/>") else _end(found[1], text, found.end())
    return "".join((*kept, text[at:]))


def _end(name: str, text: str, start: int) -> int:
    """Where the element that begins before `start` is over; one without an end would hide what follows."""
    closing = f"</{name}>"
    at = text.find(closing, start)
    if at < 0:
        raise Damaged(f"the property {name} cannot be removed: it has no end")
    return at + len(closing)


def _with_value(name: str, value: int, text: str) -> str:
    text = re.sub(rf"""({name}\s*=\s*)("[^"]*"|'[^']*')""", rf'\g<1>"{value}"', text)
    return re.sub(rf"(<{name}\s*>)[^<]*(</{name}\s*>)", rf"\g<1>{value}\g<2>", text)
