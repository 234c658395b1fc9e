"""Who asks, and what may they do?

With an API key: whom the key names. Without any key ever created, on a laptop: whoever sits at it, which the request's
address, its `Host` and its `Origin` must show. A page of another origin can make a browser on this computer ask, and a
name that an attacker controls can be made to point here; neither gets through.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from flask import Request

from shared.api.refusals import CrossOrigin, Forbidden, NotAuthenticated
from shared.errors import JobNotFound
from shared.job import Job
from shared.keys import Keys, Role

#: Who may use a route; each role may do what those before it may.
Access = Literal["anyone", "submitter", "reviewer", "admin"]
_RANKS: dict[Access, int] = {"anyone": 0, "submitter": 1, "reviewer": 2, "admin": 3}

_LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")
_LOOPBACK_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")
_BEARER = re.compile(r"Bearer +(\S+) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who asks."""

    #: Whose jobs; empty for whoever sits at a laptop without keys.
    owner: str
    role: Role
    #: Under what the rate is counted beside the address; empty without key.
    key_id: str = ""

    @property
    def sees_all(self) -> bool:
        return self.role != "submitter"

    def may(self, access: Access) -> bool:
        """Whether the role is enough."""
        return _RANKS[self.role] >= _RANKS[access]

    def require_sight(self, job: Job) -> None:
        """Raises JobNotFound for other people's jobs: nobody learns that an id exists."""
        if not self.sees_all and job.owner != self.owner:
            raise JobNotFound(f"there is no job {job.id}")

    def require_own(self, job: Job) -> None:
        """Raises Forbidden if the job may be seen but belongs to somebody else, JobNotFound if it may not be seen."""
        self.require_sight(job)
        if self.role != "admin" and job.owner != self.owner:
            raise Forbidden(f"job {job.id} belongs to somebody else; only its owner and admins may change it")


NOBODY = Caller(owner="", role="submitter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Lets callers in."""

    keys: Keys
    #: Whether this is the local backend, where nobody needs a key as long as there is none.
    is_local: bool
    #: Origins whose pages may ask.
    origins: Collection[str]

    @property
    def is_open(self) -> bool:
        """Whether requests from this computer need no key."""
        return self.is_local and not self.keys.any()

    def caller(self, request: Request, access: Access) -> Caller:
        """Who asks. Raises NotAuthenticated, Forbidden or CrossOrigin."""
        if access == "anyone":
            return NOBODY
        text = key_text(request)
        caller = self._by_key(text) if text else self._by_place(request)
        if not caller.may(access):
            raise Forbidden(f"this needs the role {access}, the key has the role {caller.role}")
        return caller

    def _by_key(self, text: str) -> Caller:
        key = self.keys.find(text)
        if key is None:
            raise NotAuthenticated("the API key is unknown or was revoked")
        return Caller(owner=key.owner, role=key.role, key_id=key.id)

    def _by_place(self, request: Request) -> Caller:
        if not self.is_open:
            raise NotAuthenticated("an API key is needed: `Authorization: Bearer dk_…`")
        if request.remote_addr not in _LOOPBACK_ADDRESSES or "X-Forwarded-For" in request.headers:
            raise NotAuthenticated(
                "without API keys only this computer itself may ask; `darkroom keys create` makes one"
            )
        self._require_own_page(request)
        return Caller(owner="", role="admin")

    def _require_own_page(self, request: Request) -> None:
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        if not _LOOPBACK_HOST.fullmatch(host):
            raise CrossOrigin(f"host {host[:80]!r} is not this computer's", value=host[:80])
        if origin is not None and origin not in (f"http://{host}", *self.origins):
            raise CrossOrigin(f"pages of {origin[:80]!r} may not ask without a key", value=origin[:80])


def key_text(request: Request) -> str:
    """The API key that a request carries, empty if it carries none."""
    found = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    return found[1] if found else request.headers.get("X-Api-Key", "")


def address(request: Request, *, is_local: bool) -> str:
    """Where a request comes from; Google's front end appends the address that it saw to what the client claims."""
    claimed = request.headers.get("X-Forwarded-For", "")
    if is_local or not claimed:
        return request.remote_addr or "unknown"
    return claimed.rpartition(",")[2].strip()
