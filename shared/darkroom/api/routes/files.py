"""Routes that return the pictures and records of a job.

The content type comes from the bytes of the file. A file that is no picture is an attachment of unknown type, so that
a browser does not interpret it.
"""

import json
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal, TypeAlias
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from darkroom import __version__
from darkroom.api.core.caching import Validator, tag_of
from darkroom.api.core.routing import PICTURES, ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.core.views import original_tag, result_tag
from darkroom.api.routes.jobs import job_of
from darkroom.domain.errors import BadImage, ObjectNotFound
from darkroom.domain.http_errors import ResultNotFound
from darkroom.domain.job import Job
from darkroom.domain.messages import ObjectRef
from darkroom.domain.parameters import FinishParameters
from darkroom.domain.sizes import MAX_OUTPUT_PIXELS

#: Content type of a file that is no picture.
_UNKNOWN = "application/octet-stream"
#: Content types of uploads.
_EVERY_PICTURE = (*PICTURES, "image/gif", "image/bmp", "image/heic")


class FileQuery(BaseModel):
    """The expected ETag of a file."""

    model_config = ConfigDict(extra="forbid")

    etag: str | None = Field(
        None,
        max_length=64,
        description="from `etags` of the job. While it is the present one, a client may keep the response for a year. "
        "The response is the present picture in any case",
    )


#: A request for a file.
FileContext: TypeAlias = RequestContext[FileQuery, object]


def result(context: FileContext) -> ApiResponse:
    """The finished picture."""
    job = job_of(context)
    validator = _validator(context, result_tag(job), modified_at=job.completed_at)
    return result_file(context, job, _result_of(job), validator=validator)


def result_file(context: RequestContext, job: Job, ref: ObjectRef, *, validator: Validator) -> ApiResponse:
    """A result of a job, under the job's name. Raises ResultNotFound."""
    return _file(context, ref, f"{_stem(job)}{PurePosixPath(ref.name).suffix}", validator=validator)


def _result_of(job: Job) -> ObjectRef:
    if job.result is None:
        raise ResultNotFound(f"job {job.id} is {job.status} and has no result")
    return job.result


def original(context: FileContext) -> ApiResponse:
    """The uploaded photograph."""
    job = job_of(context)
    validator = _validator(context, original_tag(job), modified_at=job.created_at)
    return _file(context, job.source.ref, job.display_name, validator=validator)


def _validator(context: FileContext, tag: str, *, modified_at: datetime | None = None) -> Validator:
    return Validator(tag=tag, modified_at=modified_at, is_permanent=context.query.etag == tag)


def _stem(job: Job) -> str:
    return PurePosixPath(job.display_name).stem


def _file(context: RequestContext, ref: ObjectRef, name: str, *, validator: Validator) -> ApiResponse:
    if validator.is_known_to(context.request):
        return ApiResponse(content=b"", validator=validator)
    data = _read(context, ref)
    kind = _kind(data)
    disposition = "attachment" if kind == _UNKNOWN else "inline"
    headers = {"Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(name, safe='')}"}
    return ApiResponse(content=data, content_type=kind, headers=headers, validator=validator)


def _read(context: RequestContext, ref: ObjectRef) -> bytes:
    try:
        return context.app.system.objects.read(ref)
    except ObjectNotFound as exc:
        raise ResultNotFound(f"{ref} does not exist any more: it was deleted, replaced or expired") from exc


def _kind(data: bytes) -> str:
    from darkroom.imaging.codec.formats.sniff import sniff

    try:
        return f"image/{sniff(data)}"
    except BadImage:
        return _UNKNOWN


class ThumbnailQuery(FileQuery):
    """Size and source of a thumbnail."""

    side: int = Field(256, ge=16, le=1024, description="longest side in pixels")
    of: Literal["auto", "result", "original"] = Field("auto", description="auto: the result if there is one")


def thumbnail(context: RequestContext[ThumbnailQuery, object]) -> ApiResponse:
    """A thumbnail of the result or the original."""
    query = context.query
    job = job_of(context)
    of_result = query.of == "result" or (query.of == "auto" and job.result is not None)
    ref = _result_of(job) if of_result else job.source.ref
    # The version of the program, because another one may make another thumbnail.
    tag = tag_of(ref, query.side, __version__)
    validator = Validator(tag=tag, is_permanent=query.etag == (result_tag(job) if of_result else original_tag(job)))
    if validator.is_known_to(context.request):
        return ApiResponse(content=b"", validator=validator)
    return _thumbnail(context, _read(context, ref), of_result=of_result, validator=validator)


def _thumbnail(
    context: RequestContext[ThumbnailQuery, object], data: bytes, *, of_result: bool, validator: Validator
) -> ApiResponse:
    from darkroom.imaging.codec import Limits, decode
    from darkroom.stages.finish import finish

    settings = context.app.system.settings
    pixels = max(MAX_OUTPUT_PIXELS, settings.max_pixels) if of_result else settings.max_pixels
    parameters = FinishParameters(max_side=context.query.side, format="webp", quality=80, metadata="strip")
    with context.app.inference_slot():
        decoded = decode(data, Limits(max_bytes=max(len(data), 1), max_pixels=pixels))
        finished = finish(decoded.picture, parameters, decoded)
    return ApiResponse(content=finished.data, content_type=finished.content_type, validator=validator)


def manifest(context: RequestContext) -> ApiResponse:
    """The manifest of a job: its plan and its steps."""
    job, system = job_of(context), context.app.system
    try:
        content = system.objects.read_latest(system.settings.results_bucket, job.manifest_name)
    except ObjectNotFound as exc:
        raise ResultNotFound(f"job {job.id} is {job.status} and has no manifest") from exc
    return ApiResponse(content=content)


def stage_output(context: FileContext) -> ApiResponse:
    """The output of a step: a picture, or the measurements."""
    job, text = job_of(context), context.path["n"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
    if not 0 <= number < len(job.records):
        raise ResultNotFound(
            f"job {job.id} has {len(job.records)} finished steps, counted from 0; there is no step {text[:20]!r}",
            value=text[:20],
            limit=len(job.records) - 1,
        )
    record = job.records[number]
    validator = _validator(context, tag_of(record.output))
    if validator.is_known_to(context.request):
        return ApiResponse(content=b"", validator=validator)
    data = _read(context, record.output)
    if record.stage == "assess":
        return ApiResponse(content=json.dumps(json.loads(data)).encode())
    return ApiResponse(content=data, content_type=_kind(data), validator=validator)


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/v1/jobs/{job}/result",
        name="job_result",
        summary="The finished picture",
        access="submitter",
        handler=result,
        responses=(ResponseSpec(description="the picture", media=PICTURES, has_ranges=True),),
        problems=(404,),
        query=FileQuery,
    ),
    route(
        method="GET",
        path="/v1/jobs/{job}/original",
        name="job_original",
        summary="The uploaded photograph",
        access="submitter",
        handler=original,
        responses=(ResponseSpec(description="the file", media=(*_EVERY_PICTURE, _UNKNOWN), has_ranges=True),),
        problems=(404,),
        query=FileQuery,
    ),
    route(
        method="GET",
        path="/v1/jobs/{job}/thumbnail",
        name="job_thumbnail",
        summary="A thumbnail of the result or the original",
        access="submitter",
        handler=thumbnail,
        responses=(ResponseSpec(description="the picture", media=("image/webp",), has_ranges=True),),
        problems=(404, 413, 415),
        query=ThumbnailQuery,
    ),
    route(
        method="GET",
        path="/v1/jobs/{job}/manifest",
        name="job_manifest",
        summary="The manifest: the plan and the steps of the job",
        access="submitter",
        handler=manifest,
        responses=(ResponseSpec(description="the manifest", media=("application/json",)),),
        problems=(404,),
    ),
    route(
        method="GET",
        path="/v1/jobs/{job}/stages/{n}",
        name="job_stage",
        summary="The output of a step, counted from 0: a picture, or the measurements",
        access="submitter",
        handler=stage_output,
        responses=(
            ResponseSpec(
                description="the picture or the measurements", media=(*PICTURES, "application/json"), has_ranges=True
            ),
        ),
        problems=(404,),
        query=FileQuery,
    ),
)
