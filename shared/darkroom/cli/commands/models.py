"""`darkroom models`: lists the networks and adds your own."""

import json
import os
from pathlib import Path
from typing import Any, TypedDict, Unpack

import click

from darkroom.cli.support.networks import get, install, installation_folder, usage, use
from darkroom.domain.parameters import RESTORATION_STAGES, Stage
from darkroom.inference.known_models import ModelManifest, Network, known_network, known_networks, read_description
from darkroom.inference.registry import ModelEntry, Registry
from darkroom.runtime.bootstrap import installed_models
from darkroom.runtime.settings import read_settings

_STAGE = click.argument("stage", type=click.Choice(RESTORATION_STAGES))


class _Options(TypedDict):
    as_: str | None
    contract: Path | None
    id_: str | None


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  darkroom models
  darkroom models --json
  darkroom models show denoise denoise
  darkroom models known
  darkroom models get isnet --accept-licence
  darkroom models use upscale span-x2
  darkroom models use background background
  darkroom models add upscale general-x4v3.onnx --as realesr-general-x4v3
  darkroom models add deblur mine.onnx --contract mine.toml
  darkroom models remove upscale realesr-general-x4v3""",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with training data and checksums in full.")
@click.pass_context
def models(ctx: click.Context, as_json: bool) -> None:
    """List the installed models with licence, version and checksum.

    The other commands show one, fetch well-known networks, choose between them, and add or remove your own.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_models, as_json=as_json)


@models.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with training data and checksums in full.")
def list_models(as_json: bool) -> None:
    """List the installed models."""
    registry = installed_models(read_settings(os.environ))
    if as_json:
        click.echo(json.dumps([_model(entry, registry) for entry in registry.entries], indent=2))
        return
    from darkroom.cli.support.tables import table

    headings = ("STAGE", "MODEL", "VERSION", "USE", "LICENCE", "COMMERCIAL", "SHA256")
    table(headings, (_row(entry, registry) for entry in registry.entries))


@models.command()
@_STAGE
@click.argument("model_id", metavar="MODEL")
def show(stage: Stage, model_id: str) -> None:
    """Show one model with its contract, as JSON."""
    registry = installed_models(read_settings(os.environ))
    entry = registry.get(stage, model_id)
    contract = entry.contract.model_dump(mode="json", exclude_none=True)
    click.echo(json.dumps({**_model(entry, registry), "contract": contract}, indent=2))


@models.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with contract and training data.")
def known(as_json: bool) -> None:
    """List the networks that `get` fetches and `add --as` supports, and where their authors publish them."""
    if as_json:
        click.echo(json.dumps([each.model_dump(mode="json", by_alias=True) for each in known_networks()], indent=2))
        return
    from darkroom.cli.support.tables import table

    headings = ("STAGE", "NETWORK", "GET", "LICENCE", "COMMERCIAL", "PUBLISHED")
    table(
        headings,
        (
            (it.stage, it.id, "yes" if it.sources else "no", it.licence, _allowed(it), it.published)
            for it in known_networks()
        ),
    )


@models.command()
@_STAGE
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--as", "as_", metavar="NETWORK", help="It is this well-known network; `darkroom models known` lists them."
)
@click.option(
    "--contract",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML file with licence, training data and contract of any other network.",
)
@click.option("--id", "id_", metavar="MODEL", help="Id of the model.  [default: the network, or the contract's id]")
def add(stage: Stage, file: Path, **options: Unpack[_Options]) -> None:
    """Install a network of your own on this machine, after a probe.

    FILE is an ONNX graph. It must have the inputs and outputs of its contract, and STAGE must process a probe picture
    with it. Afterwards the parameter `model` of the stage selects it.
    """
    install(stage, _described(stage, options), file.read_bytes())


@models.command()
@_STAGE
@click.argument("model_id", metavar="MODEL")
def remove(stage: Stage, model_id: str) -> None:
    """Remove a network that was added, and its file."""
    installation_folder(read_settings(os.environ)).remove(stage, model_id)
    click.echo(f"{stage}  {model_id}  removed")


def _described(stage: Stage, options: _Options) -> ModelManifest:
    name, contract = options["as_"], options["contract"]
    if (name is None) == (contract is None):
        raise click.UsageError("name the network: --as NETWORK or --contract FILE")
    described = known_network(stage, name) if name is not None else read_description(Path(str(contract)))
    renamed = {"id": options["id_"]} if options["id_"] is not None else {}
    return ModelManifest.model_validate(
        {**described.model_dump(include=set(ModelManifest.model_fields), by_alias=True), **renamed}
    )


models.add_command(get)
models.add_command(use)


def _row(entry: ModelEntry, registry: Registry) -> tuple[object, ...]:
    ref = entry.ref
    return entry.stage, ref.id, ref.version, _use(entry, registry), ref.licence, _allowed(entry), ref.sha256[:12]


def _use(entry: ModelEntry, registry: Registry) -> str:
    if registry.commercial_only and not entry.commercial_use:
        return "refused"
    use = usage(entry, registry)
    return use if entry.path.is_file() else f"{use}, but {entry.path} is missing"


def _model(entry: ModelEntry, registry: Registry) -> dict[str, Any]:
    return {
        "stage": entry.stage,
        **entry.ref.model_dump(),
        "use": _use(entry, registry),
        "installed": entry.installed,
        "evidence": entry.evidence.model_dump() if entry.evidence else None,
        "cost": entry.cost.model_dump() if entry.cost else None,
        "commercial_use": entry.commercial_use,
        "file": str(entry.path),
        "training_data": [data.model_dump(by_alias=True) for data in entry.training_data],
    }


def _allowed(it: ModelEntry | Network) -> str:
    return "yes" if (it.for_commercial_use if isinstance(it, Network) else it.commercial_use) else "no"
