"""Paths that other picture services have, answering as their descriptions say.

Each is a short form of what stands elsewhere in this API; nothing is worked out here.
"""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from darkroom.api.core.reading import checked, parse_json, read_raw
from darkroom.api.core.routing import PICTURES, ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.submissions import EnhanceRequest, Submission
from darkroom.api.core.views import JobView
from darkroom.api.routes import batches, enhancement, imports, previews, quality
from darkroom.api.routes.batches import BatchView, BatchWishes
from darkroom.api.routes.enhancement import Enhanced
from darkroom.api.routes.meta import Warm, open_models
from darkroom.api.routes.previews import Adjustments, Histogram
from darkroom.domain.pipeline import Pipeline, Preset, build_pipeline
from darkroom.domain.presets import PRODUCT_MIN_SIDE
from darkroom.domain.products.batches import Batch

Mode = Literal["auto", "full", "sharpen", "denoise", "upscale", "optimize"]
#: What is smaller is enlarged by interpolation, as those services do it; a network takes too long for such factors.
_TO_CATALOGUE_SIZE: JsonValue = {"scale": None, "min_side": PRODUCT_MIN_SIDE, "method": "lanczos"}


def remove_color_cast(call: RequestContext) -> ApiResponse:
    """The picture without its colour cast, in JSON."""
    return ApiResponse(content=_enhanced(call, build_pipeline({"preset": "color_cast"})))


def _enhanced(call: RequestContext, pipeline: Pipeline) -> Enhanced:
    return enhancement.told(*enhancement.develop_at_once(call, pipeline))


class InitModel(BaseModel):
    """That the models are ready."""

    status: Literal["success"] = "success"
    ready: Warm


def init_model(call: RequestContext) -> ApiResponse:
    """Open the models."""
    return ApiResponse(content=InitModel(ready=open_models(call)))


class ProcessWishes(EnhanceRequest):
    """A picture to colorize or to lighten."""

    mode: Literal["colorize", "enhance"] = Field("enhance", description="enhance: lift what is too dark")


_PROCESSES: dict[str, Preset] = {"colorize": "colorize", "enhance": "low_light"}


def process(call: RequestContext) -> ApiResponse:
    """The picture colorized, or lightened."""
    submission: Submission = call.body
    return enhancement.developed_answer(call, build_pipeline({"preset": _PROCESSES[submission.wishes.mode]}))


class ModeWishes(BaseModel):
    """What is to be done with product photographs."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    mode: Mode = "auto"
    remove_background: bool | None = Field(
        None, description="put the subject on white; if absent, with the modes auto and full only"
    )
    target_size_kb: int | None = Field(None, ge=1, le=102400, description="largest size of the result in kB")

    def asked(self) -> Pipeline:
        """The same as a pipeline."""
        whole = self.mode in ("auto", "full")
        cut_out = whole if self.remove_background is None else self.remove_background
        output: dict[str, JsonValue] = {"background": "#FFFFFF"} if cut_out else {}
        if self.target_size_kb is not None:
            output["target_size_kb"] = self.target_size_kb
        stages: dict[str, JsonValue] = {"background": True} if cut_out else {}
        if whole:
            stages["upscale"] = _TO_CATALOGUE_SIZE
        return build_pipeline({"preset": self.mode, "stages": stages, "output": output})


class EnhanceWishes(ModeWishes, EnhanceRequest):
    """A product photograph and what is to be done with it."""


def enhance(call: RequestContext) -> ApiResponse:
    """The enhanced photograph, in JSON."""
    submission: Submission = call.body
    wishes: EnhanceWishes = submission.wishes
    return ApiResponse(content=_enhanced(call, wishes.asked()))


class Reviewed(BaseModel):
    """A verdict that was recorded."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["success"] = "success"
    job: JobView


def review(call: RequestContext) -> ApiResponse:
    """Record a verdict; the body is JSON whatever its type claims, as `curl -d` sends it."""
    told = checked(quality.Review, parse_json(read_raw(call.request)))
    return ApiResponse(content=Reviewed(job=JobView.of(quality.reviewed(call, told))))


class ModeBatchWishes(ModeWishes):
    """Which product photographs, and what is to be done with them."""

    sku_id: str | None = Field(None, min_length=1, max_length=200)
    product_group_id: str | None = Field(None, min_length=1, max_length=200)

    def wanted(self) -> BatchWishes:
        """The same as /v1/batch takes it. Raises Invalid."""
        return checked(BatchWishes, self.model_dump(include={"sku_id", "product_group_id"}))


class BatchJob(BatchView):
    """A batch under the name that others give it."""

    job_id: str = Field(description="the batch's id")


def create_batch(call: RequestContext) -> ApiResponse:
    """Have a SKU's or a group's pictures done again."""
    wishes: ModeBatchWishes = call.body
    return ApiResponse(content=_batch_job(call, batches.started(call, wishes.wanted(), wishes.asked())), status=202)


def show_batch(call: RequestContext) -> ApiResponse:
    """How far a batch is."""
    return ApiResponse(content=_batch_job(call, batches.batch_of(call)))


def _batch_job(call: RequestContext, batch: Batch) -> BatchJob:
    return BatchJob(**dict(batches.view(call, batch)), job_id=batch.id)


def _picture(
    path: str, name: str, *, summary: str, handler: Callable[[RequestContext], ApiResponse], **rest: Any
) -> Route:
    given: dict[str, Any] = {
        "outcomes": (ResponseSpec(what="the picture and what was done", model=Enhanced),),
        "picture": EnhanceRequest,
        **rest,
    }
    return Route(method="POST", path=path, name=name, summary=summary, access="submitter", handler=handler, **given)


ROUTES: tuple[Route, ...] = (
    _picture("/remove-color-cast", "remove_color_cast", summary="Remove a colour cast", handler=remove_color_cast),
    _picture("/api/inference", "api_inference", summary="Remove a colour cast", handler=remove_color_cast),
    _picture(
        "/api/adjust",
        "api_adjust",
        summary="As /v1/adjust",
        handler=previews.adjust,
        picture=Adjustments,
        outcomes=(ResponseSpec(what="the picture", media=PICTURES),),
    ),
    _picture(
        "/api/histogram",
        "api_histogram",
        summary="As /v1/histogram",
        handler=previews.histogram,
        outcomes=(ResponseSpec(what="256 counts for each channel", model=Histogram),),
    ),
    Route(
        method="POST",
        path="/api/init_model",
        name="api_init_model",
        summary="As /v1/warmup",
        access="submitter",
        handler=init_model,
        outcomes=(ResponseSpec(what="what is ready", model=InitModel),),
    ),
    _picture(
        "/process",
        "process",
        summary="Colorize a picture, or lighten a dark one",
        handler=process,
        picture=ProcessWishes,
        outcomes=(ResponseSpec(what="the picture, or JSON if `Accept` prefers it", model=Enhanced, media=PICTURES),),
    ),
    _picture(
        "/api/v1/enhance/upload",
        "api_enhance_upload",
        summary="Enhance an uploaded product photograph",
        handler=enhance,
        picture=EnhanceWishes,
    ),
    _picture(
        "/api/v1/enhance/url",
        "api_enhance_url",
        summary="Enhance a product photograph behind a URL",
        handler=enhance,
        picture=EnhanceWishes,
    ),
    Route(
        method="POST",
        path="/api/v1/import",
        name="api_import",
        summary="As /v1/import",
        access="submitter",
        handler=imports.create,
        outcomes=(ResponseSpec(what="the import", status=202, model=imports.ImportView),),
        query=imports.ImportQuery,
        body=imports.ImportList,
        reads_body=True,
        texts=("text/csv",),
    ),
    Route(
        method="POST",
        path="/api/v1/batch",
        name="api_create_batch",
        summary="Have the pictures of a SKU or a group done again, by mode",
        access="submitter",
        handler=create_batch,
        outcomes=(ResponseSpec(what="the batch", status=202, model=BatchJob),),
        problems=(404,),
        body=ModeBatchWishes,
    ),
    Route(
        method="GET",
        path="/api/v1/batch/{batch}",
        name="api_show_batch",
        summary="As /v1/batch/{batch}",
        access="submitter",
        handler=show_batch,
        outcomes=(ResponseSpec(what="the batch", model=BatchJob),),
        problems=(404,),
    ),
    Route(
        method="GET",
        path="/api/v1/qc/pending",
        name="api_qc_pending",
        summary="As /v1/qc/pending",
        access="reviewer",
        handler=quality.pending,
        outcomes=(ResponseSpec(what="one page of the queue", model=quality.Queue),),
        query=quality.QueueQuery,
    ),
    Route(
        method="POST",
        path="/api/v1/qc/{job}/review",
        name="api_qc_review",
        summary="As /v1/qc/{job}/review",
        access="reviewer",
        handler=review,
        outcomes=(ResponseSpec(what="the verdict was recorded", model=Reviewed),),
        problems=(404, 409),
        body=quality.Review,
        reads_body=True,
    ),
)
