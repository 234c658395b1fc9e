"""Detects the content type of an uploaded file.

The first bytes decide, because extensions are unreliable. The name decides only where the bytes do not.
"""

import mimetypes
import re

#: Bytes that are enough for every pattern below.
HEAD_BYTES = 32
DEFAULT = "application/octet-stream"

_PATTERNS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "image/tiff"),
    (re.compile(rb"BM....\0\0\0\0", re.DOTALL), "image/bmp"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "image/avif"),
    (re.compile(rb"....ftyp(hei[cxms]|hev[cxms])", re.DOTALL), "image/heic"),
    (re.compile(rb"....ftyp(mif1|msf1)", re.DOTALL), "image/heif"),
    (re.compile(rb"%PDF-"), "application/pdf"),
)


def content_type_of(head: bytes, name: str) -> str:
    """The content type of a file with the first bytes `head` and the name `name`."""
    for pattern, content_type in _PATTERNS:
        if pattern.match(head):
            return content_type
    return mimetypes.guess_type(name)[0] or DEFAULT
