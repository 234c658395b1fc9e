"""Parses the pipeline that a user requests.

A `Pipeline` is a preset, changed by switches, or an explicit list of stages. It comes as a preset's name, as JSON in
an object's metadata, or from a command line; `parse_pipeline` parses all of them, and unknown keys are errors.

    "restore"
    {"preset": "product", "stages": {"upscale": {"scale": 2}, "background": false}, "output": {"target_size_kb": 300}}
    {"stages": ["denoise", {"stage": "upscale", "scale": 2}]}

A mapping of stages changes the preset; a list means exactly these stages, in this order.
"""

import json
from typing import Any, Literal, get_args

from pydantic import Field, JsonValue, ValidationError, field_validator, model_validator

from darkroom.domain.errors import BadPipeline
from darkroom.domain.messages import Record, describe
from darkroom.domain.nearness import nearest, suggestion
from darkroom.domain.parameters import PARAMETERS, RESTORATION_STAGES, Stage, object_names

Preset = Literal[
    "auto",
    "restore",
    "product",
    "full",
    "repair",
    "denoise",
    "deblur",
    "low_light",
    "color_cast",
    "colorize",
    "cutout",
    "upscale",
    "sharpen",
    "optimize",
]
PRESETS: tuple[Preset, ...] = get_args(Preset)
DEFAULT_PRESET: Preset = "auto"
#: Which default models a pipeline uses: the built-in ones, or the best that are installed.
Quality = Literal["fast", "best"]
#: Default threshold of the score, 0-100, above which a result needs no review.
DEFAULT_QC_THRESHOLD = 75.0


class StageChoice(Record):
    """A stage of an explicit list, with the parameters that differ from the defaults."""

    stage: Stage
    parameters: dict[str, JsonValue] = {}

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"stage": value}
        if isinstance(value, dict) and "parameters" not in value:
            return {"stage": value.get("stage"), "parameters": {k: v for k, v in value.items() if k != "stage"}}
        return value

    @field_validator("stage", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in PARAMETERS:
            names = ", ".join(RESTORATION_STAGES)
            hint = suggestion(value, RESTORATION_STAGES)
            raise ValueError(f"stage {value[:80]!r} is unknown, expected any of {names}{hint}")
        return value

    @model_validator(mode="after")
    def _valid(self) -> "StageChoice":
        check_parameters(self.stage, self.parameters)
        return self


class Pipeline(Record):
    """The requested processing; the planner turns it into steps."""

    preset: Preset = DEFAULT_PRESET
    #: A list: exactly these stages, in this order. A mapping: true or parameters switch a stage on, false off.
    stages: tuple[StageChoice, ...] | dict[Stage, bool | dict[str, JsonValue]] = {}
    #: Options of the result: parameters of `finish` on top of the preset's.
    output: dict[str, JsonValue] = {}
    #: Results that score above this are approved without a person, 0 to 100.
    qc_threshold: float = Field(DEFAULT_QC_THRESHOLD, ge=0.0, le=100.0, strict=True)
    quality: Quality = Field(
        "best", description="which default models: `fast` takes the built-in ones, `best` the best that are installed"
    )

    @field_validator("preset", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        if isinstance(value, str) and value not in PRESETS:
            raise ValueError(_unknown_preset(value))
        return value

    @field_validator("stages", mode="before")
    @classmethod
    def _list_or_mapping(cls, value: Any) -> Any:
        """Pick the form here, so that an error names the mistake and not both forms."""
        if isinstance(value, (list, tuple)):
            return tuple(StageChoice.model_validate(item) for item in value)
        if not isinstance(value, dict):
            raise ValueError(f"expected a list of stages or a mapping from stages to switches, not {value!r}")
        if unknown := sorted(str(key) for key in value if key not in PARAMETERS):
            hint = suggestion(unknown[0], RESTORATION_STAGES)
            raise ValueError(
                f"stage {', '.join(unknown)} is unknown, expected any of {', '.join(RESTORATION_STAGES)}{hint}"
            )
        for stage, switch in value.items():
            if not isinstance(switch, (bool, dict)):
                raise ValueError(f"{stage}: expected true, false or parameters, not {switch!r}")
            check_parameters(stage, switch if isinstance(switch, dict) else {})
        return value

    @model_validator(mode="after")
    def _valid(self) -> "Pipeline":
        choices = self.stages if isinstance(self.stages, dict) else [choice.stage for choice in self.stages]
        for stage in choices:
            if stage not in RESTORATION_STAGES:
                raise ValueError(f"{stage} is always part of a pipeline; its parameters belong to output")
        if len(set(choices)) < len(choices):
            raise ValueError(f"a stage occurs twice in {', '.join(choices)}")
        check_parameters("finish", self.output)
        return self

    @property
    def object_names(self) -> frozenset[str]:
        """The objects of the uploads bucket that any parameter names."""
        if isinstance(self.stages, tuple):
            chosen = [(choice.stage, choice.parameters) for choice in self.stages]
        else:
            chosen = [(stage, switch) for stage, switch in self.stages.items() if isinstance(switch, dict)]
        named = [object_names(stage, parameters) for stage, parameters in chosen]
        return frozenset().union(*named, object_names("finish", self.output))

    @property
    def label(self) -> str:
        """The pipeline in a word or two, for people."""
        if isinstance(self.stages, tuple):
            return "stages " + ", ".join(choice.stage for choice in self.stages)
        return f"preset {self.preset}" + (" with switches" if self.stages or self.output else "")


def check_parameters(stage: Stage, parameters: dict[str, JsonValue]) -> None:
    """Raises ValueError, naming stage, parameter, value and limit, unless `parameters` suit the stage."""
    try:
        PARAMETERS[stage].model_validate(parameters)
    except ValidationError as exc:
        known = ", ".join(PARAMETERS[stage].model_fields)
        hint = f" (known: {known})" if any(e["type"] == "extra_forbidden" for e in exc.errors()) else ""
        name = "output" if stage == "finish" else stage
        raise ValueError(f"{name}: {describe(exc)}{hint}") from exc


def parse_pipeline(text: str) -> Pipeline:
    """The pipeline that `text` names (a preset) or describes (JSON).

    Raises BadPipeline with every problem, the value and the limit.
    """
    if not text.lstrip().startswith(("{", "[", '"')):
        return preset_pipeline(text.strip())
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise BadPipeline(f"the pipeline is not valid JSON: {exc}") from exc
    if isinstance(value, list):
        raise BadPipeline('a list of stages is no pipeline by itself, it belongs under "stages"')
    return preset_pipeline(value) if isinstance(value, str) else build_pipeline(value)


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _unknown_preset(name: str) -> str:
    return f"preset {name[:80]!r} is unknown, expected one of {', '.join(PRESETS)}{suggestion(name, PRESETS)}"


def preset_pipeline(name: str) -> Pipeline:
    """The pipeline of a preset. Raises BadPipeline, naming the presets, if there is none of that name."""
    if name not in PRESETS:
        raise BadPipeline(_unknown_preset(name), code="unknown_preset", value=name)
    return build_pipeline({"preset": name})


def build_pipeline(value: object) -> Pipeline:
    """The pipeline that a parsed JSON value describes. Raises BadPipeline with every problem."""
    try:
        return Pipeline.model_validate(value)
    except ValidationError as exc:
        raise BadPipeline(f"the pipeline is not valid: {describe(exc)}") from exc


def pipeline_of_path(name: str) -> Pipeline:
    """The pipeline that an upload's first folder names; the default one if it names none."""
    first = name.split("/", 1)[0] if "/" in name else ""
    return preset_pipeline(first if first in PRESETS else DEFAULT_PRESET)


def near_preset(name: str) -> str | None:
    """The preset that a word nearly names, None for a preset's own name and for any other word.

    >>> near_preset("Restored"), near_preset("color-cast"), near_preset("restore"), near_preset("wedding")
    ('restore', 'color_cast', None, None)
    """
    if name in PRESETS:
        return None
    return nearest(name, PRESETS)


def parse_stages(text: str) -> tuple[StageChoice, ...]:
    """The explicit list in `denoise:strength=0.8:sigma=20,upscale:scale=2`; values are JSON, or else words.

    Raises BadPipeline for an unknown stage or parameter, a value out of range, or a parameter without value.
    """
    chosen = build_pipeline({"stages": [_stage_item(item) for item in text.split(",") if item.strip()]}).stages
    assert isinstance(chosen, tuple)
    return chosen


def _stage_item(item: str) -> dict[str, JsonValue]:
    stage, *settings = (part.strip() for part in item.split(":"))
    parsed: dict[str, JsonValue] = {"stage": stage}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise BadPipeline(f"{setting!r} of stage {stage!r} has no value, expected name=value")
        parsed[name.strip()] = parse_value(value)
    return parsed


def parse_value(text: str) -> JsonValue:
    """A value from a command line: JSON if it is any, else the word itself."""
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value
