"""Identifies the caller of the API.

An API key names its owner and role. Where visitors are allowed, a caller without a key is a visitor, known by a cookie.
On one machine where no key was ever created and no visitors are allowed, the caller is the local user. The address of
the request, its `Host` and its `Origin` must then be local: a page of another origin can make a browser on this
computer send requests, and an attacker can make a host name resolve to this computer. Both are refused.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Literal

from flask import Request

from darkroom.auth.google_sign_in import TOKEN, GoogleSignIn
from darkroom.auth.keys import Keys
from darkroom.auth.roles import Role
from darkroom.auth.visitors import PREFIX, Visitors
from darkroom.domain.errors import BatchNotFound, JobNotFound
from darkroom.domain.http_errors import CrossOrigin, Forbidden, NotAuthenticated
from darkroom.domain.job import Job
from darkroom.domain.products.batches import Batch
from darkroom.runtime.settings import Settings

#: The roles that a route can require; each role includes those before it.
Access = Literal["anyone", "submitter", "reviewer", "admin"]
_RANKS: dict[Access, int] = {"anyone": 0, "submitter": 1, "reviewer": 2, "admin": 3}

_LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")
_LOOPBACK_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")
_BEARER = re.compile(r"Bearer +(\S+) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The caller of a request."""

    #: Owner of the jobs; empty for the local user of a machine without keys.
    owner: str
    role: Role
    #: Under what the rate is counted beside the address; empty without key.
    key_id: str = ""
    #: The value of the cookie by which a new visitor will be known again; empty for everybody else.
    cookie: str = ""

    @property
    def sees_all(self) -> bool:
        return self.role != "submitter"

    @property
    def is_visitor(self) -> bool:
        """Whether the caller has no key."""
        return self.owner.startswith(PREFIX)

    def limit(self, settings: Settings) -> int:
        """Photographs that the caller may keep at the same time; 0 for any number."""
        if self.is_visitor:
            return settings.visitor_limit
        return 0 if self.sees_all else settings.owner_limit

    def may(self, access: Access) -> bool:
        """Whether the role is enough."""
        return _RANKS[self.role] >= _RANKS[access]

    def require_read(self, job: Job) -> None:
        """Raises JobNotFound for the jobs of other owners, so that the existence of an id stays secret."""
        if not self.sees_all and job.owner != self.owner:
            raise JobNotFound(f"there is no job {job.id}")

    def require_read_batch(self, batch: Batch) -> None:
        """Raises BatchNotFound for other people's imports and batches."""
        if not self.sees_all and batch.owner != self.owner:
            raise BatchNotFound(f"there is no batch {batch.id}")

    def require_write_batch(self, batch: Batch) -> None:
        """Raises Forbidden if the batch may be read but has another owner, BatchNotFound if it may not be read."""
        self.require_read_batch(batch)
        if self.role != "admin" and batch.owner != self.owner:
            raise Forbidden(f"batch {batch.id} belongs to another owner; only its owner and admins may change it")

    def require_write(self, job: Job) -> None:
        """Raises Forbidden if the job may be read but has another owner, JobNotFound if it may not be read."""
        self.require_read(job)
        if self.role != "admin" and job.owner != self.owner:
            raise Forbidden(f"job {job.id} belongs to another owner; only its owner and admins may change it")


ANONYMOUS = Principal(owner="", role="submitter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """Lets callers in."""

    keys: Keys
    #: Whether this is the local backend, where no key is needed if none exists and visitors are not allowed.
    is_local: bool
    #: Origins whose pages may call the API.
    origins: Collection[str]
    #: Lets people without a key in as visitors; None where everybody needs one.
    visitors: Visitors | None = None
    #: Lets accounts of Google in; None where there are none.
    google: GoogleSignIn | None = None

    @property
    def is_open(self) -> bool:
        """Whether requests from this computer need no key."""
        return self.is_local and self.visitors is None and not self.keys.any()

    def caller(self, request: Request, access: Access) -> Principal:
        """The caller. Raises NotAuthenticated, Forbidden or CrossOrigin."""
        if access == "anyone":
            return ANONYMOUS
        text = key_text(request)
        caller = self._by_key(text) if text else self._by_place(request)
        if not caller.may(access):
            raise Forbidden(
                f"this needs the role {access}, the key has the role {caller.role}", value=caller.role, limit=access
            )
        return caller

    def _by_key(self, text: str) -> Principal:
        if self.google is not None and TOKEN.fullmatch(text):
            address, role = self.google.account(text)
            return Principal(owner=address, role=role, key_id=address)
        key = self.keys.find(text)
        if key is None:
            raise NotAuthenticated("the API key is unknown or was revoked")
        return Principal(owner=key.owner, role=key.role, key_id=key.id)

    def _by_place(self, request: Request) -> Principal:
        if not self.is_open:
            if self.visitors is not None:
                return self._visitor(self.visitors, request)
            raise NotAuthenticated("an API key is needed: `Authorization: Bearer dk_…`")
        if request.remote_addr not in _LOOPBACK_ADDRESSES or "X-Forwarded-For" in request.headers:
            raise NotAuthenticated(
                "without API keys only this computer may call the API; `darkroom keys create` creates a key"
            )
        self._require_own_page(request)
        return Principal(owner="", role="admin")

    def _visitor(self, visitors: Visitors, request: Request) -> Principal:
        origin, own = request.headers.get("Origin"), {f"{way}://{request.host}" for way in ("http", "https")}
        if origin is not None and origin not in own | set(self.origins):
            # Browsers do not send the cookie from other sites. Without a cookie no photograph is stored.
            raise CrossOrigin(f"pages of {origin[:80]!r} need a key", value=origin[:80])
        owner, cookie = visitors.owner_of(request), ""
        if owner is None:
            owner, cookie = visitors.newcomer()
        return Principal(owner=owner, role="submitter", key_id=owner if not cookie else "", cookie=cookie)

    def _require_own_page(self, request: Request) -> None:
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        if not _LOOPBACK_HOST.fullmatch(host):
            raise CrossOrigin(f"host {host[:80]!r} is not this computer's", value=host[:80])
        if origin is not None and origin not in (f"http://{host}", *self.origins):
            raise CrossOrigin(f"pages of {origin[:80]!r} need a key", value=origin[:80])


def key_text(request: Request) -> str:
    """The API key that a request carries, empty if it carries none."""
    found = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    return found[1] if found else request.headers.get("X-Api-Key", "")


def address(request: Request, *, is_local: bool) -> str:
    """The address of the client; Google's front end appends it to the addresses that the client claims."""
    claimed = request.headers.get("X-Forwarded-For", "")
    if is_local or not claimed:
        return rate_limit_key(request.remote_addr or "unknown")
    return rate_limit_key(claimed.rpartition(",")[2].strip())


def rate_limit_key(text: str) -> str:
    """An address as it is counted: of version 6 every connection has 2**64, which count as one (RFC 6177)."""
    try:
        found = ip_address(text)
    except ValueError:
        return text
    is_one = isinstance(found, IPv4Address) or found.ipv4_mapped is not None
    return text if is_one else str(IPv6Network((int(found) >> 64 << 64, 64)))
