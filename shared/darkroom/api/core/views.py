"""What do answers look like?

The models of everything that the API answers about jobs. They are a promise to clients, and change on purpose only,
whatever the records of the domain become.
"""

from datetime import datetime

from pydantic import BaseModel, Field, JsonValue

from darkroom.domain.history import HistoryEntry
from darkroom.domain.job import Job, JobError, QcStatus, Skipped, Status
from darkroom.domain.messages import ModelRef, Report, StepRecord
from darkroom.domain.parameters import Stage
from darkroom.domain.review import ReviewReason


class StageView(BaseModel):
    """What a finished step did."""

    stage: Stage
    method: str = Field(description="`model`, or the classical method that ran")
    model: ModelRef | None
    elapsed_ms: float
    degraded: bool = Field(description="the model could not run and the classical method stood in")
    doubtful: bool = Field(description="the stage is not sure of its result, so a person must look")
    reused: bool = Field(description="the output of an earlier run was found")
    notes: list[str]
    values: dict[str, JsonValue] = Field(description="what the stage found out")

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


class Links(BaseModel):
    """Where to go on."""

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


class JobView(BaseModel):
    """One photograph on its way."""

    id: str
    status: Status
    qc_status: QcStatus
    run: int = Field(description="1, and one more with every rework")
    display_name: str
    owner: str
    labels: dict[str, str]
    batches: list[str] = Field(description="imports and batches to which it belongs")
    pipeline: dict[str, JsonValue]
    plan: list[Stage] = Field(description="the stages of this run, in order; only `assess` until that has answered")
    stages: list[StageView] = Field(description="the steps that are done")
    skipped: list[Skipped] = Field(description="the stages that were left out, with the reasons")
    degraded: bool
    review_reasons: list[ReviewReason] = Field(description="why a person must look; empty if it could be approved")
    before: Report | None = Field(description="what was measured on the upload")
    after: Report | None = Field(description="what was measured on the result")
    error: JobError | None
    size_bytes: int = Field(description="size of the upload")
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    expires_at: datetime
    revision: int = Field(description="grows with every change")
    links: Links

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
    "error",
    "created_at",
    "updated_at",
    "completed_at",
    "expires_at",
    "revision",
}


class JobPage(BaseModel):
    """Some jobs, and where the next ones begin."""

    jobs: list[JobView]
    next_cursor: str | None = Field(description="the `cursor` of the next page; null on the last one")


class HistoryView(BaseModel):
    """Everything that happened to a job; lines are only ever added."""

    job: str
    history: list[HistoryEntry]


class Progress(BaseModel):
    """How far a job is."""

    job: str
    status: Status
    qc_status: QcStatus
    run: int
    done: int = Field(description="steps that are done")
    steps: int = Field(description="steps of the plan; 1 until the photograph is measured")
    stage: Stage | None = Field(description="the stage that works on it now")
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
