"""How are jobs listed, shown and changed?"""

import re
from dataclasses import replace
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.submissions import Labels
from darkroom.api.core.views import JobPage, JobView
from darkroom.auth.callers import Principal
from darkroom.domain.errors import JobNotFound
from darkroom.domain.http_errors import Invalid
from darkroom.domain.job import Job, QcStatus, Status
from darkroom.domain.pipeline import build_pipeline, parse_pipeline
from darkroom.handlers.job_commands import cancel_job, delete_job, describe_job, replay_job, rework_job
from darkroom.runtime.ports import JobQuery

_JOB_ID = re.compile(r"[0-9a-f]{24}")
MAX_NAME = 200


def job_of(call: RequestContext) -> Job:
    """The job that the path names, if the caller may see it. Raises JobNotFound."""
    job_id = call.path["job"]
    if not _JOB_ID.fullmatch(job_id):
        raise JobNotFound(f"there is no job {job_id[:80]}")
    job = call.parts.system.jobs.get(job_id)
    call.caller.require_sight(job)
    return job


def own_job(call: RequestContext) -> Job:
    """The job that the path names, if the caller may change it. Raises JobNotFound or Forbidden."""
    job = job_of(call)
    call.caller.require_own(job)
    return job


def printable(text: str) -> str:
    """A name without what cannot be printed or turns the direction of writing, cut to the longest that is allowed."""
    return "".join(character for character in text if character.isprintable()).strip()[:MAX_NAME]


class JobFilter(BaseModel):
    """Which jobs."""

    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    qc_status: QcStatus | None = None
    label: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,63}=.*$", max_length=300, description="name=value")
    owner: str | None = Field(None, max_length=100, description="for reviewers and admins; others see their own jobs")
    batch: str | None = Field(None, pattern=r"^[0-9a-f]{24}$", description="an import or a batch; not with a label")

    @model_validator(mode="after")
    def _label_or_batch(self) -> Self:
        if self.label is not None and self.batch is not None:
            raise ValueError("give a label or a batch, not both")
        return self

    def query(self, caller: Principal) -> JobQuery | None:
        """The same for a store, of the jobs that the caller may see; None if that cannot be any."""
        owner = self.owner if caller.sees_all else caller.owner
        if self.owner is not None and self.owner != owner:
            return None
        name, _, value = (self.label or "").partition("=")
        label = (name, value) if self.label is not None else None
        return JobQuery(status=self.status, qc_status=self.qc_status, owner=owner, label=label, batch=self.batch)


class JobsQuery(JobFilter):
    """Which page of which jobs."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=1000, description="`next_cursor` of the page before")


def page(call: RequestContext) -> ApiResponse:
    """One page of jobs, newest change first."""
    asked: JobsQuery = call.query
    query = asked.query(call.caller)
    if query is None:
        return ApiResponse(content=JobPage(jobs=[], next_cursor=None))
    found = call.parts.system.jobs.query(replace(query, limit=asked.limit, cursor=asked.cursor))
    return ApiResponse(content=JobPage(jobs=[JobView.of(job) for job in found.jobs], next_cursor=found.next_cursor))


def show(call: RequestContext) -> ApiResponse:
    """One job."""
    return ApiResponse(content=JobView.of(job_of(call)))


class Description(BaseModel):
    """What people call a job; what is absent stays."""

    model_config = ConfigDict(extra="forbid")

    display_name: str | None = Field(None, min_length=1, max_length=MAX_NAME)
    labels: Labels | None = Field(None, description="all labels; those that are not named go")


def describe(call: RequestContext) -> ApiResponse:
    """Rename or label a job."""
    told: Description = call.body
    name = None if told.display_name is None else printable(told.display_name)
    if name == "":
        raise Invalid(f"display_name {told.display_name!r} has nothing that can be printed")
    job = own_job(call)
    changed = describe_job(call.parts.system, job.id, display_name=name, labels=told.labels, who=call.caller.owner)
    return ApiResponse(content=JobView.of(changed))


class Deleted(BaseModel):
    """A job that is not there any more."""

    deleted: str


def delete(call: RequestContext) -> ApiResponse:
    """Delete a job with its photograph, results and everything between."""
    job = own_job(call)
    delete_job(call.parts.system, job.id)
    return ApiResponse(content=Deleted(deleted=job.id))


def cancel(call: RequestContext) -> ApiResponse:
    """Stop a job."""
    return ApiResponse(content=JobView.of(cancel_job(call.parts.system, own_job(call).id, who=call.caller.owner)))


def replay(call: RequestContext) -> ApiResponse:
    """Let a failed job go on from the step that failed."""
    replayed = replay_job(call.parts.system, own_job(call).id, who=call.caller.owner)
    return ApiResponse(content=JobView.of(replayed), status=202)


class Rework(BaseModel):
    """Another pipeline for a job."""

    model_config = ConfigDict(extra="forbid")

    pipeline: Any = Field(
        description="a preset's name, or a pipeline as JSON", json_schema_extra={"type": ["string", "object"]}
    )
    notes: str = Field("", max_length=2000, description="why; stands in the job's history")


def rework(call: RequestContext) -> ApiResponse:
    """Run a job that has ended again, with another pipeline."""
    told: Rework = call.body
    pipeline = parse_pipeline(told.pipeline) if isinstance(told.pipeline, str) else build_pipeline(told.pipeline)
    job = own_job(call)
    changed = rework_job(call.parts.system, job.id, pipeline, who=call.caller.owner, notes=told.notes)
    return ApiResponse(content=JobView.of(changed), status=202)


_JOB = ResponseSpec(what="the job", model=JobView)
_ACCEPTED = ResponseSpec(what="the job, which is being worked on", status=202, model=JobView)
ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/jobs",
        name="list_jobs",
        summary="List jobs, newest change first",
        access="submitter",
        handler=page,
        outcomes=(ResponseSpec(what="one page", model=JobPage),),
        query=JobsQuery,
    ),
    Route(
        method="GET",
        path="/v1/jobs/{job}",
        name="show_job",
        summary="Show one job",
        access="submitter",
        handler=show,
        outcomes=(_JOB,),
        problems=(404,),
    ),
    Route(
        method="PATCH",
        path="/v1/jobs/{job}",
        name="describe_job",
        summary="Rename or label a job",
        access="submitter",
        handler=describe,
        outcomes=(_JOB,),
        problems=(404,),
        body=Description,
    ),
    Route(
        method="DELETE",
        path="/v1/jobs/{job}",
        name="delete_job",
        summary="Delete a job with its photograph and results",
        access="submitter",
        handler=delete,
        outcomes=(ResponseSpec(what="it is gone", model=Deleted),),
        problems=(404,),
    ),
    Route(
        method="POST",
        path="/v1/jobs/{job}/cancel",
        name="cancel_job",
        summary="Stop a job",
        access="submitter",
        handler=cancel,
        outcomes=(_JOB,),
        problems=(404, 409),
    ),
    Route(
        method="POST",
        path="/v1/jobs/{job}/rework",
        name="rework_job",
        summary="Run a job that has ended again, with another pipeline",
        access="submitter",
        handler=rework,
        outcomes=(_ACCEPTED,),
        problems=(404, 409),
        body=Rework,
    ),
    Route(
        method="POST",
        path="/v1/jobs/{job}/replay",
        name="replay_job",
        summary="Let a failed job go on from the step that failed",
        access="submitter",
        handler=replay,
        outcomes=(_ACCEPTED,),
        problems=(404, 409),
    ),
)
