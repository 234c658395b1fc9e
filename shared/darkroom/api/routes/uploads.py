"""Routes for photographs that are too large for one request to the API.

The client gets a signed upload and sends the photograph directly to the uploads bucket, whole or in pieces. The event
of the object creates the job, which has the label `upload`. On a laptop the API stands in for the bucket.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, cast
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from darkroom.api.core.bodies import JsonBody, StreamBody
from darkroom.api.core.reading import MAX_BODY_BYTES
from darkroom.api.core.reservations import reserve_until_expiry
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.core.submissions import Labels, read_pipeline
from darkroom.api.routes.create_job import FOLDER, metadata_of
from darkroom.api.routes.jobs import MAX_NAME
from darkroom.domain.errors import BadMessage
from darkroom.domain.http_errors import Invalid, NoSuchPath, TooLarge
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.quota import Reservation
from darkroom.handlers.uploads import UPLOAD_LABEL
from darkroom.runtime.ports import Piece, UploadGrant, UploadReceiver

#: Lifetime of a signature.
LIFETIME = timedelta(hours=1)
#: Lifetime of a resumable upload; Cloud Storage keeps one for a week.
RESUMABLE_LIFETIME = timedelta(days=7)
#: A Content-Range header: first byte, last byte, total.
_RANGE = re.compile(r"bytes (?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15}|\*)")


class UploadRequest(BaseModel):
    """A photograph to upload, and the options of its job."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    pipeline: str | dict[str, JsonValue] | None = Field(
        None, description="a preset's name, or a pipeline as JSON, see /v1/presets and /v1/stages; `auto` if absent"
    )
    labels: Labels = Field({}, description="texts by name, by which jobs can be listed")
    display_name: str | None = Field(
        None, min_length=1, max_length=MAX_NAME, description="display name; the name of the file if absent"
    )
    name: str = Field("", max_length=200, description="name of the file; the default of display_name")
    content_type: str = Field(
        "application/octet-stream", pattern=r"^[\w.+-]{1,60}/[\w.+-]{1,60}$", description="content type of the file"
    )
    size_bytes: int | None = Field(None, ge=1, description="size of the file; a size above the limit is refused")
    resumable: bool = Field(False, description="send the file in pieces, and resume after an interruption")

    def to_pipeline(self) -> Pipeline:
        """The pipeline. Raises BadPipeline."""
        return read_pipeline(self.pipeline)


class UploadView(BaseModel):
    """The request that uploads the photograph."""

    id: str = Field(description="value of the label `upload` of the job")
    method: Literal["PUT", "POST"]
    url: str = Field(description="target; on a laptop a path of this API")
    headers: Mapping[str, str] = Field(description="headers to send unchanged")
    object: str = Field(description="name of the object in the uploads bucket")
    expires_at: datetime
    max_bytes: int
    job: str = Field(description="path of the job, once the photograph is uploaded")


def sign(context: RequestContext[object, UploadRequest]) -> ApiResponse:
    """Sign an upload."""
    options = context.body
    limit = context.app.system.settings.max_bytes
    if options.size_bytes is not None and options.size_bytes > limit:
        raise TooLarge(f"{options.size_bytes} bytes exceed {limit}", value=options.size_bytes, limit=limit)
    upload = secrets.token_hex(16)
    grant = _grant(context, options, upload)
    reservation = Reservation(object=grant.name, expires_at=_last_moment(grant), signed=True)
    with reserve_until_expiry(context, reservation):
        signed = context.app.uploads.sign(grant)
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
    """The latest end of the upload: a resumable one may begin when the signature expires, and take a week."""
    return grant.expires_at + (RESUMABLE_LIFETIME if grant.resumable else timedelta())


def _grant(context: RequestContext, options: UploadRequest, upload: str) -> UploadGrant:
    settings = context.app.system.settings
    metadata = {**metadata_of(context, options, options.name), UPLOAD_LABEL: upload}
    if bad := [name for name, value in metadata.items() if not value.isascii()]:
        # Signed headers are sent unchanged, and HTTP headers are ASCII.
        raise Invalid(f"{', '.join(bad)}: only ASCII can be signed; rename or label the job afterwards")
    return UploadGrant(
        bucket=settings.uploads_bucket,
        name=f"{FOLDER}/{upload}",
        content_type=options.content_type,
        metadata=metadata,
        max_bytes=settings.max_bytes,
        expires_at=context.app.now() + (RESUMABLE_LIFETIME if options.resumable else LIFETIME),
        resumable=options.resumable,
    )


class SessionQuery(BaseModel):
    """The session of a resumable upload."""

    model_config = ConfigDict(extra="forbid")

    upload_id: str | None = Field(
        None, max_length=100, description="from the Location of the response that began the upload"
    )


class Received(BaseModel):
    """The received part of a photograph."""

    name: str
    size_bytes: int


def begin(context: RequestContext) -> ApiResponse:
    """Begin a resumable upload."""
    receiver = _receiver(context)
    grant = receiver.grant(context.path["token"])
    if not grant.resumable:
        raise Invalid("this signature is for one PUT; ask for a resumable upload")
    session = receiver.begin()
    location = f"{context.request.host_url.rstrip('/')}{context.request.path}?{urlencode({'upload_id': session})}"
    return ApiResponse(content=Received(name=grant.name, size_bytes=0), status=201, headers={"Location": location})


def receive(context: RequestContext[SessionQuery, object]) -> ApiResponse:
    """Receive a photograph, or a piece of one."""
    receiver, query = _receiver(context), context.query
    grant = receiver.grant(context.path["token"])
    if grant.resumable != (query.upload_id is not None):
        raise Invalid("a resumable upload needs the upload_id of its Location, any other upload must have none")
    session = query.upload_id or receiver.begin()
    content_range = context.request.headers.get("Content-Range", "")
    piece = read_range(content_range)
    try:
        received = receiver.add(session, piece, context.request.stream, grant)
    except BadMessage as exc:
        if exc.code == "too_many_bytes":
            raise TooLarge(str(exc), limit=grant.max_bytes) from exc
        raise
    if content_range and received != piece.total:
        headers = {"Range": f"bytes=0-{received - 1}"} if received else {}
        return ApiResponse(content=Received(name=grant.name, size_bytes=received), status=308, headers=headers)
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


def _receiver(context: RequestContext) -> UploadReceiver:
    if not isinstance(context.app.uploads, UploadReceiver):
        raise NoSuchPath("clients upload directly to the bucket; request a signature from /v1/uploads")
    return context.app.uploads


_PATH = "/v1/uploads/{token}"
ROUTES: tuple[Endpoint, ...] = (
    route(
        method="POST",
        path="/v1/uploads",
        name="sign_upload",
        summary=f"Sign an upload, for photographs above {MAX_BODY_BYTES // 1024 // 1024} MiB",
        access="submitter",
        handler=sign,
        responses=(ResponseSpec(description="the request to send", status=201, model=UploadView),),
        body=JsonBody(UploadRequest),
    ),
    route(
        method="POST",
        path=_PATH,
        name="begin_upload",
        summary="Begin a resumable upload, on a laptop",
        access="anyone",
        handler=begin,
        responses=(
            ResponseSpec(
                description="the upload has begun; send the pieces to the Location", status=201, model=Received
            ),
        ),
        problems=(404,),
        headers={"x-goog-resumable": "`start`"},
    ),
    route(
        method="PUT",
        path=_PATH,
        name="receive_upload",
        summary="Send the photograph of a signed upload, on a laptop",
        access="anyone",
        handler=receive,
        responses=(
            ResponseSpec(description="the photograph is in the bucket", model=Received),
            ResponseSpec(description="the upload is not complete", status=308, model=Received),
        ),
        problems=(400, 404, 409),
        query=SessionQuery,
        body=StreamBody(),
        headers={"Content-Range": "range of the bytes, for a resumable upload"},
    ),
)
