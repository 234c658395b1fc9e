"""How do people decide about results?

Of several reviewers at the same moment the first wins and the others hear so. A verdict that stands is changed only by
whoever names the revision that they have seen.
"""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.views import HistoryView, JobView
from darkroom.api.routes.jobs import job_of
from darkroom.domain.http_errors import Conflict
from darkroom.domain.job import Job
from darkroom.domain.pipeline import Pipeline, build_pipeline, parse_pipeline
from darkroom.handlers.job_commands import Check, review_job, rework_job, unreviewed
from darkroom.runtime.ports import JobQuery


class Pending(BaseModel):
    """A result that waits for a person."""

    job: JobView
    reasons: list[str] = Field(description="why it was not approved by itself")
    before: str = Field(description="path of the original")
    after: str = Field(description="path of the result")


class Queue(BaseModel):
    """Results that wait for a person, oldest first."""

    pending: list[Pending]
    next_cursor: str | None


class QueueQuery(BaseModel):
    """Which part of the queue."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=1000, description="`next_cursor` of the page before")
    label: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,63}=.*$", max_length=300, description="name=value")


def pending(call: RequestContext) -> ApiResponse:
    """The queue."""
    asked: QueueQuery = call.query
    label = asked.label.split("=", 1) if asked.label is not None else None
    query = JobQuery(
        status="completed",
        qc_status="needs_review",
        label=(label[0], label[1]) if label else None,
        order="oldest_first",
        limit=asked.limit,
        cursor=asked.cursor,
    )
    found = call.parts.system.jobs.query(query)
    return ApiResponse(content=Queue(pending=[_waiting(job) for job in found.jobs], next_cursor=found.next_cursor))


def _waiting(job: Job) -> Pending:
    view = JobView.of(job)
    return Pending(job=view, reasons=list(_reasons(job)), before=view.links.original, after=view.links.result or "")


def _reasons(job: Job) -> Iterator[str]:
    for reason in job.review_reasons:
        yield reason.message
        if reason.code == "low_score" and job.after and job.after.parts:
            part, value = min(job.after.parts.items(), key=lambda item: item[1])
            yield f"weakest part: {part} {value:.1f}"


class Review(BaseModel):
    """A person's verdict."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["approved", "rejected"]
    reviewer_id: str = Field("", max_length=100, description="who decides; the owner of the key stands beside it")
    notes: str = Field("", max_length=2000)
    pipeline: Any = Field(
        None,
        description="with `rejected`: run the job again with this preset or pipeline",
        json_schema_extra={"type": ["string", "object", "null"]},
    )
    revision: int | None = Field(
        None, ge=0, description="the job's revision that was looked at; needed to change a verdict"
    )

    @model_validator(mode="after")
    def _pipeline_goes_with_rejected(self) -> "Review":
        if self.status == "approved" and self.pipeline is not None:
            raise ValueError("a pipeline goes with rejected: it is run instead of the one before")
        return self

    def asked(self) -> Pipeline | None:
        """The pipeline of a rework. Raises BadPipeline."""
        if self.pipeline is None:
            return None
        return parse_pipeline(self.pipeline) if isinstance(self.pipeline, str) else build_pipeline(self.pipeline)


def review(call: RequestContext) -> ApiResponse:
    """Approve or reject a result, or have it done again."""
    return ApiResponse(content=JobView.of(reviewed(call, call.body)))


def reviewed(call: RequestContext, told: Review) -> Job:
    """The job with the verdict. Raises NotAllowed or Conflict."""
    pipeline, job = told.asked(), job_of(call)
    who, check, system = _who(call, told), _check(told), call.parts.system
    if pipeline is not None:
        return rework_job(system, job.id, pipeline, who=who, notes=told.notes, check=check)
    approved = told.status == "approved"
    return review_job(system, job.id, approved=approved, who=who, notes=told.notes, check=check)


def _who(call: RequestContext, told: Review) -> str:
    """Nobody can sign with another's name alone: the owner of the key stands beside it."""
    owner = call.caller.owner
    if not owner or told.reviewer_id in ("", owner):
        return told.reviewer_id or owner
    return f"{told.reviewer_id} ({owner})"


def _check(told: Review) -> Check:
    if told.revision is None:
        return unreviewed

    def check(job: Job) -> None:
        if job.revision != told.revision:
            raise Conflict(
                f"job {job.id} has revision {job.revision}, revision {told.revision} was looked at",
                value=told.revision,
                limit=job.revision,
            )

    return check


def history(call: RequestContext) -> ApiResponse:
    """Everything that happened to a job."""
    job = job_of(call)
    return ApiResponse(content=HistoryView(job=job.id, history=list(job.history)))


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/qc/pending",
        name="qc_pending",
        summary="Results that wait for a person, oldest first",
        access="reviewer",
        handler=pending,
        outcomes=(ResponseSpec(what="one page of the queue", model=Queue),),
        query=QueueQuery,
    ),
    Route(
        method="POST",
        path="/v1/qc/{job}/review",
        name="qc_review",
        summary="Approve or reject a result, or have it done again",
        access="reviewer",
        handler=review,
        outcomes=(ResponseSpec(what="the job", model=JobView),),
        problems=(404, 409),
        body=Review,
    ),
    Route(
        method="GET",
        path="/v1/qc/{job}/history",
        name="qc_history",
        summary="Who did what to a job, and when",
        access="submitter",
        handler=history,
        outcomes=(ResponseSpec(what="the history", model=HistoryView),),
        problems=(404,),
    ),
)
