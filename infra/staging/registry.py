"""Which models travel with a function?

A stage gets its own and a registry cut down to them. The dispatcher plans with the whole registry and opens no
model; neither does the importer, which fetches pictures and never looks at them.
Any other function may run whole pipelines and gets everything.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.topology import STAGES

_TABLE = "[[model]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """What goes into `models/`."""

    registry: str
    #: Paths below `models/`.
    files: tuple[str, ...]


def models_for(root: Path, function: str) -> Models:
    """The registry and the model files of one function."""
    text = (root / "models" / "registry.toml").read_text(encoding="utf-8")
    head, *tables = text.split(_TABLE)
    if function not in STAGES:
        files = () if function in ("dispatcher", "importer") else _files(tables)
        return Models(registry=text, files=files)
    own = [table for table in tables if _model(table)["stage"] == function]
    # A registry without models is an empty list, not a missing one.
    listed = head + "".join(_TABLE + table for table in own) if own else f"{head}model = []\n"
    return Models(registry=listed, files=_files(own))


def _files(tables: Iterable[str]) -> tuple[str, ...]:
    models = [_model(table) for table in tables]
    variants = [model["int8"] for model in models if "int8" in model]
    return tuple(sorted(each["file"] for each in (*models, *variants)))


def _model(table: str) -> dict[str, Any]:
    (model,) = tomllib.loads(_TABLE + table)["model"]
    return dict(model)
