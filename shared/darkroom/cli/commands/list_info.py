"""`darkroom stages` and `presets`: lists the stages and the presets."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from darkroom.cli.support.names import Name
from darkroom.cli.support.schema import Schema, allowed, default, description
from darkroom.domain.parameters import PARAMETERS, Stage
from darkroom.domain.presets import PRESET_RULES, PresetRules


@click.command(
    epilog="""\b
Examples:
  darkroom stages
  darkroom stages denoise upscale
  darkroom stages --json"""
)
@click.argument("names", metavar="[STAGE]...", nargs=-1, type=Name(list(PARAMETERS)))
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
        for line in _rule_lines(rules):
            click.echo(f"{'':<12}{line}")


def _rules(rules: PresetRules) -> dict[str, Any]:
    stages = {name: {"when": rule.when, "parameters": dict(rule.parameters)} for name, rule in rules.stages.items()}
    return {"summary": rules.summary, "stages": stages, "output": dict(rules.output)}


def _rule_lines(rules: PresetRules) -> Iterator[str]:
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
