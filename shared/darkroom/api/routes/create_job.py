"""How does a photograph become a job?

It goes into the uploads bucket, and from there on the way of every photograph. Its job is stored at once, so that the
id in the answer can be asked for; the upload's event drives it.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import AfterValidator, Field

from darkroom.api.core.places import place_for
from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.submissions import Labels, PipelineWishes, Submission, picture_of
from darkroom.api.core.views import JobView
from darkroom.api.routes.jobs import MAX_NAME, printable
from darkroom.auth.signing import signing_key
from darkroom.domain.errors import BadImage
from darkroom.domain.http_errors import Invalid
from darkroom.domain.new_job import LABEL_PREFIX
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.products.rows import checked_url
from darkroom.domain.webhooks import CALLBACK_KEY
from darkroom.handlers.objects import find_object, pin_objects
from darkroom.handlers.uploads import submit_upload
from darkroom.runtime.ports import NewObject

if TYPE_CHECKING:  # pixel libraries are imported when the first picture comes
    from darkroom.imaging.codec.limits import Limits

#: Folder of the uploads bucket for what came through the API.
FOLDER = "api"


class JobWishes(PipelineWishes):
    """A photograph that is to become a job."""

    object: str | None = Field(
        None,
        min_length=1,
        max_length=1024,
        description="name of an object in the uploads bucket, instead of a file: it is copied, and must be one's own "
        "or a shared one, except for reviewers and admins",
    )
    labels: Labels = Field({}, description="texts by name, by which jobs can be listed; in a form as JSON")
    display_name: str | None = Field(
        None, min_length=1, max_length=MAX_NAME, description="what people call it; the file's name if absent"
    )
    callback_url: Annotated[str, AfterValidator(checked_url)] | None = Field(
        None, min_length=8, max_length=2000, description="is told when the job has ended, see /v1/callback-key"
    )


def _require_key(call: RequestContext, wishes: JobWishes) -> None:
    """Raises Invalid for a callback that could not be signed."""
    if wishes.callback_url is not None and not signing_key(call.parts.system.settings):
        raise Invalid("there are no callbacks here: the deployment has no signing_key", code="callbacks_off")


def create(call: RequestContext) -> ApiResponse:
    """Make a job of a photograph."""
    name = f"{FOLDER}/{_token(call)}"
    with place_for(call, name):
        job = submit_upload(call.parts.system, name, _new_object(call))
    return ApiResponse(content=JobView.of(job), status=202, headers={"Location": f"/v1/jobs/{job.id}"})


def _new_object(call: RequestContext) -> NewObject:
    """The photograph with what `darkroom.handlers.uploads` reads of it. Raises BadImage, or what is wrong with it."""
    submission: Submission = call.body
    data, name = _content(call)
    kind = require_acceptable(call, data)
    _require_key(call, submission.wishes)
    metadata = metadata_of(call, submission.wishes, name)
    metadata |= {CALLBACK_KEY: submission.wishes.callback_url} if submission.wishes.callback_url else {}
    return NewObject(data=data, content_type=f"image/{kind}", metadata=metadata)


def _content(call: RequestContext) -> tuple[bytes, str]:
    """The photograph and the name that it comes with."""
    submission: Submission = call.body
    wishes: JobWishes = submission.wishes
    if wishes.object is None:
        return picture_of(call), submission.name or (wishes.url or "").partition("?")[0]
    if submission.data is not None or wishes.url is not None:
        raise Invalid("give a picture, a url or an object, and only one of them")
    system, caller = call.parts.system, call.caller
    info = find_object(system, None if caller.sees_all else caller.owner, wishes.object)
    return system.objects.read(info.ref), wishes.object


def require_acceptable(call: RequestContext, data: bytes) -> str:
    """The format of a photograph, if its bytes and its declared size are acceptable. Raises BadImage."""
    from darkroom.imaging.codec.decode_errors import reading
    from darkroom.imaging.codec.formats.dimensions import declared_size
    from darkroom.imaging.codec.formats.sniff import sniff
    from darkroom.imaging.codec.limits import require_bytes

    limits = call.parts.bench().limits
    size_bytes, most = len(data), limits.max_bytes
    if size_bytes > most:
        raise BadImage(f"{size_bytes} bytes exceed {most}", code="too_many_bytes", value=size_bytes, limit=most)
    require_bytes(data, limits)
    kind = sniff(data)
    with reading(f"{kind} file"):
        size = declared_size(data, kind)
    if size is not None:
        _require_area(*size, limits)
    return kind


def _require_area(width: int, height: int, limits: "Limits") -> None:
    from darkroom.imaging.codec.limits import require_size

    pixels, most = width * height, limits.max_pixels
    if pixels > most:
        message = f"{width}x{height} is {pixels} pixels, the limit is {most}"
        raise BadImage(message, code="too_many_pixels", value=pixels, limit=most)
    require_size(width, height, limits)


class Terms(Protocol):
    """What somebody wants of a photograph."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Texts by name."""

    @property
    def display_name(self) -> str | None:
        """What people call it."""

    @property
    def pipeline(self) -> object:
        """What is to be done with it, None without a wish."""

    def asked(self) -> Pipeline:
        """The pipeline. Raises BadPipeline."""


def metadata_of(call: RequestContext, wishes: Terms, name: str) -> dict[str, str]:
    """What `darkroom.handlers.uploads` reads of an upload.

    Raises ObjectNotFound if the pipeline names an object that the caller's jobs may not read.
    """
    found = {
        "display-name": printable(wishes.display_name or "") or plain_name(name) or "upload",
        **{LABEL_PREFIX + key: value for key, value in wishes.labels.items()},
    }
    # Without a wish what is configured for the SKU or the group holds.
    if wishes.pipeline is not None:
        pipeline = wishes.asked()
        pin_objects(call.parts.system, call.caller.owner, pipeline)
        found["pipeline"] = pipeline.model_dump_json(exclude_defaults=True)
    return found | ({"owner": call.caller.owner} if call.caller.owner else {})


def plain_name(name: str) -> str:
    """The last part of a path, without what cannot be printed."""
    return printable(re.split(r"[/\\]", name.rstrip("/\\"))[-1])


def _token(call: RequestContext) -> str:
    """Where the photograph goes: somewhere new, or always to the same place for the same key of the same owner."""
    key = call.request.headers.get("Idempotency-Key")
    if key is None:
        return secrets.token_hex(16)
    if not 1 <= len(key) <= MAX_NAME:
        raise Invalid(
            f"Idempotency-Key has {len(key)} characters, expected 1 to {MAX_NAME}", value=len(key), limit=MAX_NAME
        )
    return hashlib.sha256(f"{call.caller.owner}\n{key}".encode()).hexdigest()[:32]


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/jobs",
        name="create_job",
        summary="Make a job of a photograph",
        access="submitter",
        handler=create,
        outcomes=(ResponseSpec(what="the job, which is being worked on", status=202, model=JobView),),
        problems=(404, 409, 410),
        picture=JobWishes,
        headers={"Idempotency-Key": "the same key with the same photograph and wishes is the same job"},
    ),
)
