"""Defines the contract of a model: its inputs, outputs and their value ranges.

Pure data, and what follows from it by arithmetic: no pixel library is imported here.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

#: What a network answers. `pixels` is a picture, made tile by tile; all others see a reduction of the whole picture
#: and answer with small maps or with numbers, which the stage applies at full size.
Answer = Literal["pixels", "matte", "chroma", "tone", "light", "quality", "blur"]

#: Lowest and highest value that the kinds of answers with a unit of their own have in the stages: a matte is a share,
#: chroma is a* and b* of CIE L*a*b*.
UNITS: dict[str, tuple[float, float]] = {"pixels": (0, 1), "matte": (0, 1), "chroma": (-110, 110)}

#: How many maps the answer is, of the kinds of which that is known.
MAPS: dict[str, int] = {"matte": 1, "chroma": 2}

#: Answers whose first output has the name of its kind in the stages, whatever the graph calls it.
KNOWN_BY_KIND = ("matte", "chroma")

#: The ranges that networks are trained with.
RANGES = ((0, 1), (-1, 1), (0, 255), (0, 100))


def _known_range(ends: tuple[float, float]) -> tuple[float, float]:
    if ends not in RANGES:
        raise ValueError(f"{list(ends)} is none of {', '.join(str(list(each)) for each in RANGES)}")
    return ends


Range = Annotated[tuple[float, float], AfterValidator(_known_range)]
Length = Annotated[int, Field(ge=1, le=16384)]


class Contract(BaseModel):
    """What a model is given and what it gives back.

    The image tensor is float32 of shape (1, C, H, W). A network that answers with pixels gives (1, 3, H * scale,
    W * scale); any other one gives tensors with a batch axis of 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: What the network gives.
    answer: Answer = "pixels"
    #: Name of the graph's image input.
    input: str
    #: The graph's outputs that are used, by the names that the stage knows them by; the first one is the answer.
    outputs: dict[str, str] = Field(min_length=1)
    #: Names of further inputs, each a float32 tensor of shape (1,).
    scalars: tuple[str, ...] = ()
    #: Names of further inputs of any shape, which the stage makes.
    extra: tuple[str, ...] = ()
    #: Order of the axes; the one that is supported.
    layout: Literal["nchw"] = "nchw"
    #: What the channels hold; `luma` is L* of CIE L*a*b* in a single one. Pixels come back in the same order.
    channels: Literal["rgb", "bgr", "luma"] = "rgb"
    #: What black and white are in the input, before mean and deviation.
    range: Range
    #: Subtracted, a number for each channel in its order, in the unit of `range`.
    mean: tuple[float, ...] | None = None
    #: What is left is divided by this.
    deviation: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    #: Lowest and highest value of the first output; if absent `range` for pixels, else the stage's own unit.
    output_range: Annotated[tuple[float, float], AfterValidator(_known_range)] | None = None
    #: What is done to a matte: `sigmoid` if the network gives logits, `min_max` stretches its values to the full range.
    normalise: Literal["none", "sigmoid", "min_max"] = "none"
    #: How many times higher and wider the pixels are that come back.
    scale: int = Field(1, ge=1, le=8)
    #: The one height and width that the graph takes: tiles are filled up to it, whole pictures reduced to it.
    size: tuple[Length, Length] | None = None
    #: A whole picture is reduced to this many pixels on its longer side, never enlarged.
    longest_side: Length | None = None
    #: Sides are multiples of this many pixels: filled up by repeating the edge, and the answer is cut back.
    multiple_of: int = Field(1, ge=1, le=256)
    #: Shortest side in pixels that the graph takes.
    min_size: int = Field(1, ge=1)
    #: Radius in input pixels within which an answer of pixels depends on its surroundings.
    halo: int = Field(0, ge=0)
    #: Longest side of a tile in input pixels, unless the caller asks for another one.
    tile: int = Field(512, ge=1)
    #: The ONNX operator set that the graph was written for, if it is known.
    opset: int | None = Field(None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _outputs_by_role(cls, given: Any) -> Any:
        """`output = "x"` is `outputs = ["x"]`; in a list the stage knows an output by the graph's name for it.

        A matte and chroma, which networks of others give as well, it knows by the kind of answer instead.
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
        told = {
            "pixels have a halo: say how far they depend on their surroundings": "halo" in self.model_fields_set,
            f"pixels are one output, not {list(self.outputs)}": len(self.outputs) == 1,
            "pixels are not made of luma alone": self.channels != "luma",
            "pixels are not reduced to a longest_side": self.longest_side is None,
            "pixels are not made of extra tensors": not self.extra,
            "normalise is for a matte": self.normalise == "none",
        }
        return [problem for problem, sound in told.items() if not sound]

    def _whole_problems(self) -> list[str]:
        told = {
            f"scale {self.scale} is for pixels": self.scale == 1,
            "scalars are for pixels; the numbers of a whole picture are extra": not self.scalars,
            "give size or longest_side, not both": None in (self.size, self.longest_side),
            "normalise is for a matte": self.normalise == "none" or self.answer == "matte",
            f"output_range is not for {self.answer}": self.output_range is None or self.answer in UNITS,
        }
        return [problem for problem, sound in told.items() if not sound]

    @property
    def tiled(self) -> bool:
        """Whether the network answers with pixels and so works tile by tile."""
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
        """Longest side of a tile that the graph can take."""
        return self.tile if self.size is None else min(self.size)

    def reduced(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which the network sees a whole picture of that size."""
        if self.size is not None:
            return self.size
        if self.longest_side is None:
            return height, width
        factor = min(1.0, self.longest_side / max(height, width))
        return max(1, round(height * factor)), max(1, round(width * factor))

    def filled(self, height: int, width: int) -> tuple[int, int]:
        """The sides of the tensor that holds so many pixels."""
        if self.size is not None:
            return self.size
        rows, columns = (-(-max(side, self.min_size) // self.multiple_of) for side in (height, width))
        return rows * self.multiple_of, columns * self.multiple_of
