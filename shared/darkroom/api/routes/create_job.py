"""The route that creates a job from a photograph.

The photograph is stored in the uploads bucket like any other upload. Its job is stored at once, so that a client can
read it under the id of the response. The event of the object starts the processing.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Protocol, TypeAlias

from pydantic import AfterValidator, Field

from darkroom.api.core.bodies import PictureBody
from darkroom.api.core.reservations import reserve_for_request
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.core.submissions import Labels, PipelineRequest, Submission
from darkroom.api.core.views import JobView
from darkroom.api.routes.jobs import MAX_NAME, printable
from darkroom.auth.signing import signing_key
from darkroom.domain.errors import BadImage
from darkroom.domain.http_errors import Invalid
from darkroom.domain.new_job import DISPLAY_NAME_KEY, LABEL_PREFIX
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.products.rows import checked_url
from darkroom.domain.webhooks import CALLBACK_KEY
from darkroom.handlers.objects import find_object, pin_objects
from darkroom.handlers.uploads import submit_upload
from darkroom.runtime.ports import NewObject

if TYPE_CHECKING:  # pixel libraries are imported with the first picture
    from darkroom.imaging.codec.limits import Limits

#: Folder of the uploads bucket for photographs of the API.
FOLDER = "api"


class JobRequest(PipelineRequest):
    """A photograph and the options of its job."""

    object: str | None = Field(
        None,
        min_length=1,
        max_length=1024,
        description="name of an object in the uploads bucket, instead of a file; it is copied. It must belong to "
        "the caller or be shared, except for reviewers and admins",
    )
    labels: Labels = Field({}, description="texts by name, by which jobs can be listed; in a form as JSON")
    display_name: str | None = Field(
        None, min_length=1, max_length=MAX_NAME, description="display name; the name of the file if absent"
    )
    callback_url: Annotated[str, AfterValidator(checked_url)] | None = Field(
        None, min_length=8, max_length=2000, description="URL of a webhook for the end of the job, see /v1/callback-key"
    )


#: A request for a job.
JobContext: TypeAlias = RequestContext[object, Submission[JobRequest]]


def _require_key(context: RequestContext, options: JobRequest) -> None:
    """Raises Invalid for a webhook that could not be signed."""
    if options.callback_url is not None and not signing_key(context.app.system.settings):
        raise Invalid("webhooks are off: the deployment has no signing_key", code="callbacks_off")


def create(context: JobContext) -> ApiResponse:
    """Create a job from a photograph."""
    name = f"{FOLDER}/{_token(context)}"
    with reserve_for_request(context, name):
        job = submit_upload(context.app.system, name, _new_object(context))
    return ApiResponse(content=JobView.of(job), status=202, headers={"Location": f"/v1/jobs/{job.id}"})


def _new_object(context: JobContext) -> NewObject:
    """The photograph with the metadata for `darkroom.handlers.uploads`. Raises BadImage or HttpError."""
    options = context.body.options
    _require_key(context, options)
    metadata = metadata_of(context, options, _name(context))
    data = _content(context)
    kind = require_acceptable(context, data)
    metadata |= {CALLBACK_KEY: options.callback_url} if options.callback_url else {}
    return NewObject(data=data, content_type=f"image/{kind}", metadata=metadata)


def _name(context: JobContext) -> str:
    """The name of the photograph; may be empty."""
    submission, options = context.body, context.body.options
    return options.object or submission.name or (options.url or "").partition("?")[0]


def _content(context: JobContext) -> bytes:
    """The photograph."""
    submission, options = context.body, context.body.options
    if options.object is None:
        return submission.picture(context.app.fetch)
    if submission.data is not None or options.url is not None:
        raise Invalid("give a picture, a url or an object, and only one of them")
    system, caller = context.app.system, context.caller
    info = find_object(system, None if caller.sees_all else caller.owner, options.object)
    return system.objects.read(info.ref)


def require_acceptable(context: RequestContext, data: bytes) -> str:
    """The format of a photograph, if its bytes and its declared size are acceptable. Raises BadImage."""
    from darkroom.imaging.codec.decode_errors import reading
    from darkroom.imaging.codec.formats.dimensions import declared_size
    from darkroom.imaging.codec.formats.sniff import sniff
    from darkroom.imaging.codec.limits import require_bytes

    limits = context.app.runner().limits
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


class JobOptions(Protocol):
    """The options of a job, in whatever request they are."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Texts by name."""

    @property
    def display_name(self) -> str | None:
        """The display name."""

    @property
    def pipeline(self) -> object:
        """The pipeline as it was sent; None for the default."""

    def to_pipeline(self) -> Pipeline:
        """The pipeline. Raises BadPipeline."""


def metadata_of(context: RequestContext, options: JobOptions, name: str) -> dict[str, str]:
    """The metadata of an upload that `darkroom.handlers.uploads` reads.

    Raises ObjectNotFound if the pipeline names an object that the caller's jobs may not read.
    """
    found = {
        DISPLAY_NAME_KEY: printable(options.display_name or "") or plain_name(name) or "upload",
        **{LABEL_PREFIX + key: value for key, value in options.labels.items()},
    }
    # Without a wish what is configured for the SKU or the group holds.
    if options.pipeline is not None:
        pipeline = options.to_pipeline()
        pin_objects(context.app.system, context.caller.owner, pipeline)
        found["pipeline"] = pipeline.model_dump_json(exclude_defaults=True)
    return found | ({"owner": context.caller.owner} if context.caller.owner else {})


def plain_name(name: str) -> str:
    """The last part of a path, without unprintable characters."""
    return printable(re.split(r"[/\\]", name.rstrip("/\\"))[-1])


def _token(context: RequestContext) -> str:
    """The name of the object: random, or derived from the owner and the idempotency key."""
    key = context.request.headers.get("Idempotency-Key")
    if key is None:
        return secrets.token_hex(16)
    if not 1 <= len(key) <= MAX_NAME:
        raise Invalid(
            f"Idempotency-Key has {len(key)} characters, expected 1 to {MAX_NAME}", value=len(key), limit=MAX_NAME
        )
    return hashlib.sha256(f"{context.caller.owner}\n{key}".encode()).hexdigest()[:32]


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="POST",
        path="/v1/jobs",
        name="create_job",
        summary="Create a job from a photograph",
        access="submitter",
        handler=create,
        responses=(ResponseSpec(description="the accepted job", status=202, model=JobView),),
        problems=(404, 409, 410),
        body=PictureBody(JobRequest),
        headers={"Idempotency-Key": "the same key with the same photograph and options returns the same job"},
    ),
)
