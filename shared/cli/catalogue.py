"""`darkroom stages`, `presets` and `models`: what is there to ask for?"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from shared.cli.schema import Schema, allowed, default, description
from shared.inference.registry import ModelEntry, Registry
from shared.parameters import PARAMETERS, Stage
from shared.presets import PRESET_RULES, PresetRules
from shared.settings import read_settings


@click.command(
    epilog="""\b
Examples:
  darkroom stages
  darkroom stages denoise upscale
  darkroom stages --json"""
)
@click.argument("names", metavar="[STAGE]...", nargs=-1, type=click.Choice(list(PARAMETERS)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON: for each stage the JSON Schema of its parameters.")
def stages(names: tuple[Stage, ...], as_json: bool) -> None:
    """List the stages with their parameters, limits and defaults.

    The stages stand in the order of the pipeline; assess and finish are part of every one.
    """
    chosen: tuple[Stage, ...] = names or tuple(PARAMETERS)
    if as_json:
        click.echo(json.dumps([_stage(name) for name in chosen], indent=2))
        return
    for name in chosen:
        stage = _stage(name)
        click.echo(f"{name}: {stage['summary']}")
        click.echo(f"  methods: {', '.join(stage['methods'])}")
        rows = [_parameter(parameter, schema) for parameter, schema in stage["parameters"].items()]
        for line in _aligned([row for row in rows if row[0] != "method"]):
            click.echo(f"  {line}")


def _parameter(name: str, schema: Schema) -> tuple[str, ...]:
    usual = f"[{default(schema)}]" if default(schema) else ""
    return name, allowed(schema), usual, description(schema)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _stage(name: Stage) -> dict[str, Any]:
    kind = PARAMETERS[name]
    properties: dict[str, Any] = kind.model_json_schema().get("properties", {})
    methods = properties.get("method", {}).get("enum") or ["classical"]
    summary = " ".join((kind.__doc__ or "").split())
    return {"stage": name, "summary": summary, "methods": methods, "parameters": properties}


@click.command(
    epilog="""\b
Examples:
  darkroom presets
  darkroom presets --json"""
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def presets(as_json: bool) -> None:
    """List the presets and what each of them does.

    A stage with a question mark runs only if the measurements call for it.
    """
    if as_json:
        click.echo(json.dumps({name: _rules(rules) for name, rules in PRESET_RULES.items()}, indent=2))
        return
    for name, rules in PRESET_RULES.items():
        click.echo(f"{name:<12}{rules.summary}")
        for line in _told(rules):
            click.echo(f"{'':<12}{line}")


def _rules(rules: PresetRules) -> dict[str, Any]:
    stages = {name: {"when": rule.when, "parameters": dict(rule.parameters)} for name, rule in rules.stages.items()}
    return {"summary": rules.summary, "stages": stages, "output": dict(rules.output)}


def _told(rules: PresetRules) -> Iterator[str]:
    steps = [
        f"{name}{'?' if rule.when == 'needed' else ''}{_given(rule.parameters)}" for name, rule in rules.stages.items()
    ]
    yield "stages: " + (", ".join(steps) or "none")
    if rules.output:
        yield f"output: {_pairs(rules.output)}"


def _given(parameters: Mapping[str, Any]) -> str:
    return f"({_pairs(parameters)})" if parameters else ""


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()
    )


@click.command(
    epilog="""\b
Examples:
  darkroom models
  darkroom models --json"""
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with training data and checksums in full.")
def models(as_json: bool) -> None:
    """List the installed models with licence, version and checksum."""
    settings = read_settings(os.environ)
    registry = Registry.load(settings.registry, commercial_only=settings.commercial_only)
    if as_json:
        click.echo(json.dumps([_model(entry, registry) for entry in registry.entries], indent=2))
        return
    from shared.cli.screen import table

    headings = ("STAGE", "MODEL", "VERSION", "USE", "LICENCE", "COMMERCIAL", "SHA256")
    table(headings, (_row(entry, registry) for entry in registry.entries))


def _row(entry: ModelEntry, registry: Registry) -> tuple[object, ...]:
    allowed = "yes" if entry.commercial_use else "no"
    ref = entry.ref
    return entry.stage, ref.id, ref.version, _use(entry, registry), ref.licence, allowed, ref.sha256[:12]


def _use(entry: ModelEntry, registry: Registry) -> str:
    if registry.commercial_only and not entry.commercial_use:
        return "refused"
    use = "default" if entry.default else "by name"
    return use if entry.path.is_file() else f"{use}, but {entry.path} is missing"


def _model(entry: ModelEntry, registry: Registry) -> dict[str, Any]:
    return {
        "stage": entry.stage,
        **entry.ref.model_dump(),
        "use": _use(entry, registry),
        "commercial_use": entry.commercial_use,
        "file": str(entry.path),
        "training_data": [data.model_dump(by_alias=True) for data in entry.training_data],
    }
