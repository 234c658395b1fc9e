"""Translates the exceptions that decoders raise on damaged bytes into `BadImage`."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
from PIL import Image
from PIL.ImageCms import PyCMSError

from darkroom.domain.errors import BadImage

#: What Pillow, OpenCV, libheif's binding and the parsers of this project raise on damaged bytes. Pillow's plug-ins
#: parse by indexing and unpacking, so lookup, arithmetic and type errors belong here. MemoryError does not: sizes are
#: checked before decoding, so running out of memory says something about the machine and not about the file.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
    cv2.error,
    PyCMSError,
    Image.DecompressionBombError,
)

#: Words by which the decoders say that the bytes end too early.
_ENDS_EARLY = (
    "truncated",
    "end of file",
    "incomplete",
    "unexpected eof",
    "did not contain enough",
    "requires a buffer of at least",
)

#: Words by which they say that a compressed text or profile unfolds to more than they accept.
_UNFOLDS = ("decompressed data too large", "too much memory used in text chunks")


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn any decoder's error inside the block into `BadImage`, with the decoder's own reason in the message."""
    try:
        yield
    except DECODER_ERRORS as exc:
        raise as_bad_image(exc, what) from exc


def as_bad_image(exc: BaseException, what: str) -> BadImage:
    """The `BadImage` for a decoder's error: code too_many_pixels, decompression_bomb, truncated or corrupt."""
    reason = " ".join(str(exc).split()) or type(exc).__name__
    if isinstance(exc, Image.DecompressionBombError):
        return BadImage(reason, code="too_many_pixels")
    if any(words in reason.lower() for words in _UNFOLDS):
        return BadImage(f"the {what} is a decompression bomb: {reason}", code="decompression_bomb")
    if isinstance(exc, EOFError) or any(words in reason.lower() for words in _ENDS_EARLY):
        return BadImage(f"the {what} ends too early: {reason}", code="truncated")
    return BadImage(f"the {what} is damaged: {reason}", code="corrupt")
