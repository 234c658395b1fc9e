"""Runs the whole pipeline on one photograph in this process, without a server.

The planner, the stages and the records are those of the event path. Pictures between the stages stay in memory. A test
checks that the bytes of the result are the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from darkroom.domain.acceptance import NO_CALIBRATIONS, Calibrations
from darkroom.domain.errors import PermanentError
from darkroom.domain.job import Job
from darkroom.domain.masks import with_mask
from darkroom.domain.messages import ObjectRef, Step, Upload
from darkroom.domain.new_job import new_job, with_first_step
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.planner import Buckets, ModelRegistry, make_plan
from darkroom.execution.step import Inputs, StepOutcome, no_objects, run_assess, run_step, step_record
from darkroom.imaging.codec import Decoded, Limits, decode
from darkroom.imaging.measurement.change import reduced
from darkroom.imaging.picture import Picture
from darkroom.runtime.ports import Clock, Meter
from darkroom.runtime.system import Models
from darkroom.stages import StageModel

#: Names of buckets in the manifest of a run in one process, which has no buckets.
BUCKETS = Buckets(uploads="input", artifacts="memory", results="output")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRunner:
    """The models, the clock, the meter and the limits of a run in one process."""

    model_registry: ModelRegistry
    models: Models
    clock: Clock
    meter: Meter
    limits: Limits
    #: Reads an object of the uploads bucket that the pipeline names; the access was checked before.
    read_object: Callable[[str], Picture] = no_objects
    #: By which the acceptance is estimated.
    calibrations: Calibrations = field(default_factory=lambda: NO_CALIBRATIONS)


def given_mask(runner: LocalRunner, pipeline: Pipeline, name: str, data: bytes) -> tuple[LocalRunner, Pipeline]:
    """The runner and the pipeline with a mask that is given as the bytes of a picture, called `name` in the records.

    Raises BadPipeline as `with_mask`.
    """

    def read_object(wanted: str) -> Picture:
        return decode(data, runner.limits).picture if wanted == name else runner.read_object(wanted)

    return replace(runner, read_object=read_object), with_mask(pipeline, name)


def open_score_model(runner: LocalRunner) -> StageModel | None:
    """The network that scores pictures; None if none is installed. Raises ModelUnusable if it cannot be opened."""
    model = runner.model_registry.model_ref("assess", None)
    return runner.models.open("assess", model.id, sha256=model.sha256) if model else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResult:
    """The finished picture and its job."""

    job: Job
    data: bytes
    content_type: str
    #: The upload, reduced to the size at which it is compared with the result.
    upload: Picture


#: Called before every step with its input picture; an exception that it raises ends the run.
Watch = Callable[[Step, Picture], None]


def _unwatched(step: Step, picture: Picture) -> None:
    """The default watch."""


def run_pipeline(
    runner: LocalRunner, name: str, data: bytes, pipeline: Pipeline, *, watch: Watch = _unwatched
) -> PipelineResult:
    """Run the whole pipeline on the bytes of one picture. Raises PermanentError if it cannot be done."""
    unscored = run_without_scoring(runner, name, data, pipeline, watch=watch)
    finished = decode(unscored.data, replace(runner.limits, max_bytes=len(unscored.data), max_pixels=2**40))
    job = _assessed(runner, unscored.job, finished, unscored.upload)
    job = job.completed(runner.clock.now(), runner.calibrations)
    return replace(unscored, job=job)


def run_without_scoring(
    runner: LocalRunner, name: str, data: bytes, pipeline: Pipeline, *, watch: Watch = _unwatched
) -> PipelineResult:
    """Run the pipeline up to the result, without the `assess` that scores it. Raises PermanentError."""
    job = _begin(runner, name, data, pipeline)
    decoded = decode(data, runner.limits)
    job = _assessed(runner, job, decoded)
    if job.before is None:
        raise PermanentError("assess gave no report", code="no_report")
    steps, skipped = make_plan(job, job.before, runner.model_registry, BUCKETS)
    job = job.planned(runner.clock.now(), steps, skipped)
    return _run_steps(runner, job, _Upload(data=data, decoded=decoded), watch)


def _begin(runner: LocalRunner, name: str, data: bytes, pipeline: Pipeline) -> Job:
    ref = ObjectRef(bucket=BUCKETS.uploads, name=name, generation=0)
    now = runner.clock.now()
    job = new_job(Upload(ref=ref, size_bytes=len(data)), now=now, expires_at=now)
    return with_first_step(job.model_copy(update={"pipeline": pipeline}), BUCKETS, runner.model_registry)


def _assessed(runner: LocalRunner, job: Job, decoded: Decoded, upload: Picture | None = None) -> Job:
    step = job.plan[len(job.records)]
    runner.meter.start()
    outcome = run_assess(step, decoded, runner.models, is_first=not job.records, upload=upload)
    return _advanced(runner, job, step, outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upload:
    """The file and the picture in it."""

    data: bytes
    decoded: Decoded


def _run_steps(runner: LocalRunner, job: Job, upload: _Upload, watch: Watch) -> PipelineResult:
    picture, small = upload.decoded.picture, reduced(upload.decoded.picture)
    for step in job.plan[1:-1]:
        watch(step, picture)
        inputs = Inputs(picture=picture, source=upload.decoded, upload=upload.data, read_object=runner.read_object)
        runner.meter.start()
        outcome = run_step(step, inputs, runner.models)
        job = _advanced(runner, job, step, outcome)
        if outcome.picture is not None:
            picture = outcome.picture
    return PipelineResult(job=job, data=outcome.data, content_type=outcome.content_type, upload=small)


def _advanced(runner: LocalRunner, job: Job, step: Step, outcome: StepOutcome) -> Job:
    record = step_record(step, outcome, runner.meter.stop(), run=job.run)
    return job.advanced(runner.clock.now(), record)
