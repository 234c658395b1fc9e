"""How is a picture adjusted, counted and measured while somebody waits?

Within the limits of everything that is done at once, and without a pipeline around it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from pydantic import BaseModel, Field, JsonValue

from darkroom.api.core.routing import PICTURES, ApiResponse, RequestContext, ResponseSpec, Route
from darkroom.api.core.submissions import EnhanceRequest, picture_of
from darkroom.api.routes.enhancement import at_once, has_cast, require_small
from darkroom.domain.measurements import Measurements
from darkroom.domain.parameters import Adjustment, FinishParameters

if TYPE_CHECKING:  # pixel libraries are imported when the first picture comes
    from darkroom.imaging.codec import Decoded, OutputFormat

Result = TypeVar("Result")


class Adjustments(EnhanceRequest):
    """A picture and how it is to be adjusted; 0 changes nothing."""

    brightness: Adjustment = 0.0
    contrast: Adjustment = 0.0
    saturation: Adjustment = 0.0
    temperature: Adjustment = Field(0.0, description="above 0 warmer, below 0 cooler")
    smoothing: float = Field(0.0, ge=0.0, le=10.0, description="Gaussian smoothing, standard deviation in pixels")
    sharpness: float = Field(0.0, ge=0.0, le=3.0, description="amount of the unsharp mask; larger is sharper")
    format: Literal["keep", "jpeg", "png", "webp", "tiff", "avif"] = Field("keep", description="format of the answer")
    quality: int | None = Field(None, ge=1, le=100, description="1-100 for lossy formats")

    def parameters(self) -> FinishParameters:
        """The same as parameters of `finish`."""
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


def adjust(call: RequestContext) -> ApiResponse:
    """Adjust a picture: the live preview."""
    wishes: Adjustments = call.body.wishes

    def adjusted(decoded: "Decoded") -> ApiResponse:
        from darkroom.domain.formats import output_format
        from darkroom.imaging.codec import EncodeOptions, encode
        from darkroom.stages.finish import render

        made, _ = render(decoded.picture, wishes.parameters())
        chosen = output_format(wishes.parameters(), decoded.format, has_alpha=made.alpha is not None)
        # Somebody moves a slider and waits: what `finish` would press into fewer bytes is written quickly here.
        options = EncodeOptions(format=cast("OutputFormat", chosen), quality=wishes.quality, hasty=True)
        encoded = encode(made, options, decoded.metadata)
        return ApiResponse(content=encoded.data, content_type=encoded.content_type)

    return on_picture(call, adjusted)


class Histogram(BaseModel):
    """How often each value occurs, as the picture is seen: orientation and colour profile applied, 8 bits."""

    r: list[int] = Field(min_length=256, max_length=256)
    g: list[int] = Field(min_length=256, max_length=256)
    b: list[int] = Field(min_length=256, max_length=256)
    pixels: int


def histogram(call: RequestContext) -> ApiResponse:
    """Count the values of each channel."""
    return ApiResponse(content=histogram_of(call))


def histogram_of(call: RequestContext) -> Histogram:
    """The counts of a submitted picture."""
    return on_picture(call, _counted)


def _counted(decoded: "Decoded") -> Histogram:
    import numpy as np

    pixels = decoded.picture.pixels
    shift = decoded.picture.bits - 8
    counts = [np.bincount((pixels[..., channel] >> shift).ravel(), minlength=256).tolist() for channel in range(3)]
    return Histogram(r=counts[0], g=counts[1], b=counts[2], pixels=decoded.picture.height * decoded.picture.width)


class Assessment(BaseModel):
    """What is measured on a picture, and the verdict."""

    score: float = Field(description="0 to 100; larger is better")
    parts: dict[str, float] = Field(description="0 to 100 each")
    measurements: dict[str, JsonValue]
    cast_detected: bool
    notes: list[str]


def assess(call: RequestContext) -> ApiResponse:
    """Measure and score a picture."""

    def assessed(decoded: "Decoded") -> ApiResponse:
        from darkroom.execution.runner import open_score_model
        from darkroom.execution.step import measure_and_score

        report = measure_and_score(decoded, open_score_model(call.parts.bench()))
        content = Assessment(
            score=report.score,
            parts=report.parts,
            measurements=report.measurements,
            cast_detected=has_cast(Measurements.from_json(report.measurements)),
            notes=list(decoded.notes),
        )
        return ApiResponse(content=content)

    return on_picture(call, assessed)


def on_picture(call: RequestContext, work: "Callable[[Decoded], Result]") -> Result:
    """What `work` makes of the submitted picture, decoded, within the limits of what is done at once."""
    from darkroom.imaging.codec import decode

    data = picture_of(call)
    require_small(data)
    with call.parts.place():
        return work(decode(data, call.parts.bench().limits))


ROUTES: tuple[Route, ...] = (
    at_once(
        "adjust",
        "Brightness, contrast, saturation, temperature, smoothing, sharpness",
        wishes=Adjustments,
        handler=adjust,
        outcome=ResponseSpec(what="the picture", media=PICTURES),
    ),
    at_once(
        "histogram",
        "Count the values of each channel",
        wishes=EnhanceRequest,
        handler=histogram,
        outcome=ResponseSpec(what="256 counts for each of red, green and blue", model=Histogram),
    ),
    at_once(
        "assess",
        "Measure and score a picture",
        wishes=EnhanceRequest,
        handler=assess,
        outcome=ResponseSpec(what="the measurements", model=Assessment),
    ),
)
