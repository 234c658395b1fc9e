"""Creates, checks and revokes API keys.

An API key is 256 random bits, shown once at its creation. Only its SHA-256 is stored. A slow hash, which passwords
need, would add nothing: 256 random bits cannot be guessed. The record of each key is one object in a separate bucket.
Only the API reads that bucket, and only operators write it.

    dk_3f2a91c0b7d2_x7Qm…     "dk", the id of the key's record, the secret
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import Field, ValidationError

from darkroom.auth.roles import Role
from darkroom.domain.errors import KeyNotFound, ObjectNotFound, PermanentError
from darkroom.domain.messages import Record, describe
from darkroom.runtime.ports import Clock, NewObject, ObjectStore

#: How long one process believes what it has read of a key: a revoked key works this much longer at most.
MEMORY = timedelta(seconds=30)
#: Keys that one process remembers.
MAX_REMEMBERED = 1000

_TEXT = re.compile(r"dk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class ApiKey(Record):
    """A key as it is stored: everything but the secret."""

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    #: Owner of the jobs that the key can read and create.
    owner: str = Field(min_length=1, max_length=100)
    role: Role
    #: SHA-256 of the whole key, in hexadecimal digits.
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    key: ApiKey
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of one system."""

    objects: ObjectStore
    bucket: str
    clock: Clock
    _remembered: dict[str, _Remembered] = field(default_factory=dict)

    def create(self, owner: str, role: Role) -> tuple[ApiKey, str]:
        """A new key and its text, which cannot be recovered later. Raises PermanentError for an owner without name."""
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        text = f"dk_{key_id}_{secret}"
        try:
            key = ApiKey(id=key_id, owner=owner, role=role, sha256=_digest(text), created_at=self.clock.now())
        except ValidationError as exc:
            raise PermanentError(f"the key is not valid: {describe(exc)}", code="bad_key") from exc
        self.objects.create(self.bucket, _name(key_id), _content(key))
        return key, text

    def all(self) -> Iterator[ApiKey]:
        """Every key, revoked ones too."""
        for info in self.objects.list(self.bucket):
            yield ApiKey.model_validate_json(self.objects.read(info.ref))

    def any(self) -> bool:
        """Whether a key was ever created."""
        return next(self.objects.list(self.bucket), None) is not None

    def revoke(self, key_id: str) -> ApiKey:
        """The key, which opens nothing any more. Raises KeyNotFound. Revoking twice keeps the first date."""
        key = self._stored(key_id)
        if key.revoked_at is None:
            key = key.model_copy(update={"revoked_at": self.clock.now()})
            self.objects.put(self.bucket, _name(key_id), _content(key))
        self._remembered.pop(key_id, None)
        return key

    def find(self, text: str) -> ApiKey | None:
        """The key with this text, None if there is none or it was revoked."""
        found = _TEXT.fullmatch(text)
        if found is None:
            return None
        try:
            key = self._recent(found[1])
        except KeyNotFound:
            return None
        matches = hmac.compare_digest(key.sha256, _digest(text))
        return key if matches and key.revoked_at is None else None

    def _recent(self, key_id: str) -> ApiKey:
        now, known = self.clock.now(), self._remembered.get(key_id)
        if known is not None and known.until > now:
            return known.key
        key = self._stored(key_id)
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[key_id] = _Remembered(key=key, until=now + MEMORY)
        return key

    def _stored(self, key_id: str) -> ApiKey:
        try:
            return ApiKey.model_validate_json(self.objects.read_latest(self.bucket, _name(key_id)))
        except ObjectNotFound as exc:
            raise KeyNotFound(f"there is no key {key_id[:40]!r}") from exc


def _name(key_id: str) -> str:
    return f"{key_id}.json"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _content(key: ApiKey) -> NewObject:
    return NewObject(data=key.model_dump_json().encode(), content_type="application/json")
