"""Routes of quality control: the queue of results for review, and the verdicts of reviewers.

If several reviewers decide at the same time, the first verdict counts and the others get a conflict. An existing
verdict changes only if the request gives the revision of the job that the reviewer has seen.
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from darkroom.api.core.bodies import JsonBody
from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.api.core.views import HistoryView, JobView
from darkroom.api.routes.jobs import job_of
from darkroom.domain.http_errors import Conflict
from darkroom.domain.job import Job
from darkroom.domain.new_job import LABEL_NAME
from darkroom.domain.pipeline import Pipeline, build_pipeline, parse_pipeline
from darkroom.handlers.job_commands import Check, review_job, rework_job, unreviewed
from darkroom.runtime.ports import JobQuery


class Pending(BaseModel):
    """A result that waits for a review."""

    job: JobView
    reasons: list[str] = Field(description="why it was not approved automatically")
    before: str = Field(description="path of the original")
    after: str = Field(description="path of the result")


class Queue(BaseModel):
    """Results that wait for a review, oldest first."""

    pending: list[Pending]
    next_cursor: str | None


class QueueQuery(BaseModel):
    """One page of the queue."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=1000, description="`next_cursor` of the page before")
    label: str | None = Field(None, pattern=f"^{LABEL_NAME}=.*$", max_length=300, description="name=value")


def pending(context: RequestContext[QueueQuery, object]) -> ApiResponse:
    """The queue."""
    filters = context.query
    label = filters.label.split("=", 1) if filters.label is not None else None
    query = JobQuery(
        status="completed",
        qc_status="needs_review",
        label=(label[0], label[1]) if label else None,
        order="oldest_first",
        limit=filters.limit,
        cursor=filters.cursor,
    )
    found = context.app.system.jobs.query(query)
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
    """The verdict of a reviewer."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["approved", "rejected"]
    reviewer_id: str = Field("", max_length=100, description="name of the reviewer; the owner of the key is added")
    notes: str = Field("", max_length=2000)
    pipeline: object = Field(
        None,
        description="with `rejected`: run the job again with this preset or pipeline",
        json_schema_extra={"type": ["string", "object", "null"]},
    )
    revision: int | None = Field(
        None, ge=0, description="the revision of the job that was reviewed; required to change a verdict"
    )

    @model_validator(mode="after")
    def _pipeline_needs_rejected(self) -> "Review":
        if self.status == "approved" and self.pipeline is not None:
            raise ValueError("a pipeline is allowed with rejected only: the job runs again with it")
        return self

    def to_pipeline(self) -> Pipeline | None:
        """The pipeline of a rework. Raises BadPipeline."""
        if self.pipeline is None:
            return None
        return parse_pipeline(self.pipeline) if isinstance(self.pipeline, str) else build_pipeline(self.pipeline)


def review(context: RequestContext[object, Review]) -> ApiResponse:
    """Approve or reject a result, or run the job again."""
    return ApiResponse(content=JobView.of(reviewed(context, context.body)))


def reviewed(context: RequestContext, verdict: Review) -> Job:
    """The job with the verdict. Raises NotAllowed or Conflict."""
    pipeline, job = verdict.to_pipeline(), job_of(context)
    who, check, system = _who(context, verdict), _check(verdict), context.app.system
    if pipeline is not None:
        return rework_job(system, job.id, pipeline, who=who, notes=verdict.notes, check=check)
    approved = verdict.status == "approved"
    return review_job(system, job.id, approved=approved, who=who, notes=verdict.notes, check=check)


def _who(context: RequestContext, verdict: Review) -> str:
    """The name of the reviewer with the owner of the key, so that nobody decides under another name."""
    owner = context.caller.owner
    if not owner or verdict.reviewer_id in ("", owner):
        return verdict.reviewer_id or owner
    return f"{verdict.reviewer_id} ({owner})"


def _check(verdict: Review) -> Check:
    if verdict.revision is None:
        return unreviewed

    def check(job: Job) -> None:
        if job.revision != verdict.revision:
            raise Conflict(
                f"job {job.id} has revision {job.revision}, revision {verdict.revision} was reviewed",
                value=verdict.revision,
                limit=job.revision,
            )

    return check


def history(context: RequestContext) -> ApiResponse:
    """The history of a job."""
    job = job_of(context)
    return ApiResponse(content=HistoryView(job=job.id, history=list(job.history)))


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/v1/qc/pending",
        name="qc_pending",
        summary="List results that wait for a review, oldest first",
        access="reviewer",
        handler=pending,
        responses=(ResponseSpec(description="one page of the queue", model=Queue),),
        query=QueueQuery,
    ),
    route(
        method="POST",
        path="/v1/qc/{job}/review",
        name="qc_review",
        summary="Approve or reject a result, or run the job again",
        access="reviewer",
        handler=review,
        responses=(ResponseSpec(description="the job", model=JobView),),
        problems=(404, 409),
        body=JsonBody(Review),
    ),
    route(
        method="GET",
        path="/v1/qc/{job}/history",
        name="qc_history",
        summary="Show the history of a job",
        access="submitter",
        handler=history,
        responses=(ResponseSpec(description="the history", model=HistoryView),),
        problems=(404,),
    ),
)
