"""How does a photograph go through the pipeline without a server?

The same planner, stages and records as in the event path, one after the other in this process; the pictures between
the stages stay in memory. The result's bytes are those of the event path, which a test holds them to.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from darkroom.domain.errors import PermanentError
from darkroom.domain.job import Job, job_id
from darkroom.domain.messages import ObjectRef, Step, StepRecord, Upload
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.planner import Buckets, ModelRegistry, first_step, make_plan
from darkroom.execution.step import Inputs, assess, no_objects, run_step
from darkroom.imaging.codec import Decoded, Limits, decode
from darkroom.imaging.picture import Picture
from darkroom.runtime.ports import Clock, Meter
from darkroom.runtime.system import Models
from darkroom.stages import StageModel

#: There are no buckets in process; the names stand in the manifest.
BUCKETS = Buckets(uploads="input", artifacts="memory", results="output")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRunner:
    """What an in-process run needs: models, a clock, a meter and the limits."""

    catalogue: ModelRegistry
    models: Models
    clock: Clock
    meter: Meter
    limits: Limits
    #: Reads an object of the uploads bucket that the pipeline names, which was allowed before.
    read_object: Callable[[str], Picture] = no_objects


def open_score_model(bench: LocalRunner) -> StageModel | None:
    """The network that scores pictures; None if none is installed. Raises ModelUnusable if it cannot be opened."""
    model = bench.catalogue.model_ref("assess", None)
    return bench.models.open("assess", model.id, sha256=model.sha256) if model else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResult:
    """A photograph that came out of the pipeline."""

    job: Job
    data: bytes
    content_type: str


#: Is told of every step before it begins, with the picture that goes in; what it raises ends the run.
Watch = Callable[[Step, Picture], None]


def _unwatched(step: Step, picture: Picture) -> None:
    """The default watch."""


def run_pipeline(
    bench: LocalRunner, name: str, data: bytes, pipeline: Pipeline, *, watch: Watch = _unwatched
) -> PipelineResult:
    """Run the whole pipeline on the bytes of one picture. Raises PermanentError if it cannot be done."""
    made = run_without_scoring(bench, name, data, pipeline, watch=watch)
    finished = decode(made.data, replace(bench.limits, max_bytes=len(made.data), max_pixels=2**40))
    job = _assessed(bench, made.job, finished, run_again=True).completed(bench.clock.now())
    return replace(made, job=job)


def run_without_scoring(
    bench: LocalRunner, name: str, data: bytes, pipeline: Pipeline, *, watch: Watch = _unwatched
) -> PipelineResult:
    """The same bytes without their score: the job stands before its last step. Raises PermanentError."""
    job = _begin(bench, name, data, pipeline)
    decoded = decode(data, bench.limits)
    job = _assessed(bench, job, decoded, run_again=False)
    if job.before is None:
        raise PermanentError("assess gave no report", code="no_report")
    steps, skipped = make_plan(job, job.before, bench.catalogue, BUCKETS)
    job = job.planned(bench.clock.now(), steps, skipped)
    return _carry_out(bench, job, decoded, watch)


def _begin(bench: LocalRunner, name: str, data: bytes, pipeline: Pipeline) -> Job:
    ref = ObjectRef(bucket=BUCKETS.uploads, name=name, generation=0)
    now = bench.clock.now()
    source = Upload(ref=ref, size_bytes=len(data))
    job = Job(
        id=job_id(ref),
        source=source,
        display_name=name,
        pipeline=pipeline,
        created_at=now,
        updated_at=now,
        expires_at=now + timedelta(),
    )
    return job.model_copy(update={"plan": (first_step(job, BUCKETS, bench.catalogue),)})


def _assessed(bench: LocalRunner, job: Job, decoded: Decoded, *, run_again: bool) -> Job:
    bench.meter.start()
    step = job.plan[len(job.records)]
    report = assess(step, decoded, bench.models)
    notes = () if run_again else decoded.notes
    record = _record(bench, step, job, method=step.method, notes=notes)
    told = {"model": step.model, "report": report}
    return job.advanced(bench.clock.now(), record.model_copy(update=told))


def _carry_out(bench: LocalRunner, job: Job, decoded: Decoded, watch: Watch) -> PipelineResult:
    picture = decoded.picture
    for step in job.plan[1:-1]:
        watch(step, picture)
        bench.meter.start()
        inputs = Inputs(picture=picture, source=decoded, read_object=bench.read_object)
        outcome = run_step(step, inputs, bench.models)
        record = _record(bench, step, job, method=outcome.method, notes=outcome.notes)
        told = {
            "model": outcome.model,
            "degraded": outcome.degraded,
            "doubtful": outcome.doubtful,
            "values": dict(outcome.values),
        }
        job = job.advanced(bench.clock.now(), record.model_copy(update=told))
        if outcome.picture is not None:
            picture = outcome.picture
    return PipelineResult(job=job, data=outcome.data, content_type=outcome.content_type)


def _record(bench: LocalRunner, step: Step, job: Job, *, method: str, notes: tuple[str, ...]) -> StepRecord:
    usage = bench.meter.stop()
    return StepRecord(
        stage=step.stage,
        method=method,
        parameters=step.parameters,
        output=ObjectRef(bucket=step.output_bucket, name=step.output_name, generation=0),
        elapsed_ms=round(usage.elapsed_ms, 1),
        peak_memory_mb=round(usage.peak_memory_mb, 1),
        notes=notes,
        run=job.run,
    )
