"""Translates the errors that decoders raise on damaged bytes into `BadImage`.

The user reads the texts of this project's own parsers (`Damaged`). The text of a library never reaches the user: it may
name an object's address or an internal function. It stays in the log as the cause.
"""

import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
from PIL import Image
from PIL.ImageCms import PyCMSError

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec.damage import Damaged, EndsEarly

#: What Pillow, OpenCV, libheif's binding and the parsers of this project raise on damaged bytes. Pillow's plug-ins
#: parse by indexing and unpacking, so lookup, arithmetic and type errors belong here. MemoryError does not: sizes are
#: checked before decoding, so a lack of memory is a fault of the machine and not of the file.
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

#: Words in the texts of libraries for bytes that end too early.
_ENDS_EARLY = (
    "truncated",
    "end of file",
    "incomplete",
    "unexpected eof",
    "did not contain enough",
    "requires a buffer of at least",
    "premature end",
)

#: Words in the texts of libraries for a compressed text or profile that unfolds to more than they accept.
_UNFOLDS = ("decompressed data too large", "too much memory used in text chunks")


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn any decoder's error inside the block into `BadImage`, and keep the libraries' warnings from stderr."""
    silence_libraries()
    try:
        yield
    except DECODER_ERRORS as exc:
        raise as_bad_image(exc, what) from exc


def silence_libraries() -> None:
    """Stop the warnings that OpenCV and Pillow print for damaged files: the notes and errors here replace them."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"PIL\.")


def as_bad_image(exc: BaseException, what: str) -> BadImage:
    """The `BadImage` for a decoder's error: code too_many_pixels, decompression_bomb, truncated or corrupt."""
    if isinstance(exc, Damaged):
        return _own(exc, what)
    text = str(exc).lower()
    if isinstance(exc, Image.DecompressionBombError):
        return BadImage(f"the {what} has more pixels than a decoder accepts", code="too_many_pixels")
    if any(words in text for words in _UNFOLDS):
        message = f"the {what} is a decompression bomb: a compressed description is too large when unpacked"
        return BadImage(message, code="decompression_bomb")
    if isinstance(exc, EOFError) or any(words in text for words in _ENDS_EARLY):
        return BadImage(f"the {what} ends too early: its data are incomplete", code="truncated")
    return BadImage(f"the {what} is damaged: no decoder can read it", code="corrupt")


def reason(exc: BaseException) -> str:
    """Why something cannot be read, for a note: the text of this project's own parsers, or a general one."""
    return str(exc) if isinstance(exc, Damaged) else "it cannot be parsed"


def _own(exc: Damaged, what: str) -> BadImage:
    if isinstance(exc, EndsEarly):
        return BadImage(f"the {what} ends too early: {exc}", code="truncated")
    return BadImage(f"the {what} is damaged: {exc}", code="corrupt")
