"""Runs the whole pipeline on one photograph in this process, without a server.

The planner, the stages and the records are those of the event path. Pictures between the stages stay in memory. A test
checks that the bytes of the result are the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from darkroom.domain.errors import PermanentError
from darkroom.domain.job import Job
from darkroom.domain.messages import ObjectRef, Step, Upload
from darkroom.domain.new_job import new_job, with_first_step
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.planner import Buckets, ModelRegistry, make_plan
from darkroom.execution.step import Inputs, StepOutcome, no_objects, run_assess, run_step, step_record
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
    job = _assessed(bench, made.job, finished).completed(bench.clock.now())
    return replace(made, job=job)


def run_without_scoring(
    bench: LocalRunner, name: str, data: bytes, pipeline: Pipeline, *, watch: Watch = _unwatched
) -> PipelineResult:
    """The same bytes without their score: the job stands before its last step. Raises PermanentError."""
    job = _begin(bench, name, data, pipeline)
    decoded = decode(data, bench.limits)
    job = _assessed(bench, job, decoded)
    if job.before is None:
        raise PermanentError("assess gave no report", code="no_report")
    steps, skipped = make_plan(job, job.before, bench.catalogue, BUCKETS)
    job = job.planned(bench.clock.now(), steps, skipped)
    return _run_steps(bench, job, decoded, watch)


def _begin(bench: LocalRunner, name: str, data: bytes, pipeline: Pipeline) -> Job:
    ref = ObjectRef(bucket=BUCKETS.uploads, name=name, generation=0)
    now = bench.clock.now()
    job = new_job(Upload(ref=ref, size_bytes=len(data)), now=now, expires_at=now)
    return with_first_step(job.model_copy(update={"pipeline": pipeline}), BUCKETS, bench.catalogue)


def _assessed(bench: LocalRunner, job: Job, decoded: Decoded) -> Job:
    step = job.plan[len(job.records)]
    bench.meter.start()
    outcome = run_assess(step, decoded, bench.models, is_first=not job.records)
    return _advanced(bench, job, step, outcome)


def _run_steps(bench: LocalRunner, job: Job, decoded: Decoded, watch: Watch) -> PipelineResult:
    picture = decoded.picture
    for step in job.plan[1:-1]:
        watch(step, picture)
        inputs = Inputs(picture=picture, source=decoded, read_object=bench.read_object)
        bench.meter.start()
        outcome = run_step(step, inputs, bench.models)
        job = _advanced(bench, job, step, outcome)
        if outcome.picture is not None:
            picture = outcome.picture
    return PipelineResult(job=job, data=outcome.data, content_type=outcome.content_type)


def _advanced(bench: LocalRunner, job: Job, step: Step, outcome: StepOutcome) -> Job:
    record = step_record(step, outcome, bench.meter.stop(), run=job.run)
    return job.advanced(bench.clock.now(), record)
