"""Selects the models that are deployed with a function.

A stage gets its own models and a registry of only these. The dispatcher plans with the whole registry and opens no
model. The importer fetches pictures and needs no model.
Any other function may run whole pipelines and gets everything.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.domain.topology import STAGES
from darkroom.inference.user_models import written
from infra.staging.networks import Deployed

_TABLE = "[[model]]"
_EMPTY = "model = []\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The content of `models/`."""

    registry: str
    #: Paths below `models/`.
    files: tuple[str, ...]
    #: Installed networks whose files are included.
    deployed: tuple[Deployed, ...] = ()


def models_for(root: Path, function: str, deployed: Sequence[Deployed] = ()) -> Models:
    """The registry and the model files of one function.

    An installed network travels with its stage alone. The dispatcher, which plans, lists it without its file.
    """
    own = tuple(each for each in deployed if function in (each.stage, "dispatcher"))
    built_in = _built_in(root, function)
    # A list without models is written as an empty one, which a table cannot follow.
    head = built_in.registry.removesuffix(_EMPTY) if own else built_in.registry
    listed = head + "".join(written(each.table) for each in own)
    carried = tuple(each for each in own if function == each.stage)
    return Models(registry=listed, files=built_in.files, deployed=carried)


def _built_in(root: Path, function: str) -> Models:
    text = (root / "models" / "registry.toml").read_text(encoding="utf-8")
    head, *tables = text.split(_TABLE)
    if function not in STAGES:
        files = () if function in ("dispatcher", "importer") else _files(tables)
        return Models(registry=text, files=files)
    own = [table for table in tables if _model(table)["stage"] == function]
    # A registry without models is an empty list, not a missing one.
    listed = head + "".join(_TABLE + table for table in own) if own else head + _EMPTY
    return Models(registry=listed, files=_files(own))


def _files(tables: Iterable[str]) -> tuple[str, ...]:
    models = [_model(table) for table in tables]
    variants = [model["int8"] for model in models if "int8" in model]
    return tuple(sorted(each["file"] for each in (*models, *variants)))


def _model(table: str) -> dict[str, Any]:
    (model,) = tomllib.loads(_TABLE + table)["model"]
    return dict(model)
