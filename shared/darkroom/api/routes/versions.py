"""Routes with the results of earlier runs. A rework never replaces a result, so each run has its own."""

from collections.abc import Iterator
from datetime import datetime

from pydantic import BaseModel, Field

from darkroom.api.core.caching import Validator, tag_of
from darkroom.api.core.routing import PICTURES, ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.routes.files import result_file
from darkroom.api.routes.jobs import job_of
from darkroom.domain.http_errors import ResultNotFound
from darkroom.domain.job import Job
from darkroom.runtime.ports import ObjectInfo


class RunResult(BaseModel):
    """The result of one run."""

    run: int = Field(description="number of the run: 1, and one more for every rework")
    size_bytes: int
    created_at: datetime
    result: str = Field(description="path of the picture")


class RunResults(BaseModel):
    """The results of a job, the first run first."""

    versions: list[RunResult]


def versions(context: RequestContext) -> ApiResponse:
    """The results of all runs of a job."""
    job = job_of(context)
    found = [
        RunResult(
            run=run,
            size_bytes=info.size_bytes,
            created_at=info.created_at,
            result=f"/v1/jobs/{job.id}/versions/{run}",
        )
        for run, info in sorted(_results(context, job), key=lambda each: each[0])
    ]
    return ApiResponse(content=RunResults(versions=found))


def version(context: RequestContext) -> ApiResponse:
    """The result of one run."""
    job, wanted = job_of(context), context.path["run"]
    for run, info in _results(context, job):
        if str(run) == wanted:
            return result_file(context, job, info.ref, validator=_validator(job, info))
    raise ResultNotFound(f"job {job.id} has no result of run {wanted[:20]!r}", value=wanted[:20], limit=job.run)


def _validator(job: Job, info: ObjectInfo) -> Validator:
    """The validator of one run's result, which never changes."""
    tag = tag_of(info.ref, job.display_name)
    return Validator(tag=tag, modified_at=info.created_at, is_permanent=True)


def _results(context: RequestContext, job: Job) -> Iterator[tuple[int, ObjectInfo]]:
    """The number of each run with its result."""
    system = context.app.system
    for info in system.objects.list(system.settings.results_bucket, job.results_prefix):
        if (run := job.run_of(info.ref.name)) is not None:
            yield run, info


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/v1/jobs/{job}/versions",
        name="job_versions",
        summary="The results of all runs of a job",
        access="submitter",
        handler=versions,
        responses=(ResponseSpec(description="the results, the first run first", model=RunResults),),
        problems=(404,),
    ),
    route(
        method="GET",
        path="/v1/jobs/{job}/versions/{run}",
        name="job_version",
        summary="The finished picture of one run",
        access="submitter",
        handler=version,
        responses=(ResponseSpec(description="the picture", media=PICTURES, has_ranges=True),),
        problems=(404,),
    ),
)
