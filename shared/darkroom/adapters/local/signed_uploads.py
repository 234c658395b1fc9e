"""Uploads under a signature on a laptop: the API itself receives what Cloud Storage would.

The protocol is that of a signed URL of Cloud Storage, whole or resumable, so that one client serves both:
https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from itsdangerous import BadData, URLSafeSerializer

from darkroom.domain.errors import BadMessage, ObjectNotFound, TransientError
from darkroom.runtime.ports import Clock, NewObject, ObjectInfo, ObjectStore, Piece, SignedUpload, UploadGrant

#: Where the API listens for what was signed.
PATH = "/v1/uploads"
_PIECE_BYTES = 1024 * 1024
#: Seconds after which the parts of an interrupted upload are deleted.
_FORGOTTEN_S = 7 * 24 * 3600
_SESSION = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSignedUploads:
    """Signs uploads and receives them."""

    home: Path
    objects: ObjectStore
    clock: Clock
    #: The key of the signatures, read on first use.
    key: Callable[[], str]

    def sign(self, grant: UploadGrant) -> SignedUpload:
        payload = {**asdict(grant), "expires_at": grant.expires_at.isoformat()}
        url = f"{PATH}/{self._serializer.dumps(payload)}"
        sent = {"Content-Type": grant.content_type}
        if grant.resumable:
            return SignedUpload(method="POST", url=url, headers={**sent, "x-goog-resumable": "start"})
        return SignedUpload(method="PUT", url=url, headers=sent)

    def grant(self, token: str) -> UploadGrant:
        missing = ObjectNotFound("there is no upload under this signature, or it has expired")
        try:
            payload = self._serializer.loads(token)
        except BadData as exc:
            raise missing from exc
        grant = UploadGrant(**{**payload, "expires_at": datetime.fromisoformat(payload["expires_at"])})
        if grant.expires_at <= self.clock.now():
            raise missing
        return grant

    def begin(self) -> str:
        self._forget_old()
        session = secrets.token_hex(16)
        self._part(session).touch(mode=0o600)
        return session

    def add(self, session: str, piece: Piece, stream: IO[bytes], grant: UploadGrant) -> int:
        path = self._part(session)
        if not path.exists():
            raise ObjectNotFound(f"there is no upload {session[:40]!r}")
        here = path.stat().st_size
        if piece.is_question:
            return here
        if piece.first > here:
            raise BadMessage(f"the part starts at byte {piece.first}, but only {here} bytes were received")
        with path.open("ab") as file:
            skip = here - piece.first
            for chunk in _chunks(stream):
                fresh, skip = chunk[skip:], max(0, skip - len(chunk))
                if file.tell() + len(fresh) > grant.max_bytes:
                    raise BadMessage(f"the upload exceeds {grant.max_bytes} bytes", code="too_many_bytes")
                file.write(fresh)
            return file.tell()

    def complete(self, session: str, grant: UploadGrant) -> ObjectInfo:
        path = self._part(session)
        new = NewObject(data=path.read_bytes(), content_type=grant.content_type, metadata=grant.metadata)
        info = self.objects.create(grant.bucket, grant.name, new)
        path.unlink(missing_ok=True)
        return info

    @property
    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(self.key(), salt="upload", serializer=json)

    def _part(self, session: str) -> Path:
        if not _SESSION.fullmatch(session):
            raise ObjectNotFound(f"there is no upload {session[:40]!r}")
        folder = self.home / "unfinished"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / session

    def _forget_old(self) -> None:
        for path in (self.home / "unfinished").glob("*"):
            if time.time() - path.stat().st_mtime > _FORGOTTEN_S:
                path.unlink(missing_ok=True)


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    try:
        while chunk := stream.read(_PIECE_BYTES):
            yield chunk
    except OSError as exc:
        raise TransientError(f"the upload broke off: {exc}") from exc
