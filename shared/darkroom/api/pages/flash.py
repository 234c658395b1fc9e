"""How is somebody told, on the next page, what became of what they sent?

By a cookie that the next page reads and takes away. It says nothing that its reader may not write as well, so it is not
signed; the page shows it as text.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal

from flask import Request
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.http import dump_cookie

from darkroom.auth.visitors import is_https

COOKIE = "flash"
#: Seconds for which a message waits for its page.
_MAX_AGE_S = 60
#: Characters of a message: a cookie has 4096 bytes, RFC 6265.
_MAX_TEXT = 500


class Flash(BaseModel):
    """What became of a request."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["success", "danger"]
    text: str

    def cookie(self, request: Request) -> str:
        """The header that keeps the message for the next page."""
        told = json.dumps({"kind": self.kind, "text": self.text[:_MAX_TEXT]})
        return _dump(urlsafe_b64encode(told.encode()).decode(), request, _MAX_AGE_S)


def flash_of(request: Request) -> Flash | None:
    """The message that waits for this page; None without one, or with one that is none."""
    try:
        return Flash.model_validate_json(urlsafe_b64decode(request.cookies.get(COOKIE, "")))
    except (ValueError, ValidationError):
        return None


def forget(request: Request) -> str:
    """The header that takes the message away."""
    return _dump("", request, 0)


def _dump(value: str, request: Request, max_age_s: int) -> str:
    return dump_cookie(
        COOKIE, value, max_age=max_age_s, httponly=True, samesite="Strict", secure=is_https(request), path="/"
    )
