"""Defines the input and the output of a stage.

One module per restoration stage, each with the same two functions:

    classical(picture, parameters, method) -> StageOutput      without a trained model
    with_model(picture, parameters, model) -> StageOutput      with one

`restore` calls them and applies `strength`. No module here does any I/O.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.messages import ModelRef
from darkroom.domain.places import Place
from darkroom.imaging.picture import Picture, Pixels

Value = float | str | bool

#: Inputs and outputs of models other than pixels: maps (C, h, w), numbers (K,).
Tensor = NDArray[np.float32]

#: The values of a stage that has none to report.
NOTHING: Mapping[str, Value] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutput:
    """The result of a stage."""

    #: The same object as the input if the stage changed nothing.
    picture: Picture
    #: Messages for the user, shown in the record of the job.
    notes: tuple[str, ...] = ()
    #: Estimated values by name: sigma, radius, gamma, subject_share, …
    values: Mapping[str, Value] = field(default_factory=lambda: NOTHING)
    #: Whether the confidence in the result is low, so that a person must review it.
    low_confidence: bool = False
    #: Where the result is uncertain or painted over, the most important first.
    places: tuple[Place, ...] = ()


class StageModel(Protocol):
    """A validated model. One that returns pixels is applied; any other one is read."""

    @property
    def ref(self) -> ModelRef:
        """Which model it is, and whether its int8 variant runs."""

    @property
    def answer(self) -> str:
        """Kind of the output: pixels, matte, chroma, tone, light, quality or blur."""

    @property
    def companion(self) -> "StageModel | None":
        """A second model, which returns pixels and runs after this one; None for most models."""

    @property
    def scale(self) -> int:
        """Factor by which the output is larger than the input, in height and in width."""

    @property
    def scalars(self) -> Collection[str]:
        """Names of the numbers that `apply` needs besides the pixels."""

    @property
    def extra(self) -> Collection[str]:
        """Names of the tensors that `read` needs besides the pixels."""

    def apply(self, pixels: Pixels, scalars: Mapping[str, float] | None = None, *, tile: int | None = None) -> Pixels:
        """(H, W, 3) to (H·scale, W·scale, 3) of the same type."""

    def reduced(self, height: int, width: int) -> tuple[int, int]:
        """Height and width to which `read` reduces a picture of the given size."""

    def read(self, pixels: Pixels, extra: Mapping[str, Tensor] | None = None) -> Mapping[str, Tensor]:
        """(H, W, 3) of any size to maps (C, h, w) of the model's own size and numbers (K,), by name.

        The first one is the main output, for example a matte (1, h, w) in [0, 1], or a* and b* (2, h, w).
        """


def run_model(model: StageModel, pixels: Pixels, offered: Mapping[str, float] | None = None) -> Pixels:
    """Apply a model of scale 1 to pixels; of the `offered` numbers it receives those that it needs."""
    if model.scale != 1:
        raise ModelUnusable(f"the model enlarges {model.scale} times; only upscale can use it", code="model_contract")
    known = offered or {}
    return model.apply(pixels, {name: known[name] for name in model.scalars if name in known})


def read_model(model: StageModel, pixels: Pixels, offered: Mapping[str, Tensor] | None = None) -> Mapping[str, Tensor]:
    """Read a model; of the `offered` tensors it receives those that it needs."""
    known = offered or {}
    return model.read(pixels, {name: known[name] for name in model.extra if name in known})
