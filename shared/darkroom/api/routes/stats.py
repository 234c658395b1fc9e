"""How is the service doing, and what would more pictures cost?

Jobs are counted by queries that read none of them; times come from the last few that were completed.
"""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median, quantiles

from pydantic import BaseModel, ConfigDict, Field

from darkroom.api.core.routing import ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.costs.estimate import Size, preset_estimate, prices_as_of
from darkroom.domain.errors import ConfigurationError
from darkroom.domain.http_errors import Invalid
from darkroom.domain.job import Job, QcStatus, Status
from darkroom.domain.parameters import Stage
from darkroom.domain.pipeline import Preset
from darkroom.inference.registry import Registry
from darkroom.runtime.ports import JobQuery

#: Completed jobs whose times are looked at.
LOOKED_AT = 200
_STATUSES: tuple[Status, ...] = ("pending", "processing", "completed", "failed", "cancelled")
_QC: tuple[QcStatus, ...] = ("auto_approved", "needs_review", "approved", "rejected")


class StatsQuery(BaseModel):
    """Whose jobs."""

    model_config = ConfigDict(extra="forbid")

    owner: str | None = Field(None, max_length=100, description="for reviewers and admins; others see their own")


class Times(BaseModel):
    """Seconds of some jobs or steps."""

    counted: int
    median_s: float
    p95_s: float


class Stats(BaseModel):
    """How the service is doing."""

    jobs: dict[Status, int]
    qc: dict[QcStatus, int] = Field(description="of completed jobs")
    success_rate: float | None = Field(description="completed, of all that ended by themselves; null if none has")
    approval_rate: float | None = Field(description="approved by the score or by a person, of all with a verdict")
    seconds: Times | None = Field(description=f"from upload to result, of the last {LOOKED_AT} completed jobs")
    stages: dict[Stage, Times] = Field(description="of the steps of these jobs that were not found done")


def stats(call: RequestContext) -> ApiResponse:
    """Counts, times and rates."""
    asked: StatsQuery = call.query
    owner = asked.owner if call.caller.sees_all else call.caller.owner
    if asked.owner is not None and asked.owner != owner:
        return ApiResponse(content=_stats(dict.fromkeys(_STATUSES, 0), dict.fromkeys(_QC, 0), ()))
    jobs = call.parts.system.jobs
    counts = {status: jobs.count(JobQuery(status=status, owner=owner)) for status in _STATUSES}
    verdicts = {verdict: jobs.count(JobQuery(status="completed", qc_status=verdict, owner=owner)) for verdict in _QC}
    latest = jobs.query(JobQuery(status="completed", owner=owner, limit=LOOKED_AT)).jobs
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
    # With a single value there is nothing to interpolate between.
    p95 = quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return Times(counted=len(seconds), median_s=round(median(seconds), 3), p95_s=round(p95, 3))


class EstimateQuery(BaseModel):
    """How many pictures, how large, and what is done with them."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    pictures: int = Field(ge=1, le=100_000_000)
    megapixels: float = Field(1.0, ge=0.01, le=100)
    preset: Preset = "product"
    cpu: float = Field(1.0, ge=1, le=8, description="processors of a stage")
    memory: float = Field(2.0, ge=0.5, le=32, description="memory of a stage in GiB")
    slowdown: float = Field(
        Size().slowdown, ge=0.25, le=10, description="how many times slower a processor there is than the measured one"
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
    """What so many pictures take and cost on Google Cloud."""

    pictures: int
    megapixels: float
    preset: Preset
    steps: list[EstimatedStep] = Field(description="the stages that the preset always runs")
    seconds_per_picture: float = Field(description="of all steps one after the other, without cold starts")
    machine_seconds: float = Field(description="of all pictures together; divided by the instances, the time it takes")
    lines: list[BillLine]
    dollars: float
    dollars_after_free_tier: float
    prices_as_of: str = Field(description="date of the list prices")


def estimate(call: RequestContext) -> ApiResponse:
    """Seconds and money."""
    asked: EstimateQuery = call.query
    settings = call.parts.system.settings
    registry = Registry.load(settings.registry, commercial_only=settings.commercial_only)
    size = Size(cpu=asked.cpu, memory_gib=asked.memory, slowdown=asked.slowdown)
    try:
        told = preset_estimate(asked.pictures, asked.megapixels, asked.preset, registry=registry, size=size)
    except ConfigurationError as exc:
        raise Invalid(f"preset {asked.preset} cannot be estimated: {exc}", code="not_measured") from exc
    each = sum(step.seconds for step in told.steps)
    return ApiResponse(
        content=EstimateView(
            pictures=told.pictures,
            megapixels=told.megapixels,
            preset=asked.preset,
            steps=[EstimatedStep(stage=it.stage, method=it.method, seconds=round(it.seconds, 3)) for it in told.steps],
            seconds_per_picture=round(each, 3),
            machine_seconds=round(each * told.pictures, 1),
            lines=[BillLine(what=it.what, amount=it.amount, unit=it.unit, dollars=it.dollars) for it in told.lines],
            dollars=round(told.dollars, 2),
            dollars_after_free_tier=round(max(told.dollars - told.free_tier, 0.0), 2),
            prices_as_of=prices_as_of(),
        )
    )


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/stats",
        name="stats",
        summary="Counts, times and success rates",
        access="submitter",
        handler=stats,
        outcomes=(ResponseSpec(what="how the service is doing", model=Stats),),
        query=StatsQuery,
    ),
    Route(
        method="GET",
        path="/v1/estimate",
        name="estimate",
        summary="What so many pictures take and cost on Google Cloud",
        access="submitter",
        handler=estimate,
        outcomes=(ResponseSpec(what="seconds and money, with the prices", model=EstimateView),),
        query=EstimateQuery,
    ),
)
