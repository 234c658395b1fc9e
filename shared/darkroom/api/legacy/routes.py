"""Routes with the paths and documents of five other picture services.

Each one translates its request for another route of this API, and has no processing of its own.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from darkroom import __version__
from darkroom.api.core.bodies import JsonBody, PictureBody, UnreadBody
from darkroom.api.core.reading import checked
from darkroom.api.core.routing import (
    PICTURES,
    ApiResponse,
    Endpoint,
    PictureContext,
    RequestContext,
    ResponseSpec,
    route,
)
from darkroom.api.core.submissions import PictureRequest, Submission
from darkroom.api.core.views import JobView
from darkroom.api.routes import batches, enhancement, imports, previews, quality
from darkroom.api.routes.batches import BatchRequest, BatchView
from darkroom.api.routes.enhancement import Enhanced
from darkroom.api.routes.meta import Warm, open_models
from darkroom.api.routes.previews import MAX_SHARPNESS, MAX_SMOOTHING, AdjustRequest, Histogram
from darkroom.domain.pipeline import Pipeline, Preset, build_pipeline
from darkroom.domain.presets import PRODUCT_MIN_SIDE
from darkroom.domain.products.batches import Batch

#: Modes of the product photographs.
Mode = Literal["auto", "full", "sharpen", "denoise", "upscale", "optimize"]
#: Small pictures are enlarged by interpolation, as in those services: a network is too slow for large factors.
_TO_CATALOGUE_SIZE: JsonValue = {"scale": None, "min_side": PRODUCT_MIN_SIDE, "method": "lanczos"}


def remove_color_cast(context: PictureContext) -> ApiResponse:
    """Remove the colour cast; the response is JSON."""
    return ApiResponse(content=_enhanced(context, build_pipeline({"preset": "color_cast"})))


def _enhanced(context: PictureContext, pipeline: Pipeline) -> Enhanced:
    return enhancement.to_response(*enhancement.run_scored(context, pipeline))


class InitModel(BaseModel):
    """The opened models."""

    status: Literal["success"] = "success"
    ready: Warm


def init_model(context: RequestContext) -> ApiResponse:
    """Open the models."""
    return ApiResponse(content=InitModel(ready=open_models(context)))


class Hello(BaseModel):
    """The service answers."""

    status: Literal["success"] = "success"
    message: str


def hello(context: RequestContext) -> ApiResponse:  # noqa: ARG001
    """Say that the service answers."""
    return ApiResponse(content=Hello(message=f"Darkroom {__version__}"))


class TemporaryFiles(BaseModel):
    """Temporary files of requests. There are none: a picture is processed in memory."""

    status: Literal["success"] = "success"
    files: list[str] = Field([], description="always empty")


def temporary_files(context: RequestContext) -> ApiResponse:  # noqa: ARG001
    """The temporary files that there are, or that were deleted."""
    return ApiResponse(content=TemporaryFiles())


#: A change in percent; 0 changes nothing.
Percent = Annotated[float, Field(ge=-100.0, le=100.0)]
#: A share of the greatest value in percent.
Share = Annotated[float, Field(ge=0.0, le=100.0)]


class AdjustPercentRequest(PictureRequest):
    """A picture and its adjustments in percent; 0 changes nothing."""

    brightness: Percent = 0.0
    contrast: Percent = 0.0
    saturation: Percent = 0.0
    temperature: Percent = Field(0.0, description="above 0 warmer, below 0 cooler")
    smoothing: Share = Field(0.0, description="100 is a Gaussian of 10 pixels")
    sharpness: Share = Field(0.0, description="100 is an unsharp mask of the amount 3")

    def to_adjust_request(self) -> AdjustRequest:
        """The request for /v1/adjust."""
        return AdjustRequest(
            brightness=self.brightness / 100.0,
            contrast=self.contrast / 100.0,
            saturation=self.saturation / 100.0,
            temperature=self.temperature / 100.0,
            smoothing=self.smoothing / 100.0 * MAX_SMOOTHING,
            sharpness=self.sharpness / 100.0 * MAX_SHARPNESS,
            format="png",
        )


def adjust(context: RequestContext[object, Submission[AdjustPercentRequest]]) -> ApiResponse:
    """Adjust a picture; the response is a PNG."""
    return previews.adjusted(context, context.body.options.to_adjust_request())


class ProcessRequest(PictureRequest):
    """A picture and its mode."""

    mode: Literal["colorize", "enhance"] = Field("enhance", description="enhance: brighten dark areas")


#: Preset of each mode of /process.
_PROCESSES: dict[str, Preset] = {"colorize": "colorize", "enhance": "low_light"}


def process(context: RequestContext[object, Submission[ProcessRequest]]) -> ApiResponse:
    """Colorize or brighten a picture."""
    preset = _PROCESSES[context.body.options.mode]
    return enhancement.enhanced_response(context, build_pipeline({"preset": preset}))


class ModeRequest(BaseModel):
    """The processing of product photographs."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    mode: Mode = "auto"
    remove_background: bool | None = Field(
        None, description="put the subject on white; the default is true for the modes auto and full"
    )
    target_size_kb: int | None = Field(None, ge=1, le=102400, description="largest size of the result in kB")

    def to_pipeline(self) -> Pipeline:
        """The pipeline of the mode."""
        whole = self.mode in ("auto", "full")
        cut_out = whole if self.remove_background is None else self.remove_background
        output: dict[str, JsonValue] = {"background": "#FFFFFF"} if cut_out else {}
        if self.target_size_kb is not None:
            output["target_size_kb"] = self.target_size_kb
        stages: dict[str, JsonValue] = {"background": True} if cut_out else {}
        if whole:
            stages["upscale"] = _TO_CATALOGUE_SIZE
        return build_pipeline({"preset": self.mode, "stages": stages, "output": output})


class ProductEnhanceRequest(ModeRequest, PictureRequest):
    """A product photograph and its processing."""


def enhance(context: RequestContext[object, Submission[ProductEnhanceRequest]]) -> ApiResponse:
    """Enhance a product photograph; the response is JSON."""
    return ApiResponse(content=_enhanced(context, context.body.options.to_pipeline()))


class Reviewed(BaseModel):
    """A recorded verdict."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["success"] = "success"
    job: JobView


def review(context: RequestContext[object, quality.Review]) -> ApiResponse:
    """Record a verdict."""
    return ApiResponse(content=Reviewed(job=JobView.of(quality.reviewed(context, context.body))))


class ModeBatchRequest(ModeRequest):
    """Product photographs and their processing."""

    sku_id: str | None = Field(None, min_length=1, max_length=200)
    product_group_id: str | None = Field(None, min_length=1, max_length=200)

    def to_batch_request(self) -> BatchRequest:
        """The request for /v1/batch. Raises Invalid."""
        return checked(BatchRequest, self.model_dump(include={"sku_id", "product_group_id"}))


class BatchJob(BatchView):
    """A batch, with its id in `job_id` too."""

    job_id: str = Field(description="the batch's id")


def create_batch(context: RequestContext[object, ModeBatchRequest]) -> ApiResponse:
    """Process the pictures of a SKU or a group again."""
    request = context.body
    batch = batches.started(context, request.to_batch_request(), request.to_pipeline())
    return ApiResponse(content=_batch_job(context, batch), status=202)


def show_batch(context: RequestContext) -> ApiResponse:
    """The progress of a batch."""
    return ApiResponse(content=_batch_job(context, batches.batch_of(context)))


def _batch_job(context: RequestContext, batch: Batch) -> BatchJob:
    return BatchJob(**dict(batches.view(context, batch)), job_id=batch.id)


#: The response of most routes: JSON with the picture in base64.
_ENHANCED = ResponseSpec(description="the picture and the record of its processing", model=Enhanced)
ROUTES: tuple[Endpoint, ...] = (
    route(
        method="POST",
        path="/remove-color-cast",
        name="remove_color_cast",
        summary="Remove a colour cast",
        access="submitter",
        handler=remove_color_cast,
        responses=(_ENHANCED,),
        body=PictureBody(PictureRequest),
    ),
    route(
        method="POST",
        path="/api/inference",
        name="api_inference",
        summary="Remove a colour cast",
        access="submitter",
        handler=remove_color_cast,
        responses=(_ENHANCED,),
        body=PictureBody(PictureRequest),
    ),
    route(
        method="POST",
        path="/api/adjust",
        name="api_adjust",
        summary="As /v1/adjust, with adjustments from -100 to 100; the response is a PNG",
        access="submitter",
        handler=adjust,
        responses=(ResponseSpec(description="the picture", media=("image/png",)),),
        body=PictureBody(AdjustPercentRequest),
    ),
    route(
        method="GET",
        path="/api/hello",
        name="api_hello",
        summary="Says that the service answers",
        access="anyone",
        handler=hello,
        responses=(ResponseSpec(description="the release", model=Hello),),
    ),
    route(
        method="POST",
        path="/api/cleanup",
        name="api_cleanup",
        summary="Deletes nothing: no request leaves temporary files",
        access="submitter",
        handler=temporary_files,
        responses=(ResponseSpec(description="an empty list", model=TemporaryFiles),),
    ),
    route(
        method="GET",
        path="/api/debug-temp",
        name="api_debug_temp",
        summary="Lists no files: no request leaves temporary files",
        access="submitter",
        handler=temporary_files,
        responses=(ResponseSpec(description="an empty list", model=TemporaryFiles),),
    ),
    route(
        method="POST",
        path="/api/histogram",
        name="api_histogram",
        summary="As /v1/histogram",
        access="submitter",
        handler=previews.histogram,
        responses=(ResponseSpec(description="256 counts for each channel", model=Histogram),),
        body=PictureBody(PictureRequest),
    ),
    route(
        method="POST",
        path="/api/init_model",
        name="api_init_model",
        summary="As /v1/warmup",
        access="submitter",
        handler=init_model,
        responses=(ResponseSpec(description="the opened models", model=InitModel),),
    ),
    route(
        method="POST",
        path="/process",
        name="process",
        summary="Colorize a picture, or brighten a dark one",
        access="submitter",
        handler=process,
        responses=(
            ResponseSpec(description="the picture, or JSON if `Accept` prefers it", model=Enhanced, media=PICTURES),
        ),
        body=PictureBody(ProcessRequest),
    ),
    route(
        method="POST",
        path="/api/v1/enhance/upload",
        name="api_enhance_upload",
        summary="Enhance an uploaded product photograph",
        access="submitter",
        handler=enhance,
        responses=(_ENHANCED,),
        body=PictureBody(ProductEnhanceRequest),
    ),
    route(
        method="POST",
        path="/api/v1/enhance/url",
        name="api_enhance_url",
        summary="Enhance a product photograph behind a URL",
        access="submitter",
        handler=enhance,
        responses=(_ENHANCED,),
        body=PictureBody(ProductEnhanceRequest),
    ),
    route(
        method="POST",
        path="/api/v1/import",
        name="api_import",
        summary="As /v1/import",
        access="submitter",
        handler=imports.create,
        responses=(ResponseSpec(description="the import", status=202, model=imports.ImportView),),
        query=imports.ImportQuery,
        body=UnreadBody(imports.ImportList, text_types=("text/csv",)),
    ),
    route(
        method="POST",
        path="/api/v1/batch",
        name="api_create_batch",
        summary="Process the pictures of a SKU or a group again, by mode",
        access="submitter",
        handler=create_batch,
        responses=(ResponseSpec(description="the batch", status=202, model=BatchJob),),
        problems=(404,),
        body=JsonBody(ModeBatchRequest),
    ),
    route(
        method="GET",
        path="/api/v1/batch/{batch}",
        name="api_show_batch",
        summary="As /v1/batch/{batch}",
        access="submitter",
        handler=show_batch,
        responses=(ResponseSpec(description="the batch", model=BatchJob),),
        problems=(404,),
    ),
    route(
        method="GET",
        path="/api/v1/qc/pending",
        name="api_qc_pending",
        summary="As /v1/qc/pending",
        access="reviewer",
        handler=quality.pending,
        responses=(ResponseSpec(description="one page of the queue", model=quality.Queue),),
        query=quality.QueueQuery,
    ),
    route(
        method="POST",
        path="/api/v1/qc/{job}/review",
        name="api_qc_review",
        summary="As /v1/qc/{job}/review",
        access="reviewer",
        handler=review,
        responses=(ResponseSpec(description="the verdict was recorded", model=Reviewed),),
        problems=(404, 409),
        body=JsonBody(quality.Review, any_type=True),
    ),
)
