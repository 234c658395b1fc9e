"""Synchronous routes that run a pipeline or one stage on a picture.

They run in this process, with the planner, the stages and the encoders of the event path. A request that would take
too long is refused with the advice to post a job: more than 4 megapixels in, more than 16 out, or more than 25 s. The
time is checked before each step, and before each tile of a tiled step.
"""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from darkroom.api.core.app_context import MAX_SECONDS
from darkroom.api.core.bodies import PictureBody
from darkroom.api.core.routing import (
    PICTURES,
    ApiResponse,
    Endpoint,
    PictureContext,
    RequestContext,
    ResponseSpec,
    route,
)
from darkroom.api.core.submissions import PictureRequest, PipelineRequest, Submission, Values
from darkroom.api.core.views import StageView
from darkroom.domain.http_errors import NoSuchPath, TooLarge
from darkroom.domain.job import QcStatus, Skipped
from darkroom.domain.measurements import Measurements
from darkroom.domain.messages import Report
from darkroom.domain.parameters import PARAMETERS, FinishParameters, UpscaleParameters
from darkroom.domain.pipeline import Pipeline, build_pipeline
from darkroom.domain.presets import CAST_STRENGTH
from darkroom.domain.review import ReviewReason, step_reasons
from darkroom.domain.sizes import target_size
from darkroom.handlers.objects import pin_objects
from darkroom.runtime.bootstrap import processors

if TYPE_CHECKING:  # pixel libraries are imported with the first picture
    from darkroom.domain.messages import Step
    from darkroom.execution.runner import LocalRunner, PipelineResult
    from darkroom.imaging.picture import Picture

#: Largest picture of a synchronous request, in pixels.
MAX_PIXELS = 4_000_000
#: Largest result of a synchronous request, in pixels.
MAX_RESULT_PIXELS = 16_000_000
#: Response header with the codes of the review reasons, for a picture without JSON.
REVIEW_HEADER = "Darkroom-Review"
#: What the records call the mask of a request.
MASK_NAME = "the request's mask"
#: The end of error messages about the limits.
_ADVICE = "post a job to /v1/jobs instead"


class Scores(BaseModel):
    """Quality scores, 0 to 100, with their parts."""

    before: float
    after: float
    parts_before: dict[str, float]
    parts_after: dict[str, float]


class Enhanced(BaseModel):
    """A processed picture with the record of its processing."""

    model_config = ConfigDict(protected_namespaces=())

    status: Literal["success"] = "success"
    processed_image: str = Field(description="the file in base64")
    content_type: str
    width: int
    height: int
    processing_time: float = Field(description="seconds")
    cast_detected: bool = Field(description="whether the upload has a colour cast")
    cast_strength: float = Field(description="0 to 1")
    model_version: str | None = Field(description="id and version of each model that ran; null if none ran")
    scores: Scores
    qc_status: QcStatus = Field(description="the verdict of a job with this result")
    review_reasons: list[ReviewReason] = Field(description="why a person must review the result; empty if none must")
    stages: list[StageView]
    skipped: list[Skipped]


def enhance(context: RequestContext[object, Submission[PipelineRequest]]) -> ApiResponse:
    """Run a pipeline on a picture."""
    return enhanced_response(context, context.body.options.to_pipeline())


class StageRequest(PictureRequest):
    """A picture and the parameters of one stage."""

    parameters: Values = Field({}, description="parameters of the stage, see /v1/stages")
    output: Values = Field({}, description="parameters of `finish` for the result")


def run_stage(context: RequestContext[object, Submission[StageRequest]]) -> ApiResponse:
    """Run one stage on a picture."""
    stage, options = context.path["stage"], context.body.options
    if stage not in PARAMETERS or stage == "assess":
        names = ", ".join(name for name in PARAMETERS if name != "assess")
        raise NoSuchPath(f"there is no stage {stage[:80]!r} to run, expected one of {names}")
    if stage == "finish":
        output = {**options.parameters, **options.output}
        return enhanced_response(context, build_pipeline({"stages": [], "output": output}))
    chosen = [{"stage": stage, "parameters": options.parameters}]
    return enhanced_response(context, build_pipeline({"stages": chosen, "output": options.output}))


def enhanced_response(context: PictureContext, pipeline: Pipeline) -> ApiResponse:
    """The processed picture, or JSON with its record if the client prefers JSON."""
    if wants_json(context):
        return ApiResponse(content=to_response(*run_scored(context, pipeline)))
    result = run_unscored(context, pipeline)
    return ApiResponse(content=result.data, content_type=result.content_type, headers=_review_headers(result))


def _review_headers(result: "PipelineResult") -> dict[str, str]:
    """The header with the codes of the review reasons that need no score."""
    codes = dict.fromkeys(reason.code for reason in step_reasons(result.job.records))
    return {REVIEW_HEADER: ", ".join(codes)} if codes else {}


def wants_json(context: RequestContext) -> bool:
    """Whether the client prefers JSON to the picture. A client that accepts everything gets the picture."""
    accepted = context.request.accept_mimetypes
    best = accepted.best_match([*PICTURES, "application/json"], default=PICTURES[0])
    return best == "application/json"


def run_scored(context: PictureContext, pipeline: Pipeline) -> "tuple[PipelineResult, float]":
    """The result of a pipeline with scores, and its duration in seconds. Raises TooLarge with advice."""
    from darkroom.execution.runner import run_pipeline

    return _run(context, pipeline, run_pipeline)


def run_unscored(context: PictureContext, pipeline: Pipeline) -> "PipelineResult":
    """The result of a pipeline without the score of the result, which takes time. Raises TooLarge with advice."""
    from darkroom.execution.runner import run_without_scoring

    return _run(context, pipeline, run_without_scoring)[0]


def _run(
    context: PictureContext, pipeline: Pipeline, run: "Callable[..., PipelineResult]"
) -> "tuple[PipelineResult, float]":
    from darkroom.execution.runner import given_mask
    from darkroom.imaging.tiling import before_each_tile

    runner = _runner(context, pipeline)
    if (mask := context.body.mask) is not None:
        require_small(mask)
        runner, pipeline = given_mask(runner, pipeline, MASK_NAME, mask)
    data = context.body.picture(context.app.fetch)
    require_small(data)
    started = context.app.now()
    with context.app.inference_slot():
        deadline = _Deadline(context)
        with before_each_tile(deadline.check):
            result = run(runner, "upload", data, pipeline, watch=deadline.before_step)
    return result, (context.app.now() - started).total_seconds()


def _runner(context: RequestContext, pipeline: Pipeline) -> "LocalRunner":
    """A runner that reads the objects of the pipeline. Raises ObjectNotFound for objects of other callers."""
    system, runner = context.app.system, context.app.runner()
    refs = pin_objects(system, context.caller.owner, pipeline)

    def read_object(name: str) -> "Picture":
        from darkroom.imaging.codec import decode

        data = system.objects.read(refs[name])
        require_small(data)
        return decode(data, runner.limits).picture

    return replace(runner, read_object=read_object)


class _Deadline:
    """Ends a run that takes too long, or whose result becomes too large."""

    def __init__(self, context: RequestContext) -> None:
        self._now, self._started, self._stage = context.app.now, context.app.now(), "the first step"
        system = context.app.system
        self._model_registry, self._threads = system.model_registry, system.settings.threads or processors()

    def before_step(self, step: "Step", picture: "Picture") -> None:
        self._stage = step.stage
        self.check()
        height, width = _size_after(step, picture)
        _require(height * width, MAX_RESULT_PIXELS, f"a result of {width}x{height}")
        self._require_affordable(step, picture)

    def _require_affordable(self, step: "Step", picture: "Picture") -> None:
        """Refuse a step whose model needs more than the remaining time: a running model cannot be interrupted."""
        if step.model is None:
            return
        cpu_s = self._model_registry.model_seconds(step.stage, step.model.id, picture.height * picture.width / 1e6)
        will_take_s = (self._now() - self._started).total_seconds() + (cpu_s or 0.0) / self._threads
        if will_take_s > MAX_SECONDS:
            raise TooLarge(
                f"{step.stage} by {step.model.id} would end after {will_take_s:.0f} s, the limit is "
                f'{MAX_SECONDS:g} s; give the pipeline "quality": "fast", or {_ADVICE}',
                code="too_slow_at_once",
                value=round(will_take_s, 1),
                limit=MAX_SECONDS,
            )

    def check(self) -> None:
        took_s = (self._now() - self._started).total_seconds()
        if took_s > MAX_SECONDS:
            raise TooLarge(
                f"{self._stage} is not done after {took_s:.1f} s, the limit is {MAX_SECONDS:g} s; {_ADVICE}",
                code="too_slow_at_once",
                value=round(took_s, 1),
                limit=MAX_SECONDS,
            )


def _size_after(step: "Step", picture: "Picture") -> tuple[int, int]:
    parameters = PARAMETERS[step.stage].model_validate(step.parameters)
    if isinstance(parameters, UpscaleParameters):
        return target_size(parameters, picture.height, picture.width)
    if isinstance(parameters, FinishParameters):
        from darkroom.imaging.geometry import plan_layout

        layout = plan_layout(parameters, picture.height, picture.width)
        return layout.canvas_height, layout.canvas_width
    return picture.height, picture.width


def require_small(data: bytes) -> None:
    """Raises TooLarge, with advice, for a picture that declares too many pixels; BadImage for other data."""
    from darkroom.imaging.codec.decode_errors import reading
    from darkroom.imaging.codec.formats.dimensions import declared_size
    from darkroom.imaging.codec.formats.sniff import sniff
    from darkroom.imaging.codec.limits import Limits, require_bytes

    require_bytes(data, Limits())  # the body was limited already; this refuses empty data
    name = sniff(data)
    with reading("file"):
        size = declared_size(data, name)
    if size is not None:
        _require(size[0] * size[1], MAX_PIXELS, f"a picture of {size[0]}x{size[1]}")


def _require(pixels: int, limit: int, what: str) -> None:
    if pixels > limit:
        raise TooLarge(
            f"{what} has {pixels} pixels, the limit of synchronous requests is {limit}; {_ADVICE}",
            code="too_large_at_once",
            value=pixels,
            limit=limit,
        )


def to_response(result: "PipelineResult", elapsed_s: float) -> Enhanced:
    """The record of a run, with the picture in base64."""
    job, before, after = result.job, _report(result.job.before), _report(result.job.after)
    input_measurements, output_measurements = (
        Measurements.from_json(before.measurements),
        Measurements.from_json(after.measurements),
    )
    models = [f"{each.model.id} {each.model.version}" for each in job.records if each.model and each.stage != "assess"]
    return Enhanced(
        processed_image=base64.b64encode(result.data).decode(),
        content_type=result.content_type,
        width=output_measurements.width,
        height=output_measurements.height,
        processing_time=round(elapsed_s, 4),
        cast_detected=has_cast(input_measurements),
        cast_strength=input_measurements.cast_strength,
        model_version=", ".join(models) or None,
        scores=Scores(before=before.score, after=after.score, parts_before=before.parts, parts_after=after.parts),
        qc_status=job.qc_status,
        review_reasons=list(job.review_reasons),
        stages=[StageView.of(record, job.run) for record in job.records],
        skipped=list(job.skipped),
    )


def has_cast(measured: Measurements) -> bool:
    """Whether the planner would correct a colour cast."""
    return not measured.greyscale and measured.cast_strength > CAST_STRENGTH


def _report(report: Report | None) -> Report:
    assert report is not None  # every run begins and ends with a measurement
    return report


#: The picture, or JSON with its record.
_PICTURE_OR_JSON = ResponseSpec(
    description="the picture, or JSON if `Accept` prefers it", model=Enhanced, media=PICTURES
)
ROUTES: tuple[Endpoint, ...] = (
    route(
        method="POST",
        path="/v1/enhance",
        name="enhance",
        summary="Run a pipeline on a picture",
        access="submitter",
        handler=enhance,
        responses=(_PICTURE_OR_JSON,),
        body=PictureBody(PipelineRequest, takes_mask=True),
    ),
    route(
        method="POST",
        path="/v1/stages/{stage}",
        name="run_stage",
        summary="Run one stage on a picture",
        access="submitter",
        handler=run_stage,
        responses=(_PICTURE_OR_JSON,),
        problems=(404,),
        body=PictureBody(StageRequest, takes_mask=True),
    ),
)
