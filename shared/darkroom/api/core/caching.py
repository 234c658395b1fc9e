"""Versions of responses, which clients compare before they load a response again (RFC 9110, RFC 9111)."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from flask import Request
from werkzeug.http import is_resource_modified, quote_etag

#: Cache-Control of a response whose URL names its version: a client keeps it for a year without another request.
PERMANENT = "private, max-age=31536000, immutable"
#: Cache-Control of every other response with a version: a client asks each time whether it has changed.
REVALIDATED = "private, no-cache"
#: Hexadecimal digits of a tag: 96 bits.
_TAG_DIGITS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """What a client compares to find out whether a response has changed."""

    #: Identifies the content; see `tag_of`.
    tag: str
    #: Weak: the same document, but perhaps other bytes, because it may be compressed.
    is_weak: bool = False
    modified_at: datetime | None = None
    #: The URL names this version, so its content never changes.
    is_permanent: bool = False

    @property
    def etag(self) -> str:
        """The value of the header ETag."""
        return quote_etag(self.tag, weak=self.is_weak)

    @property
    def cache_control(self) -> str:
        """The value of the header Cache-Control."""
        return PERMANENT if self.is_permanent else REVALIDATED

    def is_known_to(self, request: Request) -> bool:
        """Whether the client has this version, so that the content is not needed."""
        return not is_resource_modified(request.environ, self.etag, None, self.modified_at)


def tag_of(*parts: object) -> str:
    """The tag of a content that these values determine."""
    return _digest("\n".join(str(part) for part in parts).encode(errors="replace"))


def document_validator(data: bytes) -> Validator:
    """The version of a document, by its bytes."""
    return Validator(tag=_digest(data), is_weak=True)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_TAG_DIGITS]
