"""Runs one step: from a picture to a picture or to finished bytes, with a record of the step.

The stage functions, which read and write objects, and `darkroom run`, which keeps everything in memory, share it.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from math import sqrt
from typing import cast

from pydantic import JsonValue

from darkroom.domain.acceptance import CHANGE
from darkroom.domain.errors import BadImage, BadPipeline, ModelUnusable
from darkroom.domain.measurements import Measurements, Score
from darkroom.domain.messages import ModelRef, ObjectRef, Report, Step, StepRecord
from darkroom.domain.parameters import (
    PARAMETERS,
    AssessParameters,
    FinishParameters,
    MaskedParameters,
    RestorationParameters,
    Stage,
)
from darkroom.domain.places import PLACES
from darkroom.imaging.codec import Decoded, Header
from darkroom.imaging.measurement.change import change
from darkroom.imaging.measurement.measure import measure
from darkroom.imaging.measurement.score import score
from darkroom.imaging.measurement.score_input import patches, prepare, verdict
from darkroom.imaging.picture import Picture
from darkroom.runtime.ports import Usage
from darkroom.runtime.system import Models
from darkroom.stages import StageModel, StageOutput, read_model
from darkroom.stages.finish import finish
from darkroom.stages.masked import run_masked
from darkroom.stages.original import smaller_original
from darkroom.stages.restore import blended, restore


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The input of a step."""

    picture: Picture
    #: The upload, of which `finish` keeps metadata and format; other stages do without.
    source: Decoded | Header | None
    #: The bytes of the upload, which `finish` may keep; None for other stages.
    upload: bytes | None = None
    #: Reads an object of the uploads bucket that the step's parameters name, as a picture.
    read_object: Callable[[str], Picture]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """The output of a step, and how it was computed."""

    #: The picture of a restoration stage.
    picture: Picture | None = None
    #: The bytes of a finished picture, or of the report of `assess` as JSON.
    data: bytes = b""
    content_type: str = ""
    method: str
    model: ModelRef | None = None
    degraded: bool = False
    low_confidence: bool = False
    notes: tuple[str, ...] = ()
    values: Mapping[str, JsonValue] = field(default_factory=dict)
    #: The report of `assess`.
    report: Report | None = None


def step_record(step: Step, outcome: StepOutcome, usage: Usage, *, run: int) -> StepRecord:
    """The record of a finished step; the generation of its output is 0 until the output is stored."""
    return StepRecord(
        stage=step.stage,
        method=outcome.method,
        model=outcome.model,
        parameters=step.parameters,
        output=ObjectRef(bucket=step.output_bucket, name=step.output_name, generation=0),
        elapsed_ms=round(usage.elapsed_ms, 1),
        peak_memory_mb=round(usage.peak_memory_mb, 1),
        degraded=outcome.degraded,
        doubtful=outcome.low_confidence,
        notes=outcome.notes,
        values=dict(outcome.values),
        report=outcome.report,
        run=run,
    )


def run_assess(
    step: Step, decoded: Decoded, models: Models, *, is_first: bool, upload: Picture | None = None
) -> StepOutcome:
    """Run an `assess` step. Raises ModelUnusable if the step's model cannot run.

    The notes of decoding belong to the first `assess` alone: the last one reads the result, which `finish` wrote. The
    last one compares the result with the `upload`, of any size, if it is given.
    """
    report = assess(step, decoded, models)
    return StepOutcome(
        data=report.model_dump_json(indent=2).encode(),
        content_type="application/json",
        method=step.method,
        model=step.model,
        notes=tuple(decoded.notes) if is_first else (),
        values=_changes(upload, decoded.picture) if upload else {},
        report=report,
    )


def _changes(upload: Picture, result: Picture) -> dict[str, JsonValue]:
    """What the pipeline changed, for the acceptance; nothing if the result has another shape."""
    found = change(upload, result)
    return {f"{CHANGE}{name}": round(value, 4) for name, value in asdict(found).items()} if found else {}


def assess(step: Step, decoded: Decoded, models: Models) -> Report:
    """Measure and score a decoded picture. Raises ModelUnusable if the step's model cannot run."""
    reference = AssessParameters.model_validate(step.parameters).reference_pixels
    return measure_and_score(decoded, _open(step, models), reference)


def measure_and_score(decoded: Decoded, score_model: StageModel | None, reference_pixels: int | None = None) -> Report:
    """The measurements of a decoded picture, and its score by `score_model`, or by the measurements without a model."""
    measured = replace(measure(decoded.picture), format=decoded.format, frames=decoded.frames)
    rated = rate(decoded.picture, measured, score_model, reference_pixels)
    return Report(measurements=measured.to_json(), score=rated.value, parts=dict(rated.parts))


def rate(
    picture: Picture, measured: Measurements, score_model: StageModel | None, reference_pixels: int | None
) -> Score:
    """The score alone.

    A picture with more than `reference_pixels`, the pixels of the upload, is scored at that size.
    """
    if score_model is None:
        enlarged = max(1.0, sqrt(measured.pixels / reference_pixels)) if reference_pixels else 1.0
        return score(measured, enlarged=enlarged)
    shown = prepare(picture, reference_pixels)
    return verdict(read_model(score_model, shown, {"patches": patches(shown)}))


def run_step(step: Step, inputs: Inputs, models: Models) -> StepOutcome:
    """Do a restoration step or `finish`.

    Raises PermanentError if it cannot be done; a model that cannot run only if the step has no fallback.
    """
    parameters = PARAMETERS[step.stage].model_validate(step.parameters)
    if isinstance(parameters, FinishParameters):
        return _finish(parameters, inputs)
    assert isinstance(parameters, RestorationParameters)
    try:
        return _restore(step, parameters, inputs, models)
    except ModelUnusable as exc:
        if not parameters.fallback or not parameters.classical:
            raise
        return _fall_back(step, parameters, inputs, exc)


def _restore(step: Step, parameters: RestorationParameters, inputs: Inputs, models: Models) -> StepOutcome:
    model = _open(step, models)
    output = _masked_or_not(step, parameters, inputs, partial(_run, step.stage, inputs.picture, step.method, model))
    return StepOutcome(
        picture=output.picture,
        method=step.method,
        model=model.ref if model else None,
        low_confidence=output.low_confidence,
        notes=output.notes,
        values=_values(output),
    )


#: Runs a restoration stage with the given parameters.
Run = Callable[[RestorationParameters], StageOutput]


def _run(
    stage: Stage, picture: Picture, method: str, model: StageModel | None, parameters: RestorationParameters
) -> StageOutput:
    return restore(stage, picture, parameters, method, model)


def _masked_or_not(step: Step, parameters: RestorationParameters, inputs: Inputs, run: Run) -> StageOutput:
    """Run a stage by the mask that its parameters name, or without one."""
    if not isinstance(parameters, MaskedParameters) or parameters.mask_object is None or parameters.strength == 0.0:
        return run(parameters)
    mask = _read_mask(inputs, parameters.mask_object)
    whole = parameters.model_copy(update={"strength": 1.0})
    output = run_masked(inputs.picture, parameters, mask, lambda: run(whole))
    return blended(step.stage, inputs.picture, output, parameters.strength)


def _read_mask(inputs: Inputs, name: str) -> Picture:
    try:
        return inputs.read_object(name)
    except BadImage as exc:
        raise BadPipeline(f"the mask {name[:200]!r} cannot be read: {exc}", code="bad_mask") from exc


def _open(step: Step, models: Models) -> StageModel | None:
    if step.method != "model":
        return None
    if step.model is None:
        raise ModelUnusable(f"no model is registered for {step.stage}", code="model_missing")
    return models.open(step.stage, step.model.id, sha256=step.model.sha256)


def _fall_back(step: Step, parameters: RestorationParameters, inputs: Inputs, cause: ModelUnusable) -> StepOutcome:
    method = parameters.classical[0]
    output = _masked_or_not(step, parameters, inputs, partial(_run, step.stage, inputs.picture, method, None))
    note = f"{method} ran instead of the model: {cause}"
    return StepOutcome(
        picture=output.picture, method=method, degraded=True, notes=(note, *output.notes), values=_values(output)
    )


def _values(output: StageOutput) -> dict[str, JsonValue]:
    """The values of the stage, with the places that it marked."""
    values = cast(dict[str, JsonValue], dict(output.values))
    if output.places:
        values[PLACES] = [place.model_dump() for place in output.places]
    return values


def _finish(parameters: FinishParameters, inputs: Inputs) -> StepOutcome:
    if inputs.source is None:
        raise ValueError("finish needs the upload's header")
    name = parameters.background_object
    background = inputs.read_object(name) if name is not None else None
    done = finish(inputs.picture, parameters, inputs.source, background)
    if inputs.upload is not None:
        done = smaller_original(done, inputs.picture, parameters, inputs.upload)
    return StepOutcome(
        data=done.data,
        content_type=done.content_type,
        method="classical",
        notes=tuple(done.notes),
        values=cast(Mapping[str, JsonValue], done.values),
    )


def no_objects(name: str) -> Picture:
    """The reader of objects where there is no bucket. Raises BadPipeline."""
    raise BadPipeline(f"object {name!r} cannot be read here: there is no uploads bucket")
