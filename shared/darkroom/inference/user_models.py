"""Manages the models that are installed on this machine.

They are in a folder with one subfolder for each model and a registry in the format of the built-in one. The registry is
written last and atomically, so that every file that it names exists.
"""

import json
import os
import shutil
import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import Stage
from darkroom.inference.registry import REGISTRY_NAME, Registry

Table = Mapping[str, Any]

_HEAD = "# Models that were installed by `darkroom models get` and `add`; written by them.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedModels:
    """The models in one folder."""

    folder: Path

    @property
    def registry(self) -> Path:
        """The file that lists them; absent as long as there is none."""
        return self.folder / REGISTRY_NAME

    def add(self, table: Table, graph: bytes) -> Path:
        """Store a graph and list it. `table` is a `[[model]]` without `file`; returns the path of the graph."""
        file = f"{table['stage']}-{table['id']}/model.onnx"
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, graph)
        self._list([*self.tables(), {**table, "file": file}])
        return path

    def prefer(self, stage: Stage, scale: int, model_id: str | None) -> None:
        """Make an installed model the default of its stage and scale; None disables all models of that scale."""

        def chosen(table: Table) -> Table:
            of_scale = table["stage"] == stage and table["contract"].get("scale", 1) == scale
            return {**table, "preferred": table["id"] == model_id} if of_scale else table

        if tables := self.tables():
            self._list([chosen(table) for table in tables])

    def remove(self, stage: Stage, model_id: str) -> None:
        """Take a model from the list and delete its folder. Raises ModelUnusable if it was not added."""
        tables = self.tables()
        going = [table for table in tables if (table["stage"], table["id"]) == (stage, model_id)]
        if not going:
            added = ", ".join(f"{table['stage']} {table['id']}" for table in tables) or "none"
            raise ModelUnusable(f"{stage} {model_id!r} was not added here; added: {added}", code="model_unknown")
        self._list([table for table in tables if table not in going])
        shutil.rmtree(self.folder / Path(going[0]["file"]).parent)

    def tables(self) -> list[Table]:
        """Return the `[[model]]` tables, checked. Raises ConfigurationError."""
        if not self.registry.is_file():
            return []
        Registry.load(self.registry)
        tables: list[Table] = tomllib.loads(self.registry.read_text(encoding="utf-8")).get("model", [])
        return tables

    def _list(self, tables: list[Table]) -> None:
        _replace(self.registry, (_HEAD + "".join(map(written, tables))).encode())


def written(table: Table) -> str:
    """Return a `[[model]]` table as it stands in a registry, with an empty line before it."""
    return "\n[[model]]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in table.items())


def _replace(path: Path, data: bytes) -> None:
    """Replace a file atomically: after a crash either the old or the new file exists."""
    staged = path.with_name(f".{uuid.uuid4().hex}")
    staged.write_bytes(data)
    os.replace(staged, path)  # noqa: PTH105  the same on every system


def _toml(value: object) -> str:
    """A value as TOML: JSON's strings, numbers and truth values are TOML's; tables are written inline."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
