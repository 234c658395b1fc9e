"""`darkroom estimate`: the cost on Google Cloud."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import TypedDict, Unpack

import click

from darkroom.costs.estimate import Estimate, Size, preset_estimate
from darkroom.domain.pipeline import PRESETS
from darkroom.runtime.bootstrap import installed_models
from darkroom.runtime.settings import read_settings


class _Machine(TypedDict):
    cpu: float
    memory: float
    slowdown: float


@click.command(
    name="estimate",
    epilog="""\b
Examples:
  darkroom estimate --pictures 50000 --preset product
  darkroom estimate --pictures 1000 --megapixels 12 --preset restore --cpu 2 --memory 4
  darkroom estimate --pictures 50000 --json""",
)
@click.option("--pictures", type=click.IntRange(min=1), required=True, help="How many.")
@click.option("--megapixels", type=click.FloatRange(min=0.01, max=100), default=1.0, show_default=True, help="Of each.")
@click.option("--preset", type=click.Choice(PRESETS), default="product", show_default=True, help="What is done.")
@click.option("--cpu", type=click.FloatRange(min=1, max=8), default=1.0, show_default=True, help="Of a stage.")
@click.option(
    "--memory", type=click.FloatRange(min=0.5, max=32), default=2.0, show_default=True, help="Of a stage, GiB."
)
@click.option(
    "--slowdown",
    type=click.FloatRange(min=0.25, max=10),
    default=Size().slowdown,
    show_default=True,
    help="How many times slower a processor there is than the one measured on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def estimate(pictures: int, megapixels: float, preset: str, as_json: bool, **machine: Unpack[_Machine]) -> None:
    """Estimate what pictures cost on Google Cloud.

    From measured processor seconds, list prices and assumptions that docs/cost.md names. Stages that a preset runs only
    where the measurements call for them are not counted. A network that is installed here and is the default of its
    stage counts with its own seconds.
    """
    registry = installed_models(read_settings(os.environ))
    size = Size(cpu=machine["cpu"], memory_gib=machine["memory"], slowdown=machine["slowdown"])
    estimated = preset_estimate(pictures, megapixels, preset, registry=registry, size=size)
    if as_json:
        click.echo(json.dumps(asdict(estimated) | {"dollars": round(estimated.dollars, 2)}))
        return
    for line in _lines(estimated):
        click.echo(line)


def _lines(estimated: Estimate) -> Iterator[str]:
    steps = " → ".join(f"{step.stage} ({step.method}, {step.seconds:.2f} s)" for step in estimated.steps)
    yield f"{estimated.pictures} pictures of {estimated.megapixels:g} MP: {steps}"
    for line in estimated.lines:
        yield f"  {line.what:<16}{line.amount:>14,.2f} {line.unit:<14}{line.dollars:>9.2f} USD"
    yield f"  {'together':<45}{estimated.dollars:>9.2f} USD"
    yield f"  {'within the free tier of one month':<45}{estimated.dollars - estimated.free_tier:>9.2f} USD"
