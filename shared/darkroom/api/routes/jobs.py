"""Routes that list, show and change jobs."""

import re
from dataclasses import replace
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from darkroom.api.core.bodies import JsonBody
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.core.submissions import Labels
from darkroom.api.core.views import JobPage, JobView
from darkroom.auth.callers import Principal
from darkroom.domain.errors import JobNotFound
from darkroom.domain.http_errors import Invalid
from darkroom.domain.job import Job, QcStatus, Status
from darkroom.domain.new_job import LABEL_NAME
from darkroom.domain.pipeline import build_pipeline, parse_pipeline
from darkroom.handlers.job_commands import cancel_job, delete_job, describe_job, replay_job, rework_job
from darkroom.runtime.ports import JobQuery

#: Ids of jobs.
_JOB_ID = re.compile(r"[0-9a-f]{24}")
#: Longest display name, in characters.
MAX_NAME = 200


def job_of(context: RequestContext) -> Job:
    """The job that the path names, if the caller may read it. Raises JobNotFound."""
    job_id = context.path["job"]
    if not _JOB_ID.fullmatch(job_id):
        raise JobNotFound(f"there is no job {job_id[:80]}")
    job = context.app.system.jobs.get(job_id)
    context.caller.require_read(job)
    return job


def own_job(context: RequestContext) -> Job:
    """The job that the path names, if the caller may change it. Raises JobNotFound or Forbidden."""
    job = job_of(context)
    context.caller.require_write(job)
    return job


def printable(text: str) -> str:
    """A name without unprintable and bidirectional control characters, cut to MAX_NAME."""
    return "".join(character for character in text if character.isprintable()).strip()[:MAX_NAME]


class JobFilter(BaseModel):
    """A filter of jobs."""

    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    qc_status: QcStatus | None = None
    label: str | None = Field(None, pattern=f"^{LABEL_NAME}=.*$", max_length=300, description="name=value")
    owner: str | None = Field(None, max_length=100, description="for reviewers and admins; others see their own jobs")
    batch: str | None = Field(None, pattern=r"^[0-9a-f]{24}$", description="an import or a batch; not with a label")

    @model_validator(mode="after")
    def _label_or_batch(self) -> Self:
        if self.label is not None and self.batch is not None:
            raise ValueError("give a label or a batch, not both")
        return self

    def to_job_query(self, caller: Principal) -> JobQuery | None:
        """The query for a job store, limited to jobs that the caller may read; None if there can be none."""
        owner = self.owner if caller.sees_all else caller.owner
        if self.owner is not None and self.owner != owner:
            return None
        name, _, value = (self.label or "").partition("=")
        label = (name, value) if self.label is not None else None
        return JobQuery(status=self.status, qc_status=self.qc_status, owner=owner, label=label, batch=self.batch)


class JobsQuery(JobFilter):
    """One page of filtered jobs."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=1000, description="`next_cursor` of the page before")


def page(context: RequestContext[JobsQuery, object]) -> ApiResponse:
    """One page of jobs, newest change first."""
    query = context.query.to_job_query(context.caller)
    if query is None:
        return ApiResponse(content=JobPage(jobs=[], next_cursor=None))
    found = context.app.system.jobs.query(replace(query, limit=context.query.limit, cursor=context.query.cursor))
    return ApiResponse(content=JobPage(jobs=[JobView.of(job) for job in found.jobs], next_cursor=found.next_cursor))


def show(context: RequestContext) -> ApiResponse:
    """One job."""
    return ApiResponse(content=JobView.of(job_of(context)))


class Description(BaseModel):
    """The display name and labels of a job; absent fields keep their values."""

    model_config = ConfigDict(extra="forbid")

    display_name: str | None = Field(None, min_length=1, max_length=MAX_NAME)
    labels: Labels | None = Field(None, description="all labels; labels that are absent here are deleted")


def describe(context: RequestContext[object, Description]) -> ApiResponse:
    """Rename or label a job."""
    body = context.body
    return ApiResponse(content=JobView.of(described(context, body.display_name, labels=body.labels)))


def described(context: RequestContext, display_name: str | None, *, labels: dict[str, str] | None) -> Job:
    """The job of the path with another name or other labels; None keeps the value.

    Raises JobNotFound, Forbidden, or Invalid for a name without printable characters.
    """
    name = None if display_name is None else printable(display_name)
    if name == "":
        raise Invalid(f"display_name {display_name!r} has no printable characters")
    job, who = own_job(context), context.caller.owner
    return describe_job(context.app.system, job.id, display_name=name, labels=labels, who=who)


class Deleted(BaseModel):
    """The id of a deleted job."""

    deleted: str


def delete(context: RequestContext) -> ApiResponse:
    """Delete a job with its photograph, its results and its intermediate files."""
    job = own_job(context)
    delete_job(context.app.system, job.id)
    return ApiResponse(content=Deleted(deleted=job.id))


def cancel(context: RequestContext) -> ApiResponse:
    """Stop a job."""
    return ApiResponse(
        content=JobView.of(cancel_job(context.app.system, own_job(context).id, who=context.caller.owner))
    )


def replay(context: RequestContext) -> ApiResponse:
    """Continue a failed job at the step that failed."""
    replayed = replay_job(context.app.system, own_job(context).id, who=context.caller.owner)
    return ApiResponse(content=JobView.of(replayed), status=202)


class Rework(BaseModel):
    """Another pipeline for a job."""

    model_config = ConfigDict(extra="forbid")

    pipeline: object = Field(
        description="a preset's name, or a pipeline as JSON", json_schema_extra={"type": ["string", "object"]}
    )
    notes: str = Field("", max_length=2000, description="the reason; it is added to the job's history")


def rework(context: RequestContext[object, Rework]) -> ApiResponse:
    """Run a finished job again with another pipeline."""
    body = context.body
    pipeline = parse_pipeline(body.pipeline) if isinstance(body.pipeline, str) else build_pipeline(body.pipeline)
    job = own_job(context)
    changed = rework_job(context.app.system, job.id, pipeline, who=context.caller.owner, notes=body.notes)
    return ApiResponse(content=JobView.of(changed), status=202)


_JOB = ResponseSpec(description="the job", model=JobView)
_ACCEPTED = ResponseSpec(description="the accepted job", status=202, model=JobView)
ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/v1/jobs",
        name="list_jobs",
        summary="List jobs, newest change first",
        access="submitter",
        handler=page,
        responses=(ResponseSpec(description="one page", model=JobPage),),
        query=JobsQuery,
    ),
    route(
        method="GET",
        path="/v1/jobs/{job}",
        name="show_job",
        summary="Show one job",
        access="submitter",
        handler=show,
        responses=(_JOB,),
        problems=(404,),
    ),
    route(
        method="PATCH",
        path="/v1/jobs/{job}",
        name="describe_job",
        summary="Rename or label a job",
        access="submitter",
        handler=describe,
        responses=(_JOB,),
        problems=(404,),
        body=JsonBody(Description),
    ),
    route(
        method="DELETE",
        path="/v1/jobs/{job}",
        name="delete_job",
        summary="Delete a job with its photograph and results",
        access="submitter",
        handler=delete,
        responses=(ResponseSpec(description="the job was deleted", model=Deleted),),
        problems=(404,),
    ),
    route(
        method="POST",
        path="/v1/jobs/{job}/cancel",
        name="cancel_job",
        summary="Stop a job",
        access="submitter",
        handler=cancel,
        responses=(_JOB,),
        problems=(404, 409),
    ),
    route(
        method="POST",
        path="/v1/jobs/{job}/rework",
        name="rework_job",
        summary="Run a finished job again with another pipeline",
        access="submitter",
        handler=rework,
        responses=(_ACCEPTED,),
        problems=(404, 409),
        body=JsonBody(Rework),
    ),
    route(
        method="POST",
        path="/v1/jobs/{job}/replay",
        name="replay_job",
        summary="Continue a failed job at the step that failed",
        access="submitter",
        handler=replay,
        responses=(_ACCEPTED,),
        problems=(404, 409),
    ),
)
