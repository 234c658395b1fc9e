"""Runs one restoration stage: any of them, with a model or a classical method."""

from dataclasses import replace
from importlib import import_module
from typing import Protocol, cast

import cv2
import numpy as np

from darkroom.domain.errors import BadPipeline, ModelUnusable
from darkroom.domain.parameters import RESTORATION_STAGES, RestorationParameters, Stage
from darkroom.imaging.filters import resized
from darkroom.imaging.picture import Picture, Pixels
from darkroom.imaging.transparency import resized_picture
from darkroom.stages import StageModel, StageOutput


class _StageModule(Protocol):
    """What every module of a restoration stage offers."""

    def classical(self, picture: Picture, parameters: RestorationParameters, method: str) -> StageOutput: ...

    def with_model(self, picture: Picture, parameters: RestorationParameters, model: StageModel) -> StageOutput: ...


def restore(
    stage: Stage, picture: Picture, parameters: RestorationParameters, method: str, model: StageModel | None
) -> StageOutput:
    """Run a stage and blend its answer with its input by `strength`.

    Parameters
    ----------
    stage : Stage
        One of `RESTORATION_STAGES`; only its own module is imported.
    picture : Picture
        Not changed.
    parameters : RestorationParameters
        Of that stage. `strength` 0 returns `picture` itself without running anything; 1 returns the stage's answer;
        between them colours and alpha are mixed and rounded. `upscale` mixes with the Lanczos enlargement of its
        input; of `background` only the matte is mixed, so that half strength makes the surroundings half transparent.
    method : str
        "model", or one of the stage's classical methods.
    model : StageModel or None
        Needed for the method "model".

    Raises
    ------
    ModelUnusable
        Method "model" without one.
    BadPipeline
        The stage does not exist, or does not have the method.
    """
    _check(stage, parameters, method)
    if parameters.strength == 0.0:
        return StageOutput(picture=picture, notes=("strength 0: nothing was done",))
    module = cast(_StageModule, import_module(f"darkroom.stages.{stage}"))
    if method != "model":
        output = module.classical(picture, parameters, method)
    elif model is not None:
        output = module.with_model(picture, parameters, model)
    else:
        raise ModelUnusable(f"{stage} was to run a model and was given none", code="model_missing")
    return blended(stage, picture, output, parameters.strength)


def _check(stage: Stage, parameters: RestorationParameters, method: str) -> None:
    if stage not in RESTORATION_STAGES:
        raise BadPipeline(f"{stage!r} is no restoration stage; these are: {', '.join(RESTORATION_STAGES)}")
    known = ("model", *parameters.classical)
    # A stage without classical methods raises the error itself.
    if method not in known and parameters.classical:
        raise BadPipeline(f"{stage} has no method {method!r}; it has: {', '.join(known)}", code="unknown_method")


def blended(stage: Stage, before: Picture, output: StageOutput, strength: float) -> StageOutput:
    """Mix the answer of a stage with its input, as `restore` does."""
    after = output.picture
    if strength == 1.0 or after is before:
        return output
    return replace(output, picture=_mixed(stage, before, after, strength))


def _mixed(stage: Stage, before: Picture, after: Picture, strength: float) -> Picture:
    size = after.height, after.width
    # `background` repairs the colours at the cut; they belong to the new matte, and mixing them would bring a fringe.
    keeps_colours = stage == "background"
    pixels = after.pixels if keeps_colours else mix(resized_picture(before, *size).pixels, after.pixels, strength)
    if after.alpha is None:
        return Picture(pixels=pixels)
    if before.alpha is None:
        return Picture(pixels=pixels, alpha=mix(_opaque_like(after.alpha), after.alpha, strength))
    return Picture(pixels=pixels, alpha=mix(resized(before.alpha, *size), after.alpha, strength))


def mix(before: Pixels, after: Pixels, strength: float) -> Pixels:
    """`(1 - strength) * before + strength * after`, rounded to the nearest, in the integers' own range."""
    return cv2.addWeighted(before, 1.0 - strength, after, strength, 0.0)  # type: ignore[return-value]


def _opaque_like(alpha: Pixels) -> Pixels:
    return np.full_like(alpha, np.iinfo(alpha.dtype).max)
