"""Synchronous routes without a pipeline: adjustments, histogram and assessment of a picture.

They have the limits of every synchronous request.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from pydantic import BaseModel, Field, JsonValue

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
from darkroom.api.core.submissions import PictureRequest, Submission
from darkroom.api.routes.enhancement import has_cast, require_small
from darkroom.domain.measurements import Measurements
from darkroom.domain.parameters import Adjustment, FinishParameters

if TYPE_CHECKING:  # pixel libraries are imported with the first picture
    from darkroom.imaging.codec import Decoded, OutputFormat

Result = TypeVar("Result")
#: Largest smoothing: standard deviation of a Gaussian in pixels.
MAX_SMOOTHING = 10.0
#: Largest amount of the unsharp mask.
MAX_SHARPNESS = 3.0


class AdjustRequest(PictureRequest):
    """A picture and its adjustments; 0 changes nothing."""

    brightness: Adjustment = 0.0
    contrast: Adjustment = 0.0
    saturation: Adjustment = 0.0
    temperature: Adjustment = Field(0.0, description="above 0 warmer, below 0 cooler")
    smoothing: float = Field(0.0, ge=0.0, le=MAX_SMOOTHING, description="standard deviation of a Gaussian in pixels")
    sharpness: float = Field(0.0, ge=0.0, le=MAX_SHARPNESS, description="amount of the unsharp mask")
    format: Literal["keep", "jpeg", "png", "webp", "tiff", "avif"] = Field("keep", description="format of the response")
    quality: int | None = Field(None, ge=1, le=100, description="1-100 for lossy formats")

    def parameters(self) -> FinishParameters:
        """The parameters for the stage `finish`."""
        return FinishParameters(
            brightness=self.brightness,
            contrast=self.contrast,
            saturation=self.saturation,
            temperature=self.temperature,
            smooth=self.smoothing,
            sharpen=self.sharpness,
            format=self.format,
            quality=self.quality,
        )


def adjust(context: RequestContext[object, Submission[AdjustRequest]]) -> ApiResponse:
    """Adjust a picture: a live preview."""
    return adjusted(context, context.body.options)


def adjusted(context: PictureContext, request: AdjustRequest) -> ApiResponse:
    """The submitted picture with these adjustments."""
    parameters = request.parameters()

    def work(decoded: "Decoded") -> ApiResponse:
        from darkroom.domain.formats import output_format
        from darkroom.imaging.codec import EncodeOptions, encode
        from darkroom.stages.finish import render

        rendered, _ = render(decoded.picture, parameters)
        chosen = output_format(parameters, decoded.format, has_alpha=rendered.alpha is not None)
        # A preview must be fast, so the encoder is faster and its files are larger than those of `finish`.
        options = EncodeOptions(format=cast("OutputFormat", chosen), quality=request.quality, hasty=True)
        encoded = encode(rendered, options, decoded.metadata)
        return ApiResponse(content=encoded.data, content_type=encoded.content_type)

    return on_picture(context, work)


class Histogram(BaseModel):
    """Counts of each 8-bit value, with the orientation and the colour profile applied."""

    r: list[int] = Field(min_length=256, max_length=256)
    g: list[int] = Field(min_length=256, max_length=256)
    b: list[int] = Field(min_length=256, max_length=256)
    pixels: int


def histogram(context: PictureContext) -> ApiResponse:
    """Count the values of each channel."""
    return ApiResponse(content=histogram_of(context))


def histogram_of(context: PictureContext) -> Histogram:
    """The counts of a submitted picture."""
    return on_picture(context, _counted)


def _counted(decoded: "Decoded") -> Histogram:
    import numpy as np

    pixels = decoded.picture.pixels
    shift = decoded.picture.bits - 8
    counts = [np.bincount((pixels[..., channel] >> shift).ravel(), minlength=256).tolist() for channel in range(3)]
    return Histogram(r=counts[0], g=counts[1], b=counts[2], pixels=decoded.picture.height * decoded.picture.width)


class Assessment(BaseModel):
    """Measurements of a picture, and its score."""

    score: float = Field(description="0 to 100; larger is better")
    parts: dict[str, float] = Field(description="0 to 100 each")
    measurements: dict[str, JsonValue]
    cast_detected: bool
    notes: list[str]


def assess(context: PictureContext) -> ApiResponse:
    """Measure and score a picture."""

    def assessed(decoded: "Decoded") -> ApiResponse:
        from darkroom.execution.runner import open_score_model
        from darkroom.execution.step import measure_and_score

        report = measure_and_score(decoded, open_score_model(context.app.runner()))
        content = Assessment(
            score=report.score,
            parts=report.parts,
            measurements=report.measurements,
            cast_detected=has_cast(Measurements.from_json(report.measurements)),
            notes=list(decoded.notes),
        )
        return ApiResponse(content=content)

    return on_picture(context, assessed)


def on_picture(context: PictureContext, work: "Callable[[Decoded], Result]") -> Result:
    """The result of `work` on the decoded picture, within the limits of synchronous requests."""
    from darkroom.imaging.codec import decode

    data = context.body.picture(context.app.fetch)
    require_small(data)
    with context.app.inference_slot():
        return work(decode(data, context.app.runner().limits))


ROUTES: tuple[Endpoint, ...] = (
    route(
        method="POST",
        path="/v1/adjust",
        name="adjust",
        summary="Brightness, contrast, saturation, temperature, smoothing, sharpness",
        access="submitter",
        handler=adjust,
        responses=(ResponseSpec(description="the picture", media=PICTURES),),
        body=PictureBody(AdjustRequest),
    ),
    route(
        method="POST",
        path="/v1/histogram",
        name="histogram",
        summary="Count the values of each channel",
        access="submitter",
        handler=histogram,
        responses=(ResponseSpec(description="256 counts for each of red, green and blue", model=Histogram),),
        body=PictureBody(PictureRequest),
    ),
    route(
        method="POST",
        path="/v1/assess",
        name="assess",
        summary="Measure and score a picture",
        access="submitter",
        handler=assess,
        responses=(ResponseSpec(description="the measurements", model=Assessment),),
        body=PictureBody(PictureRequest),
    ),
)
