"""Jobs and reports for tests of the domain."""

from datetime import UTC, datetime
from typing import Any

from darkroom.domain.job import Job, job_id
from darkroom.domain.measurements import Measurements
from darkroom.domain.messages import ModelRef, ObjectRef, Report, StepRecord, Upload
from darkroom.domain.new_job import with_first_step
from darkroom.domain.parameters import Stage
from darkroom.domain.pipeline import Quality, build_pipeline
from darkroom.domain.planner import Buckets

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
BUCKETS = Buckets(uploads="uploads", artifacts="artifacts", results="results")


def new_job(pipeline: object = None, *, name: str = "restore/1931/wedding.jpg", generation: int = 7) -> Job:
    """A job that stands at its first step."""
    ref = ObjectRef(bucket="uploads", name=name, generation=generation)
    job = Job(
        id=job_id(ref),
        source=Upload(ref=ref, size_bytes=1000),
        display_name=name,
        pipeline=build_pipeline({} if pipeline is None else pipeline),
        created_at=NOW,
        updated_at=NOW,
        expires_at=NOW,
    )
    return with_first_step(job, BUCKETS, NO_MODELS)


def report(score: float = 50.0, **measured: Any) -> Report:
    """What `assess` found; a clean JPEG of 640x480 unless told otherwise."""
    values = {"height": 480, "width": 640, "format": "jpeg", "exposure_median": 0.5, **measured}
    return Report(measurements=Measurements(**values).to_json(), score=score, parts={})


def record(job: Job, **fields: Any) -> StepRecord:
    """The record of the step at which the job stands."""
    step = job.plan[len(job.records)]
    output = ObjectRef(bucket=step.output_bucket, name=step.output_name, generation=1)
    told = {
        "stage": step.stage,
        "method": step.method,
        "model": step.model,
        "elapsed_ms": 1.0,
        "peak_memory_mb": 1.0,
        "run": job.run,
    }
    return StepRecord(parameters=step.parameters, output=output, **{**told, **fields})


class Models:
    """A catalogue of the given models."""

    def __init__(self, *refs: tuple[Stage, ModelRef]) -> None:
        self.refs = refs

    def model_ref(
        self, stage: Stage, model_id: str | None, factor: float = 1.0, *, quality: Quality = "best"
    ) -> ModelRef | None:
        found = [ref for where, ref in self.refs if where == stage and model_id in (None, ref.id)]
        return found[0] if found else None

    def model_seconds(self, stage: Stage, model_id: str, megapixels: float) -> float | None:
        return None


DENOISER = ModelRef(id="denoise", version="1", sha256="a" * 64, licence="Apache-2.0")
NO_MODELS = Models()
ONE_MODEL = Models(("denoise", DENOISER))
