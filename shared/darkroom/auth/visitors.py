"""Identifies visitors, who use the API without a key where that is allowed.

A signed cookie contains a random id, which is the owner of the visitor's jobs. Nothing else about a
visitor is stored.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from flask import Request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response

COOKIE = "user_id"
#: Seconds after which a cookie that was not renewed is forgotten.
MAX_AGE_S = 365 * 24 * 3600
#: Prefix of the owner of a visitor's jobs. No key can have it, because names of owners contain no colon.
PREFIX = "visitor:"
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitors:
    """Recognizes visitors by their cookies."""

    #: The key of the signatures, read on first use.
    key: Callable[[], str]

    def owner_of(self, request: Request) -> str | None:
        """The owner that the request's cookie names; None without a cookie, with an old one or a forged one."""
        try:
            found = self._serializer.loads(request.cookies.get(COOKIE, ""), max_age=MAX_AGE_S)
        except BadData:
            return None
        return f"{PREFIX}{found}" if isinstance(found, str) and _ID.fullmatch(found) else None

    def newcomer(self) -> tuple[str, str]:
        """A new owner, and the cookie's value that names it."""
        name = secrets.token_hex(16)
        return f"{PREFIX}{name}", str(self._serializer.dumps(name))

    @property
    def _serializer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.key(), salt="visitor")


def remember(response: Response, request: Request, value: str) -> None:
    """Set the visitor's cookie; scripts and pages of other sites cannot use it."""
    secure = is_https(request)
    response.set_cookie(COOKIE, value, max_age=MAX_AGE_S, httponly=True, samesite="Strict", secure=secure)


def is_https(request: Request) -> bool:
    """Whether the request uses https, directly or up to the front end that forwards it."""
    return request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"
