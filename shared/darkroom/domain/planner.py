"""Plans the steps of a job.

Pure: the input is a job and the measurements of `assess`. The output is the list of steps with every parameter
resolved, and the skipped stages with their reasons. The name of each artifact contains a digest of the upload and of
all steps up to it. So a rework that changes step 4 reuses the artifacts of steps 1 to 3.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from pydantic import JsonValue, ValidationError

from darkroom import __version__
from darkroom.domain.errors import BadPipeline
from darkroom.domain.formats import EXTENSIONS, output_format, working_extension
from darkroom.domain.job import Job, Skipped
from darkroom.domain.measurements import Measurements
from darkroom.domain.messages import ModelRef, ObjectRef, Report, Step, describe
from darkroom.domain.parameters import (
    PARAMETERS,
    RESTORATION_STAGES,
    AssessParameters,
    FinishParameters,
    Parameters,
    RepairParameters,
    RestorationParameters,
    Stage,
    UpscaleParameters,
    object_names,
)
from darkroom.domain.pipeline import Pipeline, Quality
from darkroom.domain.presets import NEEDS, NEEDS_OF_MODEL, PRESET_RULES, Rule, has_veil
from darkroom.domain.sizes import has_work, model_factor, target_size


class ModelRegistry(Protocol):
    """The models that are installed."""

    def model_ref(
        self, stage: Stage, model_id: str | None, factor: float = 1.0, *, quality: Quality = "best"
    ) -> ModelRef | None:
        """The model of that id, or the stage's default one for that enlargement; None if the stage has none.

        `quality` chooses between the built-in default and the best one that is installed.

        Raises ModelUnusable if a model is named that is not registered for the stage.
        """

    def model_seconds(self, stage: Stage, model_id: str, megapixels: float) -> float | None:
        """Processor seconds that the model takes for a picture of that size; None if it was not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """The buckets; the settings check that the three are different."""

    uploads: str
    artifacts: str
    results: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRequest:
    """A stage that may run, before the measurements are applied."""

    stage: Stage
    parameters: Mapping[str, JsonValue]
    #: `asked`: requested by the user. `preset`: always run by the preset. `needed`: run if the measurements require it.
    origin: str


def first_step(job: Job, buckets: Buckets, model_registry: ModelRegistry) -> Step:
    """The `assess` at the start of every run."""
    return _assess(_Chain(job, buckets), model_registry, {}, reason="every photograph is measured first")


def make_plan(
    job: Job,
    report: Report,
    model_registry: ModelRegistry,
    buckets: Buckets,
    *,
    objects: Mapping[str, ObjectRef] = MappingProxyType({}),
) -> tuple[tuple[Step, ...], tuple[Skipped, ...]]:
    """All steps of a run, and the skipped stages.

    `objects` holds the objects that the pipeline names, in the generation to be read. A step holds those that its own
    parameters name. Raises BadPipeline if the measured picture makes the pipeline impossible (an enlargement beyond the
    limit), and ModelUnusable if it names a model that is not registered.
    """
    measured = Measurements.from_json(report.measurements)
    chain = _Chain(job, buckets, objects)
    _assess(chain, model_registry, {}, reason="every photograph is measured first")
    size, skipped = (measured.height, measured.width), []
    for request in requested_stages(job.pipeline):
        parameters = _validated(request, measured)
        reason = _reason(request, measured, model_registry)
        obstacle = _obstacle(parameters, measured, size, model_registry) if reason else _not_needed(request)
        if obstacle:
            skipped.append(Skipped(stage=request.stage, reason=obstacle))
            continue
        method, model = _method(request.stage, parameters, size, job.pipeline.quality, model_registry)
        if method == "shades_of_grey" and _is_free(parameters) and has_veil(measured):
            method = "channel_stretch"
        if isinstance(parameters, UpscaleParameters):
            size = target_size(parameters, *size)
        chain.extension = working_extension(measured.bits, *size)
        chain.add(request.stage, method, parameters.model_dump(mode="json"), model=model, reason=reason or "")
    _finish(chain, job, measured)
    scored = AssessParameters(reference_pixels=measured.pixels).model_dump(mode="json")
    _assess(chain, model_registry, scored, reason="every result is scored")
    return tuple(chain.steps), tuple(skipped)


def requested_stages(pipeline: Pipeline) -> list[StageRequest]:
    """The stages that a pipeline may run, in order, and those it switches off."""
    if isinstance(pipeline.stages, tuple):
        return [StageRequest(stage=c.stage, parameters=c.parameters, origin="asked") for c in pipeline.stages]
    rules = PRESET_RULES[pipeline.preset].stages
    found = (_stage_request(stage, rules.get(stage), pipeline.stages.get(stage)) for stage in RESTORATION_STAGES)
    return [request for request in found if request]


def finish_parameters(pipeline: Pipeline) -> FinishParameters:
    """The preset's parameters of `finish` with the user's options on top; a list of stages uses the options alone."""
    preset = {} if isinstance(pipeline.stages, tuple) else PRESET_RULES[pipeline.preset].output
    return FinishParameters.model_validate({**preset, **pipeline.output})


def _stage_request(stage: Stage, rule: Rule | None, switch: bool | dict[str, JsonValue] | None) -> StageRequest | None:
    if switch is False:
        return StageRequest(stage=stage, parameters={}, origin="off") if rule else None
    if switch is None and rule is None:
        return None
    own = dict(rule.parameters) if rule else {}
    if switch is None:
        return StageRequest(
            stage=stage, parameters=own, origin="preset" if rule and rule.when == "always" else "needed"
        )
    return StageRequest(stage=stage, parameters=_merged(stage, own, switch), origin="asked")


def _merged(stage: Stage, own: dict[str, JsonValue], switch: bool | dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The preset's parameters under the user's; a size of the user's replaces the preset's size."""
    if not isinstance(switch, dict):
        return own
    sizes = {"scale", "width", "height", "min_side", "same_size"}
    if stage == "upscale" and sizes & switch.keys():
        own = {name: value for name, value in own.items() if name not in sizes}
    return {**own, **switch}


def _validated(request: StageRequest, measured: Measurements) -> RestorationParameters:
    values = dict(request.parameters)
    if request.stage == "deblur" and values.get("sigma") is None:
        values["sigma"] = min(measured.noise_sigma, 100.0)
    try:
        parameters = PARAMETERS[request.stage].model_validate(values)
    except ValidationError as exc:
        raise BadPipeline(f"{request.stage}: {describe(exc)}") from exc
    assert isinstance(parameters, RestorationParameters)
    return parameters


def _reason(request: StageRequest, measured: Measurements, model_registry: ModelRegistry) -> str | None:
    """Why the stage is wanted, or None if it is not."""
    if request.origin == "off":
        return None
    if request.origin == "needed":
        careful = request.stage in NEEDS_OF_MODEL and model_registry.model_ref(request.stage, None) is not None
        return (NEEDS_OF_MODEL if careful else NEEDS)[request.stage](measured)
    return "asked for" if request.origin == "asked" else "part of the preset"


def _not_needed(request: StageRequest) -> str:
    return "switched off" if request.origin == "off" else "the measurements do not call for it"


def _obstacle(
    parameters: RestorationParameters, measured: Measurements, size: tuple[int, int], model_registry: ModelRegistry
) -> str | None:
    """Why a wanted stage has nothing to do, or None if it can run."""
    if isinstance(parameters, UpscaleParameters) and not has_work(parameters, *size):
        return f"{size[1]}x{size[0]} is large enough already"
    if getattr(parameters, "force", True) is False and not (measured.greyscale or measured.toned):
        return "the picture has colour already; force=true colorizes it all the same"
    stage = _stage_of(parameters)
    if not parameters.classical and model_registry.model_ref(stage, parameters.model) is None:
        return "no model is installed and there is no classical method"
    return None


def _stage_of(parameters: Parameters) -> Stage:
    return next(stage for stage, kind in PARAMETERS.items() if isinstance(parameters, kind))


def _method(
    stage: Stage,
    parameters: RestorationParameters,
    size: tuple[int, int],
    quality: Quality,
    model_registry: ModelRegistry,
) -> tuple[str, ModelRef | None]:
    """The method that runs. `model` without a registered model stays, and fails or falls back in the stage."""
    method: str = getattr(parameters, "method")  # noqa: B009  every restoration stage has one, each its own Literal
    if method not in ("auto", "model"):
        return method, None
    if isinstance(parameters, RepairParameters) and parameters.mask_object is not None:
        return parameters.classical[0], None
    factor = model_factor(parameters, *size) if isinstance(parameters, UpscaleParameters) else 1.0
    model = model_registry.model_ref(stage, parameters.model, factor, quality=quality)
    if model or method == "model" or parameters.model:
        return "model", model
    return parameters.classical[0], None


def _is_free(parameters: RestorationParameters) -> bool:
    """Whether the user has named neither a method nor a model."""
    return getattr(parameters, "method") == "auto" and parameters.model is None  # noqa: B009  as in `_method`


def _finish(chain: "_Chain", job: Job, measured: Measurements) -> None:
    parameters = finish_parameters(job.pipeline)
    cut_out = any(step.stage == "background" for step in chain.steps)
    chosen = output_format(parameters, measured.format, has_alpha=measured.has_alpha or cut_out)
    chain.result_name = job.result_name(EXTENSIONS[chosen])
    values = {**parameters.model_dump(mode="json"), "format": chosen}
    chain.add("finish", "classical", values, reason="every result is finished")


def _assess(chain: "_Chain", model_registry: ModelRegistry, parameters: dict[str, JsonValue], *, reason: str) -> Step:
    """Scored by the installed network; by the classical measurements if there is none."""
    model = model_registry.model_ref("assess", None)
    return chain.add("assess", "model" if model else "classical", parameters, reason=reason, model=model)


class _Chain:
    """Steps in the making; each one's digest covers the upload and all before it."""

    def __init__(self, job: Job, buckets: Buckets, objects: Mapping[str, ObjectRef] = MappingProxyType({})) -> None:
        self.job = job
        self.objects = objects
        self.buckets = buckets
        self.steps: list[Step] = []
        self.extension = "webp"
        self.result_name = ""

    def add(
        self,
        stage: Stage,
        method: str,
        parameters: dict[str, JsonValue],
        *,
        reason: str,
        model: ModelRef | None = None,
    ) -> Step:
        before = self.steps[-1].digest if self.steps else f"{__version__}/{self.job.source.ref}"
        run = self.job.run if stage == "finish" or parameters.get("fallback") else None
        named = object_names(stage, parameters)
        objects = {name: ref for name, ref in sorted(self.objects.items()) if name in named}
        what = [before, stage, method, model.sha256 if model else None, parameters, run, *map(str, objects.values())]
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        bucket, name = self._output(stage, digest)
        step = Step(
            stage=stage,
            method=method,
            parameters=parameters,
            model=model,
            objects=objects,
            output_bucket=bucket,
            output_name=name,
            digest=digest,
            reason=reason,
        )
        self.steps.append(step)
        return step

    def _output(self, stage: Stage, digest: str) -> tuple[str, str]:
        if stage == "finish":
            return self.buckets.results, self.result_name
        extension = "json" if stage == "assess" else self.extension
        name = f"{self.job.id}/{len(self.steps):02d}-{stage}-{digest[:12]}.{extension}"
        return self.buckets.artifacts, name
