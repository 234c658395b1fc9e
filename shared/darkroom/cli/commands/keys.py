"""`darkroom keys`: manages the keys of the HTTP API."""

import json
from typing import get_args

import click

from darkroom.auth.keys import ApiKey, Keys
from darkroom.auth.roles import Role
from darkroom.cli.support.service import service
from darkroom.cli.support.text import printable
from darkroom.runtime.system import System


def keys_of(system: System) -> Keys:
    """The keys of a system."""
    return Keys(objects=system.objects, bucket=system.settings.keys_bucket, clock=system.clock)


@click.group(
    epilog="""\b
Examples:
  darkroom keys create shop
  darkroom keys create anna reviewer
  darkroom keys list
  darkroom keys revoke 3f2a91c0b7d2"""
)
def keys() -> None:
    """Create, list and revoke keys of the HTTP API.

    As long as there is no key, the API of `darkroom up` serves this computer alone, without a key.
    """


@keys.command()
@click.argument("owner")
@click.argument("role", type=click.Choice(get_args(Role)), default="submitter")
def create(owner: str, role: Role) -> None:
    """Print a new key for OWNER, once.

    A submitter sees the owner's jobs, a reviewer and an admin see all; only an admin changes those of others.
    """
    _, text = keys_of(service().system).create(owner, role)
    click.echo(text)
    click.echo("Keep it: it is shown only now, and only its hash is stored.", err=True)


@keys.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each key.")
def list_keys(as_json: bool) -> None:
    """Show all keys, without their secrets."""
    found = sorted(keys_of(service().system).all(), key=lambda key: key.created_at)
    if as_json:
        for key in found:
            click.echo(json.dumps(key.model_dump(mode="json", exclude={"sha256"})))
        return
    from darkroom.cli.support.tables import table

    table(("ID", "OWNER", "ROLE", "CREATED", "REVOKED"), (_row(key) for key in found))


def _row(key: ApiKey) -> tuple[object, ...]:
    revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
    return key.id, printable(key.owner), key.role, f"{key.created_at:%Y-%m-%d %H:%M}", revoked


@keys.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Let the key with this ID open nothing any more."""
    key = keys_of(service().system).revoke(key_id)
    click.echo(f"{key.id}  {printable(key.owner)}  revoked")
