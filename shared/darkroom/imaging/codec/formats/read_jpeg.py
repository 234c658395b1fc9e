"""Reads the pixels of a JPEG and finds out whether all of them are there.

libjpeg fills what is missing with grey and only warns. Pillow drops these warnings, so simplejpeg, another binding of
the same library, decodes the file a first time at an eighth of its size and turns the warnings into errors.
"""

import re
from io import BytesIO

import simplejpeg
from PIL import Image

from darkroom.imaging.codec.damage import Damaged, EndsEarly
from darkroom.imaging.codec.formats import jpeg
from darkroom.imaging.codec.limits import Limits, require_size
from darkroom.imaging.codec.samples import Samples, from_pillow

#: Reduction at which the picture is checked; the entropy coding is decoded in full.
_REDUCTION = 8
#: How libjpeg's warnings about pixel data begin (jerror.h); the others are harmless.
_DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG file", "Inconsistent progression")
_ENDS_EARLY = re.compile("premature end", re.IGNORECASE)
_STRAY_BYTES = re.compile(r"(\d+) extraneous bytes before marker")
#: Stray bytes that some cameras leave before a marker; more mean that the data before them were not understood.
_MAX_STRAY_BYTES = 64


def read_jpeg(data: bytes, limits: Limits) -> Samples:
    """The picture of a JPEG. Raises `EndsEarly` or `Damaged` if pixel data are missing or cannot be understood."""
    parsed = jpeg.parse(data)
    plain = jpeg.pixels_only(parsed)
    notes = () if parsed.closed else ("the JPEG has no end marker; its pixels are complete",)
    strays = require_pixels(plain)
    with Image.open(BytesIO(plain), formats=("JPEG",)) as image:
        require_size(image.width, image.height, limits)
        image.load()
        return from_pillow(image).noted(*notes, *strays)


def require_pixels(data: bytes) -> tuple[str, ...]:
    """Notes about harmless damage. Raises `Damaged` for any other."""
    try:
        simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, min_factor=_REDUCTION)
    except ValueError as exc:
        return _judged(str(exc))
    return ()


def _judged(warning: str) -> tuple[str, ...]:
    if not warning.startswith(_DAMAGE):
        return ()  # not about pixel data; whether the picture can be read is found by reading it
    if _ENDS_EARLY.search(warning):
        raise EndsEarly("its pixel data are incomplete")
    stray = _STRAY_BYTES.search(warning)
    if stray and int(stray[1]) <= _MAX_STRAY_BYTES:
        return (f"the JPEG has {stray[1]} stray bytes between its segments",)
    raise Damaged("its pixel data break off or contradict themselves")
