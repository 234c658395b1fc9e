"""Defines the parameters of each stage, with their limits and defaults.

Pure data: the dispatcher validates and resolves parameters without importing a pixel library. `darkroom stages` and
docs/stages.md show the same names, units and defaults.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

Stage = Literal[
    "assess",
    "repair",
    "denoise",
    "deblur",
    "low_light",
    "white_balance",
    "colorize",
    "background",
    "upscale",
    "finish",
]


def _collect_name(name: str, info: ValidationInfo) -> str:
    """Add the name to the set that `object_names` passes as the context of the validation."""
    if isinstance(info.context, set):
        info.context.add(name)
    return name


#: Name of an object in the uploads bucket. Every parameter of this type, at any depth, is found by `object_names`,
#: so that `darkroom.handlers.objects` checks that the owner of the job may read it.
ObjectName = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_collect_name)]
#: A colour as #RRGGBB.
HexColor = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]
#: A side length in pixels.
Side = Annotated[int, Field(ge=1, le=16384)]
#: A relative adjustment; 0 changes nothing.
Adjustment = Annotated[float, Field(ge=-1.0, le=1.0, description="relative change; 0 changes nothing")]

#: Share of the picture that must surely be damaged before a preset repairs it. Source: 372 clean photographs and 233
#: damaged ones, docs/stages.md; at 0.01 of the clean ones 5 are touched.
REPAIR_EVIDENCE = 0.01


class Parameters(BaseModel):
    """The parameters of every stage."""

    #: Strict: true is not a number, and "88" is not a number.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    #: The classical methods of the stage, the default one first; empty if there is none.
    classical: ClassVar[tuple[str, ...]] = ()


class RestorationParameters(Parameters):
    """The parameters of every stage that changes the picture by a model or a classical method."""

    strength: float = Field(1.0, ge=0.0, le=1.0, description="blend with the stage's input; 0 returns the input")
    fallback: bool = Field(False, description="run the classical method, marked as degraded, if the model cannot run")
    model: str | None = Field(None, description="id of a registered model instead of the stage's default one")


class MaskedParameters(RestorationParameters):
    """The parameters of the stages that take a mask."""

    mask_object: ObjectName | None = Field(
        None,
        description="name of an object in the uploads bucket that is the mask: one of the same owner, or a shared one",
    )


class AssessParameters(Parameters):
    """Measure and score."""

    reference_pixels: int | None = Field(
        None, ge=1, description="pixels of the upload: an enlarged result counts as sharp as it is at that size"
    )


class RepairParameters(MaskedParameters):
    """Find scratches, dust, creases and tears, or take them from a mask, and fill them in."""

    classical: ClassVar[tuple[str, ...]] = ("telea",)
    method: Literal["auto", "model", "telea"] = "auto"
    sensitivity: float = Field(
        0.5, ge=0.0, le=1.0, description="larger finds fainter damage, and mistakes more fine lines for it"
    )
    evidence: float = Field(
        0.0, ge=0.0, le=1.0, description="share of the picture that must surely be damaged before anything is repaired"
    )

    @model_validator(mode="after")
    def _a_mask_is_filled_classically(self) -> "RepairParameters":
        if self.mask_object is not None and (self.method == "model" or self.model is not None):
            raise ValueError("a model finds damage itself and takes no mask; with a mask method is auto or telea")
        return self

    @model_validator(mode="before")
    @classmethod
    def _from_0_1_0(cls, values: Any) -> Any:
        """Read `least_marks` of version 0.1.0, which stored jobs, plans and configurations still contain."""
        if not isinstance(values, Mapping) or "least_marks" not in values:
            return values
        marks = values["least_marks"]
        if "evidence" in values or isinstance(marks, bool) or not isinstance(marks, int) or not 1 <= marks <= 1000:
            return values  # refused as an unknown parameter
        kept = {name: value for name, value in values.items() if name != "least_marks"}
        return kept | {"evidence": REPAIR_EVIDENCE if marks > 1 else 0.0}


class DenoiseParameters(RestorationParameters):
    """Remove noise and grain."""

    classical: ClassVar[tuple[str, ...]] = ("nlm", "bilateral")
    method: Literal["auto", "model", "nlm", "bilateral"] = "auto"
    sigma: float | None = Field(
        None, ge=0.0, le=100.0, description="noise standard deviation on the 0-255 scale; estimated if absent"
    )


class DeblurParameters(RestorationParameters):
    """Undo slight blur and missed focus."""

    classical: ClassVar[tuple[str, ...]] = ("wiener", "richardson_lucy", "unsharp")
    method: Literal["auto", "model", "wiener", "richardson_lucy", "unsharp"] = "auto"
    radius: float | None = Field(
        None, ge=0.3, le=10.0, description="standard deviation of the blur in pixels; estimated if absent"
    )
    sigma: float | None = Field(
        None,
        ge=0.0,
        le=100.0,
        description="noise that the upload had before denoise, on the 0-255 scale: more is sharpened less; "
        "as assess measured it if absent",
    )


class LowLightParameters(RestorationParameters):
    """Lift underexposed pictures."""

    classical: ClassVar[tuple[str, ...]] = ("clahe",)
    method: Literal["auto", "model", "clahe"] = "auto"
    gamma: float | None = Field(
        None, ge=0.2, le=1.0, description="exponent on luminance, smaller is brighter; from the mean if absent"
    )
    clip_limit: float = Field(
        2.0, ge=1.0, le=10.0, description="contrast limit of CLAHE; larger is more local contrast"
    )


class WhiteBalanceParameters(RestorationParameters):
    """Remove a colour cast."""

    classical: ClassVar[tuple[str, ...]] = (
        "shades_of_grey",
        "grey_world",
        "white_patch",
        "grey_edge",
        "channel_stretch",
    )
    method: Literal["auto", "model", "shades_of_grey", "grey_world", "white_patch", "grey_edge", "channel_stretch"] = (
        "auto"
    )
    norm: float = Field(6.0, ge=1.0, le=20.0, description="Minkowski norm of shades-of-grey and grey-edge")


class Hint(BaseModel):
    """A colour that a place of the picture shall have."""

    model_config = Parameters.model_config

    x: float = Field(ge=0.0, le=1.0, description="share of the width, from the left")
    y: float = Field(ge=0.0, le=1.0, description="share of the height, from the top")
    color: HexColor


#: Most hints that a picture may be given.
MAX_HINTS = 64
#: JSON has lists but no tuples. The schema is repeated where it is used, so that it needs no separate definitions.
Hints = Annotated[
    tuple[Hint, ...],
    Field(strict=False, max_length=MAX_HINTS),
    WithJsonSchema({"type": "array", "maxItems": MAX_HINTS, "items": Hint.model_json_schema()}),
]


class ColorizeParameters(RestorationParameters):
    """Give colour to a greyscale or toned picture; there is no classical method."""

    method: Literal["auto", "model"] = "auto"
    force: bool = Field(False, description="colorize a picture that has colour already")
    keep_tint: bool = Field(False, description="lay the colours over the tint of a toned print; else it is taken off")
    hints: Hints = Field(
        (), description="colours of your choice: each has `x`, `y` (shares of width and height) and `color`"
    )


class BackgroundParameters(MaskedParameters):
    """Cut out the subject: its matte becomes the alpha channel. A mask corrects it."""

    classical: ClassVar[tuple[str, ...]] = ("grabcut",)
    method: Literal["auto", "model", "grabcut"] = "auto"
    feather: float = Field(1.0, ge=0.0, le=20.0, description="softness of the cut in pixels")


class UpscaleParameters(RestorationParameters):
    """Enlarge, by a factor or up to a size, or add detail at the same size."""

    classical: ClassVar[tuple[str, ...]] = ("lanczos",)
    method: Literal["auto", "model", "lanczos"] = "auto"
    scale: float | None = Field(None, gt=1.0, le=8.0, description="factor by which both sides grow")
    width: Side | None = Field(None, description="width in pixels to reach; the aspect ratio is kept")
    height: Side | None = Field(None, description="height in pixels to reach; the aspect ratio is kept")
    min_side: Side | None = Field(None, description="the shorter side reaches this many pixels; larger pictures stay")
    same_size: bool = Field(False, description="enlarge, then reduce to the original size: more detail, same size")

    @model_validator(mode="after")
    def _one_way_to_say_the_size(self) -> "UpscaleParameters":
        given = [
            name
            for name in ("scale", "width", "height", "min_side", "same_size")
            if getattr(self, name) not in (None, False)
        ]
        if len(given) > 1:
            raise ValueError(f"give one of scale, width, height, min_side, same_size, not {' and '.join(given)}")
        return self


class FinishParameters(Parameters):
    """Composite, adjust, size and write the result. Everything is off by default."""

    classical: ClassVar[tuple[str, ...]] = ("classical",)

    smooth: float = Field(0.0, ge=0.0, le=10.0, description="Gaussian smoothing, standard deviation in pixels")
    sharpen: float = Field(0.0, ge=0.0, le=3.0, description="amount of the unsharp mask; larger is sharper")
    sharpen_radius: float = Field(1.0, ge=0.3, le=10.0, description="standard deviation of the unsharp mask in pixels")
    unfade: float = Field(0.0, ge=0.0, le=1.0, description="give a faded, yellowed print its blacks and whites back")
    brightness: Adjustment = 0.0
    contrast: Adjustment = 0.0
    saturation: Adjustment = 0.0
    temperature: Adjustment = Field(0.0, description="above 0 warmer, below 0 cooler")

    background: HexColor | Literal["keep", "transparent"] = Field(
        "keep", description="what is shown under transparent parts: a colour, or nothing (keep the alpha channel)"
    )
    background_object: ObjectName | None = Field(
        None,
        description="name of an object in the uploads bucket to show behind the subject: one of the same owner, or a "
        "shared one",
    )
    crop_to_subject: bool = Field(False, description="cut away what is transparent around the subject")
    margin: float = Field(0.05, ge=0.0, le=1.0, description="space around a cropped subject, as a share of its size")

    width: Side | None = Field(None, description="exact width in pixels")
    height: Side | None = Field(None, description="exact height in pixels")
    min_side: Side | None = Field(None, description="the shorter side is at least this long, enlarged if it must be")
    max_side: Side | None = Field(None, description="the longer side is at most this long, reduced if it must be")
    aspect: Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,4}:[1-9]\d{0,4}$")] | None = Field(
        None, description="width:height, reached by padding"
    )
    fit: Literal["pad", "crop", "stretch"] = Field("pad", description="how an exact width and height are reached")
    padding_color: HexColor = Field("#FFFFFF", description="colour of padding where the picture is opaque")

    format: Literal["keep", "jpeg", "png", "webp", "tiff", "avif"] = Field(
        "keep", description="keep writes the input's format where it can be written"
    )
    quality: int | None = Field(None, ge=1, le=100, description="1-100 for lossy formats; per-format default if absent")
    lossless: bool = Field(False, description="lossless WebP or AVIF")
    target_size_kb: int | None = Field(None, ge=1, le=102400, description="largest file size in kB of 1000 bytes")
    metadata: Literal["keep", "no_gps", "strip"] = Field("keep", description="what becomes of EXIF, XMP and IPTC")
    profile: Literal["srgb", "original"] = Field("srgb", description="colour profile of the result")


#: The parameters of every stage, in the canonical order of the pipeline.
PARAMETERS: dict[Stage, type[Parameters]] = {
    "assess": AssessParameters,
    "repair": RepairParameters,
    "denoise": DenoiseParameters,
    "deblur": DeblurParameters,
    "low_light": LowLightParameters,
    "white_balance": WhiteBalanceParameters,
    "colorize": ColorizeParameters,
    "background": BackgroundParameters,
    "upscale": UpscaleParameters,
    "finish": FinishParameters,
}

#: The stages between `assess` and `finish`, in canonical order.
RESTORATION_STAGES: tuple[Stage, ...] = tuple(stage for stage in PARAMETERS if stage not in ("assess", "finish"))


def object_names(stage: Stage, parameters: Mapping[str, JsonValue]) -> frozenset[str]:
    """The objects of the uploads bucket that valid parameters of a stage name.

    >>> sorted(object_names("finish", {"background_object": "beach.jpg"}))
    ['beach.jpg']
    """
    names: set[str] = set()
    PARAMETERS[stage].model_validate(parameters, context=names)
    return frozenset(names)
