"""Response models of jobs.

They are the contract with clients. They are separate from the domain's records, so that those can change freely.
"""

from datetime import datetime

from pydantic import BaseModel, Field, JsonValue

from darkroom.api.core.caching import tag_of
from darkroom.domain.acceptance import Acceptance
from darkroom.domain.history import HistoryEntry
from darkroom.domain.job import Job, JobError, QcStatus, Skipped, Status
from darkroom.domain.messages import ModelRef, Report, StepRecord
from darkroom.domain.parameters import Stage
from darkroom.domain.review import ReviewReason


class StageView(BaseModel):
    """The record of a finished step."""

    stage: Stage
    method: str = Field(description="`model`, or the classical method that ran")
    model: ModelRef | None
    elapsed_ms: float
    degraded: bool = Field(description="the model could not run, so the classical method ran instead")
    doubtful: bool = Field(
        description="low confidence: the stage is not sure of its result, so a person must review it"
    )
    reused: bool = Field(description="the output of an earlier run was reused")
    notes: list[str]
    values: dict[str, JsonValue] = Field(description="values that the stage reports")

    @classmethod
    def of(cls, record: StepRecord, run: int) -> "StageView":
        return cls(
            stage=record.stage,
            method=record.method,
            model=record.model,
            elapsed_ms=record.elapsed_ms,
            degraded=record.degraded,
            doubtful=record.doubtful,
            reused=record.run < run,
            notes=list(record.notes),
            values=dict(record.values),
        )


def result_tag(job: Job) -> str:
    """The version of the result: its bytes and its name."""
    return tag_of(job.result, job.display_name)


def original_tag(job: Job) -> str:
    """The version of the uploaded photograph: its bytes and its name."""
    return tag_of(job.source.ref, job.display_name)


class Links(BaseModel):
    """Paths of related resources."""

    job: str
    original: str
    thumbnail: str
    events: str
    result: str | None = Field(description="null until there is a result")
    manifest: str | None = Field(description="null until the job is completed")

    @classmethod
    def of(cls, job: Job) -> "Links":
        own = f"/v1/jobs/{job.id}"
        return cls(
            job=own,
            original=f"{own}/original",
            thumbnail=f"{own}/thumbnail",
            events=f"{own}/events",
            result=f"{own}/result" if job.result else None,
            manifest=f"{own}/manifest" if job.status == "completed" else None,
        )


class Etags(BaseModel):
    """ETags of the pictures. With its `etag` in the query, a client may keep a picture for a year."""

    original: str
    result: str | None = Field(description="null until there is a result; a rework changes it")

    @classmethod
    def of(cls, job: Job) -> "Etags":
        return cls(original=original_tag(job), result=result_tag(job) if job.result else None)


class JobView(BaseModel):
    """A job: one photograph and its processing."""

    id: str
    status: Status
    qc_status: QcStatus
    run: int = Field(description="number of the run: 1, and one more for every rework")
    display_name: str
    owner: str
    labels: dict[str, str]
    batches: list[str] = Field(description="imports and batches that contain the job")
    pipeline: dict[str, JsonValue]
    plan: list[Stage] = Field(
        description="the stages of this run, in order; only `assess` until the photograph is measured"
    )
    stages: list[StageView] = Field(description="the finished steps")
    skipped: list[Skipped] = Field(description="the skipped stages, with the reasons")
    degraded: bool
    acceptance: Acceptance | None = Field(
        description="how probably a person would accept the result; null if the pipeline is not calibrated"
    )
    review_reasons: list[ReviewReason] = Field(description="why a person must review the result; empty if none must")
    before: Report | None = Field(description="measurements of the upload")
    after: Report | None = Field(description="measurements of the result")
    error: JobError | None
    size_bytes: int = Field(description="size of the upload")
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    expires_at: datetime
    revision: int = Field(description="grows with every change")
    links: Links
    etags: Etags

    @classmethod
    def of(cls, job: Job) -> "JobView":
        copied = job.model_dump(include=_COPIED)
        return cls(
            **copied,
            pipeline=job.pipeline.model_dump(mode="json"),
            plan=[step.stage for step in job.plan],
            stages=[StageView.of(record, job.run) for record in job.records],
            size_bytes=job.source.size_bytes,
            degraded=job.degraded,
            review_reasons=list(job.review_reasons),
            links=Links.of(job),
            etags=Etags.of(job),
        )


_COPIED = {
    "id",
    "status",
    "qc_status",
    "run",
    "display_name",
    "owner",
    "labels",
    "batches",
    "skipped",
    "before",
    "after",
    "acceptance",
    "error",
    "created_at",
    "updated_at",
    "completed_at",
    "expires_at",
    "revision",
}


class JobPage(BaseModel):
    """One page of jobs."""

    jobs: list[JobView]
    next_cursor: str | None = Field(description="the `cursor` of the next page; null on the last one")


class HistoryView(BaseModel):
    """The history of a job. Entries are only added."""

    job: str
    history: list[HistoryEntry]


class Progress(BaseModel):
    """The progress of a job."""

    job: str
    status: Status
    qc_status: QcStatus
    run: int
    done: int = Field(description="finished steps")
    steps: int = Field(description="steps of the plan; 1 until the photograph is measured")
    stage: Stage | None = Field(description="the stage that processes the photograph now")
    error: JobError | None
    revision: int

    @classmethod
    def of(cls, job: Job) -> "Progress":
        request = job.next_request()
        return cls(
            job=job.id,
            status=job.status,
            qc_status=job.qc_status,
            run=job.run,
            done=len(job.records),
            steps=len(job.plan),
            stage=request.step.stage if request else None,
            error=job.error,
            revision=job.revision,
        )
