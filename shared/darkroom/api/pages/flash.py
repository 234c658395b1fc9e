"""Messages about the result of a form, shown on the next page.

A cookie holds the message until the next page reads and deletes it. The cookie is not signed: a visitor can only change
the text of its own page, which is escaped.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal

from flask import Request
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.http import dump_cookie

from darkroom.auth.visitors import is_https

#: Name of the cookie.
COOKIE = "flash"
#: Lifetime of a message, in seconds.
_MAX_AGE_S = 60
#: Longest message in characters: a cookie has at most 4096 bytes (RFC 6265).
_MAX_TEXT = 500


class Flash(BaseModel):
    """The result of a form."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["success", "danger"]
    text: str

    def cookie(self, request: Request) -> str:
        """The header that keeps the message for the next page."""
        value = json.dumps({"kind": self.kind, "text": self.text[:_MAX_TEXT]})
        return _dump(urlsafe_b64encode(value.encode()).decode(), request, _MAX_AGE_S)


def flash_of(request: Request) -> Flash | None:
    """The message for this page; None without a message, or with an invalid one."""
    try:
        return Flash.model_validate_json(urlsafe_b64decode(request.cookies.get(COOKIE, "")))
    except (ValueError, ValidationError):
        return None


def forget(request: Request) -> str:
    """The header that deletes the message."""
    return _dump("", request, 0)


def _dump(value: str, request: Request, max_age_s: int) -> str:
    return dump_cookie(
        COOKIE, value, max_age=max_age_s, httponly=True, samesite="Strict", secure=is_https(request), path="/"
    )
