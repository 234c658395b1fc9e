"""How does a picture get its answer at once?

In this process, with the planner, the stages and the encoders of the event path. What would take too long is refused,
with the advice to post a job: more than 4 megapixels in, more than 16 out, or more than 25 s, which is looked at before
each step and, in a step that works piece by piece, before each piece.
"""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from darkroom.api.core.parts import MAX_SECONDS
from darkroom.api.core.routing import PICTURES, ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.submissions import EnhanceRequest, PipelineWishes, Submission, Values, picture_of
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

if TYPE_CHECKING:  # pixel libraries are imported when the first picture comes
    from darkroom.domain.messages import Step
    from darkroom.execution.runner import LocalRunner, PipelineResult
    from darkroom.imaging.picture import Picture

#: Largest picture in pixels that is worked on at once, and largest one that may come of it.
MAX_PIXELS, MAX_RESULT_PIXELS = 4_000_000, 16_000_000
#: Names the reasons for which a person must look at a picture that is answered without JSON.
REVIEW_HEADER = "Darkroom-Review"
_ADVICE = "post a job to /v1/jobs instead"

Result = TypeVar("Result")


class Scores(BaseModel):
    """Quality, 0 to 100, with the parts that it is made of."""

    before: float
    after: float
    parts_before: dict[str, float]
    parts_after: dict[str, float]


class Enhanced(BaseModel):
    """A picture that came out of the pipeline, with what was done."""

    model_config = ConfigDict(protected_namespaces=())

    status: Literal["success"] = "success"
    processed_image: str = Field(description="the file in base64")
    content_type: str
    width: int
    height: int
    processing_time: float = Field(description="seconds")
    cast_detected: bool = Field(description="whether the upload has a colour cast")
    cast_strength: float = Field(description="0 to 1")
    model_version: str | None = Field(
        description="id and version of each model that worked on the picture; null if none did"
    )
    scores: Scores
    qc_status: QcStatus = Field(description="the verdict that a job with this result would have")
    review_reasons: list[ReviewReason] = Field(description="why a person must look; empty if it could be approved")
    stages: list[StageView]
    skipped: list[Skipped]


def enhance(call: RequestContext) -> ApiResponse:
    """Run a pipeline on a picture."""
    submission: Submission = call.body
    wishes: PipelineWishes = submission.wishes
    return developed_answer(call, wishes.asked())


class StageWishes(EnhanceRequest):
    """A picture that one stage is to work on."""

    parameters: Values = Field({}, description="parameters of the stage, see /v1/stages")
    output: Values = Field({}, description="wishes for the result: parameters of `finish`")


def run_stage(call: RequestContext) -> ApiResponse:
    """Run one stage on a picture."""
    stage, wishes = call.path["stage"], call.body.wishes
    if stage not in PARAMETERS or stage == "assess":
        known = ", ".join(name for name in PARAMETERS if name != "assess")
        raise NoSuchPath(f"there is no stage {stage[:80]!r} to run, expected one of {known}")
    if stage == "finish":
        return developed_answer(call, build_pipeline({"stages": [], "output": {**wishes.parameters, **wishes.output}}))
    chosen = [{"stage": stage, "parameters": wishes.parameters}]
    return developed_answer(call, build_pipeline({"stages": chosen, "output": wishes.output}))


def developed_answer(call: RequestContext, pipeline: Pipeline) -> ApiResponse:
    """The answer that the client accepts: the picture, or JSON with everything."""
    if wants_json(call):
        return ApiResponse(content=told(*develop_at_once(call, pipeline)))
    made = render_at_once(call, pipeline)
    return ApiResponse(content=made.data, content_type=made.content_type, headers=_review_headers(made))


def _review_headers(made: "PipelineResult") -> dict[str, str]:
    """The codes of the reasons for a review that are known without the score, for whoever takes the picture alone."""
    codes = dict.fromkeys(reason.code for reason in step_reasons(made.job.records))
    return {REVIEW_HEADER: ", ".join(codes)} if codes else {}


def wants_json(call: RequestContext) -> bool:
    """Whether the client prefers JSON to the picture; whoever accepts everything gets the picture."""
    accepted = call.request.accept_mimetypes
    best = accepted.best_match([*PICTURES, "application/json"], default=PICTURES[0])
    return best == "application/json"


def develop_at_once(call: RequestContext, pipeline: Pipeline) -> "tuple[PipelineResult, float]":
    """A picture through the pipeline, and how many seconds that took. Raises TooLarge with advice."""
    from darkroom.execution.runner import run_pipeline

    return _at_once(call, pipeline, run_pipeline)


def render_at_once(call: RequestContext, pipeline: Pipeline) -> "PipelineResult":
    """The same for whoever wants the picture alone: nobody waits for the score of the result."""
    from darkroom.execution.runner import run_without_scoring

    return _at_once(call, pipeline, run_without_scoring)[0]


def _at_once(
    call: RequestContext, pipeline: Pipeline, run: "Callable[..., PipelineResult]"
) -> "tuple[PipelineResult, float]":
    from darkroom.imaging.tiling import before_each_tile

    bench = _bench(call, pipeline)
    data = picture_of(call)
    require_small(data)
    started = call.parts.now()
    with call.parts.place():
        patience = _Patience(call)
        with before_each_tile(patience.look):
            developed = run(bench, "upload", data, pipeline, watch=patience.before_a_step)
    return developed, (call.parts.now() - started).total_seconds()


def _bench(call: RequestContext, pipeline: Pipeline) -> "LocalRunner":
    """The bench of one run, which reads what the pipeline names. Raises ObjectNotFound for what the caller may not."""
    system, bench = call.parts.system, call.parts.bench()
    refs = pin_objects(system, call.caller.owner, pipeline)

    def read_object(name: str) -> "Picture":
        from darkroom.imaging.codec import decode

        data = system.objects.read(refs[name])
        require_small(data)
        return decode(data, bench.limits).picture

    return replace(bench, read_object=read_object)


class _Patience:
    """Ends a run that takes too long, or whose result becomes too large."""

    def __init__(self, call: RequestContext) -> None:
        self._now, self._began, self._stage = call.parts.now, call.parts.now(), "the first step"
        system = call.parts.system
        self._model_registry, self._threads = system.model_registry, system.settings.threads or processors()

    def before_a_step(self, step: "Step", picture: "Picture") -> None:
        self._stage = step.stage
        self.look()
        height, width = _size_after(step, picture)
        _require(height * width, MAX_RESULT_PIXELS, f"a result of {width}x{height}")
        self._require_affordable(step, picture)

    def _require_affordable(self, step: "Step", picture: "Picture") -> None:
        """Refuse a step whose model is known to take longer than what is left: nothing interrupts one that runs."""
        if step.model is None:
            return
        cpu_s = self._model_registry.model_seconds(step.stage, step.model.id, picture.height * picture.width / 1e6)
        will_take_s = (self._now() - self._began).total_seconds() + (cpu_s or 0.0) / self._threads
        if will_take_s > MAX_SECONDS:
            raise TooLarge(
                f"{step.stage} by {step.model.id} would be done after {will_take_s:.0f} s, at once there are "
                f'{MAX_SECONDS:g} s; give the pipeline "quality": "fast", or {_ADVICE}',
                code="too_slow_at_once",
                value=round(will_take_s, 1),
                limit=MAX_SECONDS,
            )

    def look(self) -> None:
        took_s = (self._now() - self._began).total_seconds()
        if took_s > MAX_SECONDS:
            raise TooLarge(
                f"after {took_s:.1f} s {self._stage} is not done, at once there are {MAX_SECONDS:g} s; {_ADVICE}",
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
    """Raises TooLarge, with advice, for a picture that declares too many pixels; BadImage for what is no picture."""
    from darkroom.imaging.codec.decode_errors import reading
    from darkroom.imaging.codec.formats.dimensions import declared_size
    from darkroom.imaging.codec.formats.sniff import sniff
    from darkroom.imaging.codec.limits import Limits, require_bytes

    require_bytes(data, Limits())  # what is too large came no further; what is empty is no picture
    name = sniff(data)
    with reading("file"):
        size = declared_size(data, name)
    if size is not None:
        _require(size[0] * size[1], MAX_PIXELS, f"a picture of {size[0]}x{size[1]}")


def _require(pixels: int, limit: int, what: str) -> None:
    if pixels > limit:
        raise TooLarge(
            f"{what} has {pixels} pixels, at once there are {limit}; {_ADVICE}",
            code="too_large_at_once",
            value=pixels,
            limit=limit,
        )


def told(developed: "PipelineResult", elapsed_s: float) -> Enhanced:
    """What was done, with the picture in base64."""
    job, before, after = developed.job, _report(developed.job.before), _report(developed.job.after)
    seen, made = Measurements.from_json(before.measurements), Measurements.from_json(after.measurements)
    models = [f"{each.model.id} {each.model.version}" for each in job.records if each.model and each.stage != "assess"]
    return Enhanced(
        processed_image=base64.b64encode(developed.data).decode(),
        content_type=developed.content_type,
        width=made.width,
        height=made.height,
        processing_time=round(elapsed_s, 4),
        cast_detected=has_cast(seen),
        cast_strength=seen.cast_strength,
        model_version=", ".join(models) or None,
        scores=Scores(before=before.score, after=after.score, parts_before=before.parts, parts_after=after.parts),
        qc_status=job.qc_status,
        review_reasons=list(job.review_reasons),
        stages=[StageView.of(record, job.run) for record in job.records],
        skipped=list(job.skipped),
    )


def has_cast(measured: Measurements) -> bool:
    """Whether the planner would call it a colour cast."""
    return not measured.greyscale and measured.cast_strength > CAST_STRENGTH


def _report(report: Report | None) -> Report:
    assert report is not None  # every run begins and ends with a measurement
    return report


def at_once(
    name: str,
    summary: str,
    *,
    wishes: type[EnhanceRequest],
    handler: Callable[[RequestContext], ApiResponse],
    outcome: ResponseSpec,
) -> Route:
    """A route of this module's kind."""
    return Route(
        method="POST",
        path=f"/v1/{name}",
        name=name,
        summary=summary,
        access="submitter",
        handler=handler,
        outcomes=(outcome,),
        problems=(413, 415, 422, 503),
        picture=wishes,
    )


_PICTURE_OR_JSON = ResponseSpec(what="the picture, or JSON if `Accept` prefers it", model=Enhanced, media=PICTURES)
ROUTES: tuple[Route, ...] = (
    at_once("enhance", "Run a pipeline on a picture", wishes=PipelineWishes, handler=enhance, outcome=_PICTURE_OR_JSON),
    Route(
        method="POST",
        path="/v1/stages/{stage}",
        name="run_stage",
        summary="Run one stage on a picture",
        access="submitter",
        handler=run_stage,
        outcomes=(_PICTURE_OR_JSON,),
        problems=(404, 413, 415, 422, 503),
        picture=StageWishes,
    ),
)
