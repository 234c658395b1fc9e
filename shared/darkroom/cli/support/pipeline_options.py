"""Builds the pipeline that the options of a command line request.

`--preset`, `--stages` or `--pipeline`, and one option for each parameter of `finish`. Names, limits, defaults and
descriptions of the latter come from `FinishParameters`, and are defined only there.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from darkroom.cli.support.names import Name
from darkroom.cli.support.schema import Schema, allowed, default, description, kinds
from darkroom.cli.support.text import of_file
from darkroom.domain.errors import BadPipeline
from darkroom.domain.parameters import FinishParameters
from darkroom.domain.pipeline import (
    PRESETS,
    Pipeline,
    build_pipeline,
    check_parameters,
    parse_pipeline,
    parse_stages,
    preset_pipeline,
)

#: Where the options leave their values, in `click.Context.meta`.
_OUTPUT, _PIPELINE = "darkroom.cli.support.pipeline_options.output", "darkroom.cli.support.pipeline_options.pipeline"

_RANGES: Mapping[str, Callable[..., click.ParamType[Any]]] = {"number": click.FloatRange, "integer": click.IntRange}

Decorator = Callable[[Any], Any]


def pipeline_options(command: Any) -> Any:
    """`--preset`, `--stages` and `--pipeline`, of which one may be given."""
    options = (
        click.option(
            "--preset",
            type=Name(PRESETS),
            metavar="NAME",
            callback=_keep_pipeline,
            expose_value=False,
            help="A preset, see `darkroom presets`.",
        ),
        click.option(
            "--stages",
            metavar="LIST",
            callback=_keep_pipeline,
            expose_value=False,
            help="Exactly these stages and no other change, as denoise:strength=0.8,upscale:scale=2; see "
            "`darkroom stages`.",
        ),
        click.option(
            "--pipeline",
            metavar="JSON|@FILE",
            callback=_keep_pipeline,
            expose_value=False,
            help="A pipeline as JSON, or @ and the name of a file that holds it.",
        ),
    )
    return _all(options, command)


def output_options(*, leave_out: Iterable[str] = ()) -> Decorator:
    """An option for each parameter of `finish`; they change the result of any pipeline."""
    properties = FinishParameters.model_json_schema()["properties"]
    options = [_output_option(name, schema) for name, schema in properties.items() if name not in set(leave_out)]
    return lambda command: _all(options, command)


def requested_pipeline(ctx: click.Context) -> Pipeline | None:
    """The pipeline that the options of the running command request; None if none of them was given."""
    output: dict[str, Any] = ctx.meta.get(_OUTPUT, {})
    pipeline: Pipeline | None = ctx.meta.get(_PIPELINE)
    if pipeline is None and not output:
        return None
    return with_output(pipeline or Pipeline(), output)


def with_output(pipeline: Pipeline, output: Mapping[str, Any]) -> Pipeline:
    """The pipeline with other `finish` parameters. Raises UsageError if they contradict each other."""
    try:
        return build_pipeline({**pipeline.model_dump(), "output": {**pipeline.output, **output}})
    except BadPipeline as exc:
        raise click.UsageError(str(exc)) from exc


def _all(options: Iterable[Decorator], command: Any) -> Any:
    for option in reversed(list(options)):
        command = option(command)
    return command


def _keep_pipeline(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    if _PIPELINE in ctx.meta:
        raise click.UsageError("give one of --preset, --stages and --pipeline")
    try:
        ctx.meta[_PIPELINE] = _READERS[param.name or ""](value)
    except OSError as exc:
        raise click.BadParameter(of_file(exc), ctx, param) from exc
    except (BadPipeline, UnicodeDecodeError) as exc:
        raise click.BadParameter(str(exc), ctx, param) from exc


def _stages_alone(value: str) -> Pipeline:
    return build_pipeline({"stages": parse_stages(value)})


def _json_or_file(value: str) -> Pipeline:
    text = Path(value[1:]).read_text(encoding="utf-8") if value.startswith("@") else value
    return parse_pipeline(text)


_READERS: Mapping[str, Callable[[str], Pipeline]] = {
    "preset": preset_pipeline,
    "stages": _stages_alone,
    "pipeline": _json_or_file,
}


class OutputOption(click.Option):
    """An option of the result; its limits stand where its value goes."""

    def get_help_extra(self, ctx: click.Context) -> Any:
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


class DevelopingCommand(click.Command):
    """A command whose options of the result have a section of their own in its help."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        result: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx)) is not None:
                (result if isinstance(param, OutputOption) else own).append(record)
        with formatter.section("Options"):
            formatter.write_dl(own)
        with formatter.section("Options of the result, on top of the pipeline's own"):
            formatter.write_dl(result)


def _output_option(name: str, schema: Schema) -> Decorator:
    flag = f"--{name.replace('_', '-')}"
    boolean = schema.get("type") == "boolean"
    text = description(schema)
    usual = {"true": "on", "false": "off"}.get(default(schema), default(schema))
    return click.option(
        f"{flag}/--no-{flag[2:]}" if boolean else flag,
        name,
        cls=OutputOption,
        type=click.BOOL if boolean else _type(name, schema),
        default=None,
        metavar=None if boolean else allowed(schema),
        callback=_keep_output,
        expose_value=False,
        help=f"{text[0].upper()}{text[1:]}." + (f"  [default: {usual}]" if usual else ""),
    )


def _type(name: str, schema: Schema) -> click.ParamType[Any]:
    """The choice, the range, or the text that the schema allows."""
    first, *others = kinds(schema)
    if not others and "enum" in first:
        return click.Choice(first["enum"])
    if not others and first["type"] in _RANGES:
        return _RANGES[first["type"]](first.get("minimum"), first.get("maximum"))
    return _Text(name, allowed(schema))


class _Text(click.ParamType[str]):
    """A text that `FinishParameters` checks, for instance a colour."""

    name = "text"

    def __init__(self, parameter: str, expected: str) -> None:
        self._parameter, self._expected = parameter, expected

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            check_parameters("finish", {self._parameter: value})
        except ValueError:
            self.fail(f"{value!r} is not {self._expected}", param, ctx)
        return str(value)


def _keep_output(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None:
        ctx.meta.setdefault(_OUTPUT, {})[param.name] = value


def key_and_value(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[str, str] | None:
    """`KEY=VALUE` as a pair."""
    return None if value is None else _pair(value)


def keys_and_values(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Several `KEY=VALUE` as a mapping."""
    return dict(_pair(value) for value in values)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE")
    return key, value
