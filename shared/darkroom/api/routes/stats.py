"""Routes with statistics of the service and cost estimates.

Aggregation queries count the jobs without reading them. Times come from the last completed jobs.
"""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median, quantiles

from pydantic import BaseModel, ConfigDict, Field

from darkroom.api.core.routing import ApiResponse, Endpoint, RequestContext, ResponseSpec, route
from darkroom.costs.estimate import Size, preset_estimate, prices_as_of
from darkroom.domain.errors import ConfigurationError
from darkroom.domain.http_errors import Invalid
from darkroom.domain.job import Job, QcStatus, Status
from darkroom.domain.parameters import Stage
from darkroom.domain.pipeline import Preset
from darkroom.inference.registry import Registry
from darkroom.runtime.ports import JobQuery, JobStore

#: Completed jobs that the times come from.
SAMPLE_SIZE = 200
#: Every status of a job.
_STATUSES: tuple[Status, ...] = ("pending", "processing", "completed", "failed", "cancelled")
#: Every verdict on a completed job.
_QC: tuple[QcStatus, ...] = ("auto_approved", "needs_review", "approved", "rejected")


class StatsQuery(BaseModel):
    """The owner of the jobs."""

    model_config = ConfigDict(extra="forbid")

    owner: str | None = Field(None, max_length=100, description="for reviewers and admins; others see their own")


class Times(BaseModel):
    """Durations of jobs or steps, in seconds."""

    counted: int
    median_s: float
    p95_s: float


class Stats(BaseModel):
    """Statistics of the service."""

    jobs: dict[Status, int]
    qc: dict[QcStatus, int] = Field(description="of completed jobs")
    success_rate: float | None = Field(description="completed, of all completed or failed; null if there is none")
    approval_rate: float | None = Field(description="approved automatically or by a reviewer, of all with a verdict")
    seconds: Times | None = Field(description=f"from upload to result, of the last {SAMPLE_SIZE} completed jobs")
    stages: dict[Stage, Times] = Field(description="of the steps of these jobs that ran in the last run")


def job_counts(jobs: JobStore, owner: str | None) -> dict[Status, int]:
    """The number of jobs in each status, of one owner or of all."""
    return {status: jobs.count(JobQuery(status=status, owner=owner)) for status in _STATUSES}


def verdict_counts(jobs: JobStore, owner: str | None) -> dict[QcStatus, int]:
    """The number of completed jobs with each verdict, of one owner or of all."""
    return {verdict: jobs.count(JobQuery(status="completed", qc_status=verdict, owner=owner)) for verdict in _QC}


def stats(context: RequestContext[StatsQuery, object]) -> ApiResponse:
    """Counts, times and rates."""
    query = context.query
    owner = query.owner if context.caller.sees_all else context.caller.owner
    if query.owner is not None and query.owner != owner:
        return ApiResponse(content=_stats(dict.fromkeys(_STATUSES, 0), dict.fromkeys(_QC, 0), ()))
    jobs = context.app.system.jobs
    counts, verdicts = job_counts(jobs, owner), verdict_counts(jobs, owner)
    latest = jobs.query(JobQuery(status="completed", owner=owner, limit=SAMPLE_SIZE)).jobs
    return ApiResponse(content=_stats(counts, verdicts, latest))


def _stats(counts: dict[Status, int], verdicts: dict[QcStatus, int], latest: Iterable[Job]) -> Stats:
    found = tuple(latest)
    took = [(job.completed_at - job.run_started_at).total_seconds() for job in found if job.completed_at]
    good = verdicts["auto_approved"] + verdicts["approved"]
    return Stats(
        jobs=counts,
        qc=verdicts,
        success_rate=_rate(counts["completed"], counts["failed"]),
        approval_rate=_rate(good, verdicts["rejected"]),
        seconds=_times(took) if took else None,
        stages={stage: _times(seconds) for stage, seconds in _by_stage(found).items()},
    )


def _rate(good: int, bad: int) -> float | None:
    return round(good / (good + bad), 4) if good + bad else None


def _by_stage(jobs: Iterable[Job]) -> dict[Stage, list[float]]:
    found: dict[Stage, list[float]] = defaultdict(list)
    for job in jobs:
        for record in job.records:
            if record.run == job.run:
                found[record.stage].append(record.elapsed_ms / 1000.0)
    return found


def _times(seconds: list[float]) -> Times:
    # quantiles() needs two values.
    p95 = quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return Times(counted=len(seconds), median_s=round(median(seconds), 3), p95_s=round(p95, 3))


class EstimateQuery(BaseModel):
    """Number, size and preset of the pictures."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    pictures: int = Field(ge=1, le=100_000_000)
    megapixels: float = Field(1.0, ge=0.01, le=100)
    preset: Preset = "product"
    cpu: float = Field(1.0, ge=1, le=8, description="processors of a stage")
    memory: float = Field(2.0, ge=0.5, le=32, description="memory of a stage in GiB")
    slowdown: float = Field(
        Size().slowdown, ge=0.25, le=10, description="factor between the measured processor and that of the cloud"
    )


class EstimatedStep(BaseModel):
    """One step of every picture."""

    stage: Stage
    method: str
    seconds: float


class BillLine(BaseModel):
    """One line of the bill."""

    what: str
    amount: float
    unit: str
    dollars: float


class EstimateView(BaseModel):
    """Time and cost of the pictures on Google Cloud."""

    pictures: int
    megapixels: float
    preset: Preset
    steps: list[EstimatedStep] = Field(description="the stages that the preset always runs")
    seconds_per_picture: float = Field(description="of all steps one after the other, without cold starts")
    machine_seconds: float = Field(
        description="of all pictures together; divide by the number of instances for the duration"
    )
    lines: list[BillLine]
    dollars: float
    dollars_after_free_tier: float
    prices_as_of: str = Field(description="date of the list prices")


def estimate(context: RequestContext[EstimateQuery, object]) -> ApiResponse:
    """Estimate the time and cost of pictures."""
    query = context.query
    settings = context.app.system.settings
    registry = Registry.load(settings.registry, commercial_only=settings.commercial_only)
    size = Size(cpu=query.cpu, memory_gib=query.memory, slowdown=query.slowdown)
    try:
        told = preset_estimate(query.pictures, query.megapixels, query.preset, registry=registry, size=size)
    except ConfigurationError as exc:
        raise Invalid(f"preset {query.preset} cannot be estimated: {exc}", code="not_measured") from exc
    each = sum(step.seconds for step in told.steps)
    return ApiResponse(
        content=EstimateView(
            pictures=told.pictures,
            megapixels=told.megapixels,
            preset=query.preset,
            steps=[EstimatedStep(stage=it.stage, method=it.method, seconds=round(it.seconds, 3)) for it in told.steps],
            seconds_per_picture=round(each, 3),
            machine_seconds=round(each * told.pictures, 1),
            lines=[BillLine(what=it.what, amount=it.amount, unit=it.unit, dollars=it.dollars) for it in told.lines],
            dollars=round(told.dollars, 2),
            dollars_after_free_tier=round(max(told.dollars - told.free_tier, 0.0), 2),
            prices_as_of=prices_as_of(),
        )
    )


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="GET",
        path="/v1/stats",
        name="stats",
        summary="Counts, times and success rates",
        access="submitter",
        handler=stats,
        responses=(ResponseSpec(description="the statistics", model=Stats),),
        query=StatsQuery,
    ),
    route(
        method="GET",
        path="/v1/estimate",
        name="estimate",
        summary="Estimate the time and cost of pictures on Google Cloud",
        access="submitter",
        handler=estimate,
        responses=(ResponseSpec(description="time and cost, with the date of the prices", model=EstimateView),),
        query=EstimateQuery,
    ),
)
