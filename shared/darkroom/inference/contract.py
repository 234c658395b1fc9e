"""Defines the contract of a model: its inputs, outputs and their value ranges.

The module contains data and arithmetic only. It imports no pixel library.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

#: Kind of a network's output. `pixels` is a picture that is computed tile by tile. All other kinds are small maps or
#: numbers from a reduction of the whole picture; the stage applies them at full size.
Answer = Literal["pixels", "matte", "chroma", "tone", "light", "quality", "blur"]

#: Value range in the stages, for the kinds with a fixed unit: a matte is a share, chroma is a* and b* of CIE L*a*b*.
UNITS: dict[str, tuple[float, float]] = {"pixels": (0, 1), "matte": (0, 1), "chroma": (-110, 110)}

#: Number of maps in the output, for the kinds with a fixed number.
MAPS: dict[str, int] = {"matte": 1, "chroma": 2}

#: Kinds whose first output has the name of the kind in the stages, independent of its name in the graph.
KNOWN_BY_KIND = ("matte", "chroma")

#: Supported value ranges of inputs and outputs.
RANGES = ((0, 1), (-1, 1), (0, 255), (0, 100))


def _known_range(ends: tuple[float, float]) -> tuple[float, float]:
    if ends not in RANGES:
        raise ValueError(f"{list(ends)} is none of {', '.join(str(list(each)) for each in RANGES)}")
    return ends


Range = Annotated[tuple[float, float], AfterValidator(_known_range)]
Length = Annotated[int, Field(ge=1, le=16384)]


class Contract(BaseModel):
    """Inputs and outputs of a model.

    The image tensor is float32 of shape (1, C, H, W). A network of the kind `pixels` returns (1, 3, H * scale,
    W * scale); any other one returns tensors with a batch axis of 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Kind of the output.
    answer: Answer = "pixels"
    #: Name of the graph's image input.
    input: str
    #: The graph's outputs that are used, by their names in the stage; the first one is the main output.
    outputs: dict[str, str] = Field(min_length=1)
    #: Names of further inputs, each a float32 tensor of shape (1,).
    scalars: tuple[str, ...] = ()
    #: Names of further inputs of any shape, which the stage provides.
    extra: tuple[str, ...] = ()
    #: Order of the axes; only this one is supported.
    layout: Literal["nchw"] = "nchw"
    #: Contents of the channels; `luma` is L* of CIE L*a*b* in a single channel. Output pixels have the same order.
    channels: Literal["rgb", "bgr", "luma"] = "rgb"
    #: Values of black and white in the input, before mean and deviation.
    range: Range
    #: Mean of each channel, which is subtracted, in the unit of `range`.
    mean: tuple[float, ...] | None = None
    #: Standard deviation of each channel, by which the difference is divided.
    deviation: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    #: Lowest and highest value of the first output; if absent `range` for pixels, else the stage's own unit.
    output_range: Annotated[tuple[float, float], AfterValidator(_known_range)] | None = None
    #: Normalisation of a matte: `sigmoid` for logits, `min_max` stretches the values to the full range.
    normalise: Literal["none", "sigmoid", "min_max"] = "none"
    #: Factor by which output pixels are larger than the input, in height and in width.
    scale: int = Field(1, ge=1, le=8)
    #: Fixed height and width of the graph's input: tiles are padded to it, whole pictures are resized to it.
    size: tuple[Length, Length] | None = None
    #: A whole picture is reduced to this many pixels on its longer side, never enlarged.
    longest_side: Length | None = None
    #: Sides must be multiples of this many pixels: the input is padded by repeating its edge, the output is cropped.
    multiple_of: int = Field(1, ge=1, le=256)
    #: Shortest side in pixels that the graph accepts.
    min_size: int = Field(1, ge=1)
    #: Radius in input pixels within which output pixels depend on their surroundings.
    halo: int = Field(0, ge=0)
    #: Default for the longest side of a tile in input pixels.
    tile: int = Field(512, ge=1)
    #: ONNX operator set of the graph, for information; onnxruntime reads the one in the file.
    opset: int | None = Field(None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _outputs_by_role(cls, given: Any) -> Any:
        """Expand the short forms: `output = "x"` is `outputs = ["x"]`, and a list maps each name to itself.

        The first output of the kinds in `KNOWN_BY_KIND` gets the name of the kind instead.
        """
        if not isinstance(given, dict):
            return given
        values = dict(given)
        if isinstance(values.get("output"), str) and "outputs" not in values:
            values["outputs"] = [values.pop("output")]
        if isinstance(values.get("outputs"), (list, tuple)):
            kind = values.get("answer")
            roles = [kind if at == 0 and kind in KNOWN_BY_KIND else name for at, name in enumerate(values["outputs"])]
            values["outputs"] = dict(zip(roles, values["outputs"], strict=True))
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [*self._channel_problems(), *(self._pixel_problems() if self.tiled else self._whole_problems())]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _channel_problems(self) -> list[str]:
        given = {"mean": self.mean, "deviation": self.deviation}
        return [
            f"{name} has {len(values)} numbers, {self.channels} has {self.planes} channels"
            for name, values in given.items()
            if values is not None and len(values) != self.planes
        ]

    def _pixel_problems(self) -> list[str]:
        rules = {
            "pixels need a halo: the radius on which each pixel depends": "halo" in self.model_fields_set,
            f"pixels are one output, not {list(self.outputs)}": len(self.outputs) == 1,
            "pixels are not made of luma alone": self.channels != "luma",
            "pixels are not reduced to a longest_side": self.longest_side is None,
            "pixels are not made of extra tensors": not self.extra,
            "normalise is for a matte": self.normalise == "none",
        }
        return [problem for problem, sound in rules.items() if not sound]

    def _whole_problems(self) -> list[str]:
        rules = {
            f"scale {self.scale} is for pixels": self.scale == 1,
            "scalars are for pixels; the numbers of a whole picture are extra": not self.scalars,
            "give size or longest_side, not both": None in (self.size, self.longest_side),
            "normalise is for a matte": self.normalise == "none" or self.answer == "matte",
            f"output_range is not for {self.answer}": self.output_range is None or self.answer in UNITS,
        }
        return [problem for problem, sound in rules.items() if not sound]

    @property
    def tiled(self) -> bool:
        """Whether the network returns pixels and so runs tile by tile."""
        return self.answer == "pixels"

    @property
    def output(self) -> str:
        """The graph's name of the first output."""
        return next(iter(self.outputs.values()))

    @property
    def planes(self) -> int:
        """Channels of the image input."""
        return 1 if self.channels == "luma" else 3

    @property
    def window(self) -> int:
        """Longest side of a tile that the graph accepts."""
        return self.tile if self.size is None else min(self.size)

    def reduced(self, height: int, width: int) -> tuple[int, int]:
        """Height and width to which a whole picture of the given size is reduced."""
        if self.size is not None:
            return self.size
        if self.longest_side is None:
            return height, width
        factor = min(1.0, self.longest_side / max(height, width))
        return max(1, round(height * factor)), max(1, round(width * factor))

    def filled(self, height: int, width: int) -> tuple[int, int]:
        """The sides of the padded input tensor for the given height and width."""
        if self.size is not None:
            return self.size
        rows, columns = (-(-max(side, self.min_size) // self.multiple_of) for side in (height, width))
        return rows * self.multiple_of, columns * self.multiple_of
