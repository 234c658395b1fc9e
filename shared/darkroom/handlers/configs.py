"""Sets and reads the pipeline of a SKU or of a product group."""

import hashlib
from collections.abc import Mapping

from darkroom.domain.pipeline import Pipeline
from darkroom.domain.products.configs import Config, Scope, keys_of, resolve
from darkroom.handlers.records import delete_record, find_record, overwrite, read_record
from darkroom.runtime.system import System


def configured_pipeline(
    system: System, owner: str, labels: Mapping[str, str], *, default: Pipeline | None = None
) -> Pipeline:
    """What is set for a picture with these labels: for its SKU, else for its group, else the default."""
    names = [_name(owner, scope, key) for scope, key in keys_of(labels)]
    found = (find_record(system, name, Config) for name in names)
    return resolve((config for config in found if config is not None), default or Pipeline())


def read_config(system: System, owner: str, scope: Scope, key: str) -> Config:
    """What is set. Raises ObjectNotFound."""
    return read_record(system, _name(owner, scope, key), Config)


def save_config(system: System, config: Config) -> None:
    """Set a configuration and replace an existing one."""
    overwrite(system, _name(config.owner, config.scope, config.key), config)


def delete_config(system: System, owner: str, scope: Scope, key: str) -> None:
    """Forget it. Raises ObjectNotFound."""
    delete_record(system, _name(owner, scope, key))


def _name(owner: str, scope: Scope, key: str) -> str:
    """Owners and keys may contain any character; object names use a safe encoding of them."""
    return f"configs/{_digest(owner)}/{scope}/{_digest(key)}.json"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
