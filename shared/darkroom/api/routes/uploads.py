"""How does a photograph that is too large for a request become a job?

The client asks for a signed upload and sends the photograph straight into the uploads bucket, whole or in pieces;
the upload's event makes the job, which carries the label `upload`. On a laptop the API takes the bucket's place.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, cast
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from darkroom.api.core.places import place_kept
from darkroom.api.core.reading import MAX_BODY_BYTES
from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.submissions import Labels, asked_pipeline
from darkroom.api.routes.create_job import FOLDER, metadata_of
from darkroom.api.routes.jobs import MAX_NAME
from darkroom.domain.errors import BadMessage
from darkroom.domain.http_errors import Invalid, NoSuchPath, TooLarge
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.quota import Reservation
from darkroom.handlers.uploads import UPLOAD_LABEL
from darkroom.runtime.ports import Piece, UploadGrant, UploadReceiver

#: How long a signature is good for.
LIFETIME = timedelta(hours=1)
#: How long for an upload that comes in pieces; Cloud Storage keeps one for a week.
RESUMABLE_LIFETIME = timedelta(days=7)
_RANGE = re.compile(r"bytes (?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15}|\*)")


class UploadWishes(BaseModel):
    """A photograph that is to be uploaded and to become a job."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    pipeline: str | dict[str, JsonValue] | None = Field(
        None, description="a preset's name, or a pipeline as JSON, see /v1/presets and /v1/stages; `auto` if absent"
    )
    labels: Labels = Field({}, description="texts by name, by which jobs can be listed")
    display_name: str | None = Field(
        None, min_length=1, max_length=MAX_NAME, description="what people call it; the file's name if absent"
    )
    name: str = Field("", max_length=200, description="the file's name; what people call the job")
    content_type: str = Field(
        "application/octet-stream", pattern=r"^[\w.+-]{1,60}/[\w.+-]{1,60}$", description="what the client will send"
    )
    size_bytes: int | None = Field(None, ge=1, description="size of the file; refused at once if it is too large")
    resumable: bool = Field(False, description="send it in pieces, and go on after an interruption")

    def asked(self) -> Pipeline:
        """The pipeline. Raises BadPipeline."""
        return asked_pipeline(self.pipeline)


class UploadView(BaseModel):
    """The request to send."""

    id: str = Field(description="stands on the job as the label `upload`")
    method: Literal["PUT", "POST"]
    url: str = Field(description="where to; on a laptop a path of this API")
    headers: Mapping[str, str] = Field(description="to be sent exactly so")
    object: str = Field(description="name of the object that it becomes in the uploads bucket")
    expires_at: datetime
    max_bytes: int
    job: str = Field(description="where the job appears when the photograph is there")


def sign(call: RequestContext) -> ApiResponse:
    """Sign an upload."""
    wishes: UploadWishes = call.body
    limit = call.parts.system.settings.max_bytes
    if wishes.size_bytes is not None and wishes.size_bytes > limit:
        raise TooLarge(f"{wishes.size_bytes} bytes exceed {limit}", value=wishes.size_bytes, limit=limit)
    upload = secrets.token_hex(16)
    grant = _grant(call, wishes, upload)
    place = Reservation(object=grant.name, expires_at=_last_moment(grant), signed=True)
    with place_kept(call, place):
        signed = call.parts.uploads.sign(grant)
    view = UploadView(
        id=upload,
        method=cast(Literal["PUT", "POST"], signed.method),
        url=signed.url,
        headers=signed.headers,
        object=grant.name,
        expires_at=grant.expires_at,
        max_bytes=limit,
        job=f"/v1/jobs?{urlencode({'label': f'upload={upload}'})}",
    )
    return ApiResponse(content=view, status=201)


def _last_moment(grant: UploadGrant) -> datetime:
    """When the last byte can arrive: an upload in pieces may begin at the end of the signature and go on for a week."""
    return grant.expires_at + (RESUMABLE_LIFETIME if grant.resumable else timedelta())


def _grant(call: RequestContext, wishes: UploadWishes, upload: str) -> UploadGrant:
    settings = call.parts.system.settings
    metadata = {**metadata_of(call, wishes, wishes.name), UPLOAD_LABEL: upload}
    if bad := [name for name, value in metadata.items() if not value.isascii()]:
        # Signed headers travel as they stand, and HTTP has no other letters.
        raise Invalid(f"{', '.join(bad)}: only ASCII can be signed; rename or label the job afterwards")
    return UploadGrant(
        bucket=settings.uploads_bucket,
        name=f"{FOLDER}/{upload}",
        content_type=wishes.content_type,
        metadata=metadata,
        max_bytes=settings.max_bytes,
        expires_at=call.parts.now() + (RESUMABLE_LIFETIME if wishes.resumable else LIFETIME),
        resumable=wishes.resumable,
    )


class SessionQuery(BaseModel):
    """Which upload in pieces."""

    model_config = ConfigDict(extra="forbid")

    upload_id: str | None = Field(None, max_length=100, description="of the Location that began it")


class Received(BaseModel):
    """A photograph that has arrived, or how much of it."""

    name: str
    size_bytes: int


def begin(call: RequestContext) -> ApiResponse:
    """Begin an upload in pieces."""
    receiver = _receiver(call)
    grant = receiver.grant(call.path["token"])
    if not grant.resumable:
        raise Invalid("this signature is for one PUT; ask for a resumable upload")
    session = receiver.begin()
    location = f"{call.request.host_url.rstrip('/')}{call.request.path}?{urlencode({'upload_id': session})}"
    return ApiResponse(content=Received(name=grant.name, size_bytes=0), status=201, headers={"Location": location})


def receive(call: RequestContext) -> ApiResponse:
    """Take a photograph, or a piece of one."""
    receiver, query = _receiver(call), cast(SessionQuery, call.query)
    grant = receiver.grant(call.path["token"])
    if grant.resumable != (query.upload_id is not None):
        raise Invalid("a resumable upload needs the upload_id of its Location, and any other has none")
    session = query.upload_id or receiver.begin()
    piece = read_range(call.request.headers.get("Content-Range", ""))
    try:
        here = receiver.add(session, piece, call.request.stream, grant)
    except BadMessage as exc:
        if exc.code == "too_many_bytes":
            raise TooLarge(str(exc), limit=grant.max_bytes) from exc
        raise
    known = call.request.headers.get("Content-Range", "")
    if known and here != piece.total:
        told = {"Range": f"bytes=0-{here - 1}"} if here else {}
        return ApiResponse(content=Received(name=grant.name, size_bytes=here), status=308, headers=told)
    info = receiver.complete(session, grant)
    return ApiResponse(content=Received(name=info.ref.name, size_bytes=info.size_bytes))


def read_range(text: str) -> Piece:
    """A Content-Range header; without one the piece is the whole. Raises BadMessage.

    >>> read_range("bytes 0-99/200")
    Piece(first=0, total=200, is_question=False)
    >>> read_range("bytes */200").is_question
    True
    """
    if not text:
        return Piece(first=0, total=None)
    found = _RANGE.fullmatch(text)
    if found is None:
        raise BadMessage(f"Content-Range is {text[:80]!r}, expected `bytes FIRST-LAST/TOTAL` or `bytes */TOTAL`")
    first, _last, total = found.groups()
    return Piece(first=int(first or 0), total=None if total == "*" else int(total), is_question=first is None)


def _receiver(call: RequestContext) -> UploadReceiver:
    if not isinstance(call.parts.uploads, UploadReceiver):
        raise NoSuchPath("uploads go to the bucket itself; ask /v1/uploads for a signature")
    return call.parts.uploads


_PATH = "/v1/uploads/{token}"
ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/uploads",
        name="sign_upload",
        summary=f"Sign an upload, for photographs above {MAX_BODY_BYTES // 1024 // 1024} MiB",
        access="submitter",
        handler=sign,
        outcomes=(ResponseSpec(what="the request to send", status=201, model=UploadView),),
        body=UploadWishes,
    ),
    Route(
        method="POST",
        path=_PATH,
        name="begin_upload",
        summary="Begin an upload in pieces, on a laptop",
        access="anyone",
        handler=begin,
        outcomes=(ResponseSpec(what="begun; the pieces go to the Location", status=201, model=Received),),
        problems=(404,),
        headers={"x-goog-resumable": "`start`"},
    ),
    Route(
        method="PUT",
        path=_PATH,
        name="receive_upload",
        summary="Send the photograph of a signed upload, on a laptop",
        access="anyone",
        handler=receive,
        outcomes=(
            ResponseSpec(what="it is in the bucket", model=Received),
            ResponseSpec(what="more is to come", status=308, model=Received),
        ),
        problems=(400, 404, 409),
        query=SessionQuery,
        takes_stream=True,
        headers={"Content-Range": "which bytes these are, for an upload in pieces"},
    ),
)
