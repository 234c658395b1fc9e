"""Which models are there, may they be used, and what do they promise?

Reads `models/registry.toml` and nothing else: no model is opened and no pixel library imported, so that the dispatcher
can plan with it.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.errors import ConfigurationError, ModelUnusable
from shared.messages import ModelRef
from shared.parameters import Stage


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Contract(_Entry):
    """What a model is given and what it gives back.

    The image tensor is float32 of shape (1, 3, H, W), of any H and W from `min_size` on; the answer has the shape
    (1, 3, H * scale, W * scale).
    """

    #: Name of the graph's image input.
    input: str
    #: Name of the graph's output.
    output: str
    #: Names of further inputs, each a float32 tensor of shape (1,).
    scalars: tuple[str, ...] = ()
    #: Order of the axes; the one that is supported.
    layout: Literal["nchw"]
    #: Order of the colour channels; the one that is supported.
    channels: Literal["rgb"]
    #: Lowest and highest value of input and output; the one range that is supported.
    range: tuple[Literal[0], Literal[1]]
    #: How many times higher and wider the answer is.
    scale: int = Field(ge=1, le=8)
    #: Tiles start at multiples of this many pixels. The graph itself takes any size and pads where it must.
    multiple_of: int = Field(ge=1, le=256)
    #: Shortest side in pixels that the graph takes.
    min_size: int = Field(ge=1)
    #: Radius in input pixels within which an answer depends on its surroundings.
    halo: int = Field(ge=0)
    #: Longest side of a tile in input pixels, unless the caller asks for another one.
    tile: int = Field(ge=1)
    #: The ONNX operator set that the graph was written for.
    opset: int = Field(ge=1)


class TrainingData(_Entry):
    """One source of what a model was trained on."""

    #: Public name of the data set or repository.
    source: str
    #: The licence as stated there.
    licence: str
    #: `research` forbids commercial use; `attribute` allows it and asks to be named.
    licence_class: Literal["permissive", "attribute", "research"] = Field(alias="class")


class _Listed(_Entry):
    """A `[[model]]` table as it is written."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    stage: Stage
    version: str = Field(min_length=1)
    #: Path of the ONNX file below the registry's folder.
    file: str
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    licence: str = Field(min_length=1)
    commercial_use: bool
    default: bool = False
    training_data: tuple[TrainingData, ...] = Field(min_length=1)
    contract: Contract


class _File(_Entry):
    model: tuple[_Listed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """A registered model."""

    ref: ModelRef
    stage: Stage
    #: Where the ONNX file should be; not looked at before the model is opened.
    path: Path
    #: True if neither the licence nor any training data forbids commercial use.
    commercial_use: bool
    #: True if the stage uses this model unless told otherwise.
    default: bool
    training_data: tuple[TrainingData, ...]
    contract: Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The models of `registry.toml`, in its order."""

    entries: tuple[ModelEntry, ...]
    #: True refuses every model that is not for commercial use.
    commercial_only: bool = False

    @classmethod
    def load(cls, path: Path, *, commercial_only: bool = False) -> "Registry":
        """Read the registry; ConfigurationError lists everything that is wrong with it."""
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
            listed = _File.model_validate(tables).model
        except FileNotFoundError as error:
            raise ConfigurationError(f"there is no model registry at {path}") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{path} is not TOML: {error}") from error
        except ValidationError as error:
            raise ConfigurationError(f"{path}: {'; '.join(_problems(error))}") from error
        if contradictions := _contradictions(listed):
            raise ConfigurationError(f"{path}: {'; '.join(contradictions)}")
        return cls(entries=tuple(_entry(each, path.parent) for each in listed), commercial_only=commercial_only)

    def default(self, stage: Stage) -> ModelEntry | None:
        """The model that `stage` uses unless told otherwise; None if there is none that may be used."""
        return next((entry for entry in self.entries if entry.stage == stage and self._is_default(entry)), None)

    def get(self, stage: Stage, model_id: str) -> ModelEntry:
        """The model called `model_id` for `stage`.

        Raises
        ------
        ModelUnusable
            Code `model_unknown` if there is none, `model_not_commercial` if its licence or its training data forbid
            commercial use and the registry was loaded for commercial use only.
        """
        known = {entry.ref.id: entry for entry in self.entries if entry.stage == stage}
        entry = known.get(model_id)
        if entry is None:
            raise ModelUnusable(
                f"{stage} has no model {model_id!r}, only {', '.join(sorted(known)) or 'none'}", code="model_unknown"
            )
        if self.commercial_only and not entry.commercial_use:
            raise ModelUnusable(
                f"model {model_id!r} is not for commercial use: {_reasons(entry)}", code="model_not_commercial"
            )
        return entry

    def model_ref(self, stage: Stage, model_id: str | None) -> ModelRef | None:
        """The model of that id, or the stage's default one, for a plan; raises as `get` does."""
        entry = self.get(stage, model_id) if model_id is not None else self.default(stage)
        return entry.ref if entry else None

    def _is_default(self, entry: ModelEntry) -> bool:
        return entry.default and (entry.commercial_use or not self.commercial_only)


def _problems(error: ValidationError) -> list[str]:
    return [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]


def _contradictions(listed: tuple[_Listed, ...]) -> list[str]:
    """What no single table shows: names given twice, two defaults; and files outside the registry's folder."""
    names = [f"{each.stage}/{each.id}" for each in listed]
    twice = [f"{name} is listed twice" for name in sorted({name for name in names if names.count(name) > 1})]
    defaults = [each.stage for each in listed if each.default]
    two = [f"{stage} has two defaults" for stage in sorted({stage for stage in defaults if defaults.count(stage) > 1})]
    outside = [f"{each.id}: file {each.file!r} lies outside the registry's folder" for each in listed if _leaves(each)]
    narrow = [
        f"{each.id}: a tile of {each.contract.tile} has no room between two halos of {each.contract.halo}"
        for each in listed
        if each.contract.tile < _smallest_tile(each.contract)
    ]
    return [*twice, *two, *outside, *narrow]


def _leaves(listed: _Listed) -> bool:
    path = PurePosixPath(listed.file)
    return path.is_absolute() or ".." in path.parts


def _smallest_tile(contract: Contract) -> int:
    """One block of pixels between two halos that are rounded up to whole blocks."""
    blocks = 2 * -(-contract.halo // contract.multiple_of) + 1
    return blocks * contract.multiple_of


def _entry(listed: _Listed, folder: Path) -> ModelEntry:
    research = any(data.licence_class == "research" for data in listed.training_data)
    return ModelEntry(
        ref=ModelRef(id=listed.id, version=listed.version, sha256=listed.sha256, licence=listed.licence),
        stage=listed.stage,
        path=folder / listed.file,
        commercial_use=listed.commercial_use and not research,
        default=listed.default,
        training_data=listed.training_data,
        contract=listed.contract,
    )


def _reasons(entry: ModelEntry) -> str:
    research = [f"{data.source} ({data.licence})" for data in entry.training_data if data.licence_class == "research"]
    trained = f", trained on {', '.join(research)}" if research else ""
    return f"licence {entry.ref.licence}{trained}"
