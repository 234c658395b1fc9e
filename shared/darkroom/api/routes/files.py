"""How do pictures and records of a job come out?

What a file is, its bytes say; what is no picture is handed out as an attachment of no type, so that no browser makes
anything of it.
"""

import json
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from darkroom.api.core.routing import PICTURES, ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.routes.jobs import job_of
from darkroom.domain.errors import BadImage, ObjectNotFound
from darkroom.domain.http_errors import ResultNotFound
from darkroom.domain.job import Job
from darkroom.domain.messages import ObjectRef
from darkroom.domain.parameters import FinishParameters
from darkroom.domain.sizes import MAX_OUTPUT_PIXELS

_UNKNOWN = "application/octet-stream"
_EVERY_PICTURE = (*PICTURES, "image/gif", "image/bmp", "image/heic")


def result(call: RequestContext) -> ApiResponse:
    """The finished picture."""
    job = job_of(call)
    ref = _result_of(job)
    return _file(call, ref, f"{_stem(job)}{PurePosixPath(ref.name).suffix}")


def _result_of(job: Job) -> ObjectRef:
    if job.result is None:
        raise ResultNotFound(f"job {job.id} is {job.status} and has no result")
    return job.result


def original(call: RequestContext) -> ApiResponse:
    """The photograph as it came."""
    job = job_of(call)
    return _file(call, job.source.ref, job.display_name)


def _stem(job: Job) -> str:
    return PurePosixPath(job.display_name).stem


def _file(call: RequestContext, ref: ObjectRef, name: str) -> ApiResponse:
    data = _read(call, ref)
    kind = _kind(data)
    way = "attachment" if kind == _UNKNOWN else "inline"
    headers = {"Content-Disposition": f"{way}; filename*=UTF-8''{quote(name, safe='')}"}
    return ApiResponse(content=data, content_type=kind, headers=headers)


def _read(call: RequestContext, ref: ObjectRef) -> bytes:
    try:
        return call.parts.system.objects.read(ref)
    except ObjectNotFound as exc:
        raise ResultNotFound(f"{ref} is not there any more: deleted, replaced or expired") from exc


def _kind(data: bytes) -> str:
    from darkroom.imaging.codec.formats.sniff import sniff

    try:
        return f"image/{sniff(data)}"
    except BadImage:
        return _UNKNOWN


class ThumbnailQuery(BaseModel):
    """Which small picture."""

    model_config = ConfigDict(extra="forbid")

    side: int = Field(256, ge=16, le=1024, description="longest side in pixels")
    of: Literal["auto", "result", "original"] = Field("auto", description="auto: the result if there is one")


def thumbnail(call: RequestContext) -> ApiResponse:
    """A small picture of the result or the original."""
    from darkroom.imaging.codec import Limits, decode
    from darkroom.stages.finish import finish

    asked: ThumbnailQuery = call.query
    job = job_of(call)
    of_result = asked.of == "result" or (asked.of == "auto" and job.result is not None)
    data = _read(call, _result_of(job) if of_result else job.source.ref)
    settings = call.parts.system.settings
    pixels = max(MAX_OUTPUT_PIXELS, settings.max_pixels) if of_result else settings.max_pixels
    wishes = FinishParameters(max_side=asked.side, format="webp", quality=80, metadata="strip")
    with call.parts.place():
        decoded = decode(data, Limits(max_bytes=max(len(data), 1), max_pixels=pixels))
        made = finish(decoded.picture, wishes, decoded)
    return ApiResponse(content=made.data, content_type=made.content_type)


def manifest(call: RequestContext) -> ApiResponse:
    """What was planned and done, as it lies beside the result."""
    job, system = job_of(call), call.parts.system
    try:
        content = system.objects.read_latest(system.settings.results_bucket, job.manifest_name)
    except ObjectNotFound as exc:
        raise ResultNotFound(f"job {job.id} is {job.status} and has no manifest") from exc
    return ApiResponse(content=content)


def stage_output(call: RequestContext) -> ApiResponse:
    """What a step wrote: the picture after it, or the measurements."""
    job, text = job_of(call), call.path["n"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
    if not 0 <= number < len(job.records):
        raise ResultNotFound(
            f"job {job.id} has done {len(job.records)} steps, from 0 on; there is no step {text[:20]!r}",
            value=text[:20],
            limit=len(job.records) - 1,
        )
    record = job.records[number]
    data = _read(call, record.output)
    if record.stage == "assess":
        return ApiResponse(content=json.dumps(json.loads(data)).encode())
    return ApiResponse(content=data, content_type=_kind(data))


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/jobs/{job}/result",
        name="job_result",
        summary="The finished picture",
        access="submitter",
        handler=result,
        outcomes=(ResponseSpec(what="the picture", media=PICTURES),),
        problems=(404,),
    ),
    Route(
        method="GET",
        path="/v1/jobs/{job}/original",
        name="job_original",
        summary="The photograph as it came",
        access="submitter",
        handler=original,
        outcomes=(ResponseSpec(what="the file", media=(*_EVERY_PICTURE, _UNKNOWN)),),
        problems=(404,),
    ),
    Route(
        method="GET",
        path="/v1/jobs/{job}/thumbnail",
        name="job_thumbnail",
        summary="A small picture of the result or the original",
        access="submitter",
        handler=thumbnail,
        outcomes=(ResponseSpec(what="the picture", media=("image/webp",)),),
        problems=(404, 413, 415),
        query=ThumbnailQuery,
    ),
    Route(
        method="GET",
        path="/v1/jobs/{job}/manifest",
        name="job_manifest",
        summary="What was planned and done, as it lies beside the result",
        access="submitter",
        handler=manifest,
        outcomes=(ResponseSpec(what="the manifest", media=("application/json",)),),
        problems=(404,),
    ),
    Route(
        method="GET",
        path="/v1/jobs/{job}/stages/{n}",
        name="job_stage",
        summary="What a step wrote, counted from 0: a picture, or the measurements",
        access="submitter",
        handler=stage_output,
        outcomes=(ResponseSpec(what="the picture or the measurements", media=(*PICTURES, "application/json")),),
        problems=(404,),
    ),
)
