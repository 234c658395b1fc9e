"""What does one step do with the pixels?

The same for the stage functions, which read and write objects around it, and for `darkroom run`, which stays in
memory: a picture goes in, a picture or the finished bytes come out, and what happened is told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import cast

from pydantic import JsonValue

from darkroom.domain.errors import BadPipeline, ModelUnusable
from darkroom.domain.measurements import Measurements, Score
from darkroom.domain.messages import ModelRef, Report, Step
from darkroom.domain.parameters import PARAMETERS, AssessParameters, FinishParameters, RestorationParameters
from darkroom.imaging.codec import Decoded, Header
from darkroom.imaging.measurement.measure import measure
from darkroom.imaging.measurement.score import score
from darkroom.imaging.measurement.score_input import patches, prepare, verdict
from darkroom.imaging.picture import Picture
from darkroom.runtime.system import Models
from darkroom.stages import StageModel, read_model
from darkroom.stages.finish import finish
from darkroom.stages.restore import restore


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a step works on."""

    picture: Picture
    #: The upload, of which `finish` keeps metadata and format; other stages do without.
    source: Decoded | Header | None
    #: Reads an object of the uploads bucket that the step's parameters name, as a picture.
    read_object: Callable[[str], Picture]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """What a step made."""

    #: The picture of a restoration stage.
    picture: Picture | None = None
    #: The bytes of a finished picture.
    data: bytes = b""
    content_type: str = ""
    method: str
    model: ModelRef | None = None
    degraded: bool = False
    doubtful: bool = False
    notes: tuple[str, ...] = ()
    values: Mapping[str, JsonValue] = field(default_factory=dict)


def assess(step: Step, decoded: Decoded, models: Models) -> Report:
    """Measure and score a decoded picture. Raises ModelUnusable if the step's model cannot run."""
    reference = AssessParameters.model_validate(step.parameters).reference_pixels
    return measure_and_score(decoded, _open(step, models), reference)


def measure_and_score(decoded: Decoded, judge: StageModel | None, reference_pixels: int | None = None) -> Report:
    """What is measured on a decoded picture, and its score by the `judge`, or by the measurements if there is none."""
    measured = replace(measure(decoded.picture), format=decoded.format, frames=decoded.frames)
    rated = rate(decoded.picture, measured, judge, reference_pixels)
    return Report(measurements=measured.to_json(), score=rated.value, parts=dict(rated.parts))


def rate(picture: Picture, measured: Measurements, judge: StageModel | None, reference_pixels: int | None) -> Score:
    """The score alone; a picture of more than `reference_pixels`, those of the upload, is judged as at that size."""
    if judge is None:
        enlarged = max(1.0, sqrt(measured.pixels / reference_pixels)) if reference_pixels else 1.0
        return score(measured, enlarged=enlarged)
    shown = prepare(picture, reference_pixels)
    return verdict(read_model(judge, shown, {"patches": patches(shown)}))


def run_step(step: Step, inputs: Inputs, models: Models) -> StepOutcome:
    """Do a restoration step or `finish`.

    Raises PermanentError if it cannot be done; a model that cannot run only if the step has no fallback.
    """
    parameters = PARAMETERS[step.stage].model_validate(step.parameters)
    if isinstance(parameters, FinishParameters):
        return _finish(parameters, inputs)
    assert isinstance(parameters, RestorationParameters)
    try:
        return _restore(step, parameters, inputs.picture, models)
    except ModelUnusable as exc:
        if not parameters.fallback or not parameters.classical:
            raise
        return _fall_back(step, parameters, inputs.picture, exc)


def _restore(step: Step, parameters: RestorationParameters, picture: Picture, models: Models) -> StepOutcome:
    model = _open(step, models)
    output = restore(step.stage, picture, parameters, step.method, model)
    return StepOutcome(
        picture=output.picture,
        method=step.method,
        model=model.ref if model else None,
        doubtful=output.low_confidence,
        notes=output.notes,
        values=cast(Mapping[str, JsonValue], output.values),
    )


def _open(step: Step, models: Models) -> StageModel | None:
    if step.method != "model":
        return None
    if step.model is None:
        raise ModelUnusable(f"no model is registered for {step.stage}", code="model_missing")
    return models.open(step.stage, step.model.id, sha256=step.model.sha256)


def _fall_back(step: Step, parameters: RestorationParameters, picture: Picture, cause: ModelUnusable) -> StepOutcome:
    method = parameters.classical[0]
    output = restore(step.stage, picture, parameters, method, None)
    note = f"{method} stands in for the model: {cause}"
    values = cast(Mapping[str, JsonValue], output.values)
    return StepOutcome(picture=output.picture, method=method, degraded=True, notes=(note, *output.notes), values=values)


def _finish(parameters: FinishParameters, inputs: Inputs) -> StepOutcome:
    if inputs.source is None:
        raise ValueError("finish needs the upload's header")
    name = parameters.background_object
    background = inputs.read_object(name) if name is not None else None
    done = finish(inputs.picture, parameters, inputs.source, background)
    return StepOutcome(
        data=done.data,
        content_type=done.content_type,
        method="classical",
        notes=tuple(done.notes),
        values=cast(Mapping[str, JsonValue], done.values),
    )


def no_objects(name: str) -> Picture:
    """Stands where no bucket can be read from. Raises BadPipeline."""
    raise BadPipeline(f"object {name!r} cannot be read here: there is no uploads bucket")
