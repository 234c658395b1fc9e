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
from darkroom.imaging.picture import Picture, Pixels

Value = float | str | bool

#: What models take and give beside pixels: maps (C, h, w), numbers (K,).
Tensor = NDArray[np.float32]

#: What a stage found when it found nothing worth telling.
NOTHING: Mapping[str, Value] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutput:
    """What a stage made of a picture."""

    #: The very input if the stage had nothing to do.
    picture: Picture
    #: Sentences for the person who reads the record.
    notes: tuple[str, ...] = ()
    #: What the stage estimated or decided: sigma, radius, gamma, subject_share, …
    values: Mapping[str, Value] = field(default_factory=lambda: NOTHING)
    #: Whether the stage is not sure of its result, so that a person must look at it.
    doubtful: bool = False


class StageModel(Protocol):
    """A checked model: one that answers with pixels is applied, any other one is read."""

    @property
    def ref(self) -> ModelRef:
        """Which model it is, and whether its int8 variant runs."""

    @property
    def answer(self) -> str:
        """What the model gives: pixels, matte, chroma, tone, light, quality or blur."""

    @property
    def companion(self) -> "StageModel | None":
        """A model of pixels that belongs to this one; None for most."""

    @property
    def scale(self) -> int:
        """How many times higher and wider the pixels are that come back."""

    @property
    def scalars(self) -> Collection[str]:
        """Names of the numbers that `apply` takes beside the pixels."""

    @property
    def extra(self) -> Collection[str]:
        """Names of the tensors that `read` takes beside the pixels."""

    def apply(self, pixels: Pixels, scalars: Mapping[str, float] | None = None, *, tile: int | None = None) -> Pixels:
        """(H, W, 3) to (H·scale, W·scale, 3) of the same type."""

    def reduced(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which `read` sees a picture of that size."""

    def read(self, pixels: Pixels, extra: Mapping[str, Tensor] | None = None) -> Mapping[str, Tensor]:
        """(H, W, 3) of any size to maps (C, h, w) of the model's own size and numbers (K,), by name.

        The first one is the answer: a matte (1, h, w) in [0, 1]; a* and b* (2, h, w).
        """


def run_model(model: StageModel, pixels: Pixels, offered: Mapping[str, float] | None = None) -> Pixels:
    """Apply a model that keeps the size, with those of the `offered` numbers that it takes."""
    if model.scale != 1:
        raise ModelUnusable(f"the model enlarges {model.scale} times; only upscale can use it", code="model_contract")
    known = offered or {}
    return model.apply(pixels, {name: known[name] for name in model.scalars if name in known})


def read_model(model: StageModel, pixels: Pixels, offered: Mapping[str, Tensor] | None = None) -> Mapping[str, Tensor]:
    """Read a model, with those of the `offered` tensors that it takes."""
    known = offered or {}
    return model.read(pixels, {name: known[name] for name in model.extra if name in known})
