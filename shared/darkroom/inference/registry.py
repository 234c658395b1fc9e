"""Reads the model registry: available models, licences and contracts.

The module reads `models/registry.toml` only. It opens no model and imports no pixel library, so that the dispatcher can
use it for planning.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from darkroom.domain.errors import ConfigurationError, ModelUnusable
from darkroom.domain.messages import ModelRef
from darkroom.domain.parameters import Stage
from darkroom.domain.pipeline import Quality
from darkroom.domain.sizes import NEGLIGIBLE_FACTOR
from darkroom.inference.choice import choose
from darkroom.inference.contract import Contract
from darkroom.inference.figures import Cost, Evidence

#: Name of the file that lists the models of a folder.
REGISTRY_NAME = "registry.toml"

#: Id of a model in plans, parameters and folders.
ModelId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]

#: Path of an ONNX file below the registry's folder. The package includes files with this suffix.
ModelFile = Annotated[str, StringConstraints(pattern=r"\.onnx$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrainingData(_Entry):
    """One source of a model's training data."""

    #: Public name of the data set or repository.
    source: str
    #: The licence as stated there.
    licence: str
    #: `research` forbids commercial use; `attribute` allows it and requires attribution.
    licence_class: Literal["permissive", "attribute", "research"] = Field(alias="class")


class Variant(_Entry):
    """The same network in int8, converted from the model's own file."""

    file: ModelFile
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Listed(_Entry):
    """A `[[model]]` table as it is written."""

    id: ModelId
    stage: Stage
    version: str = Field(min_length=1)
    file: ModelFile
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    licence: str = Field(min_length=1)
    commercial_use: bool
    default: bool = False
    #: Id of a model of the same stage, answering with pixels, that belongs to this one and is opened with it.
    companion: str | None = None
    #: Variant that runs instead on processors with fast int8 arithmetic.
    int8: Variant | None = None
    training_data: tuple[TrainingData, ...] = Field(min_length=1)
    contract: Contract
    #: Whether the model is installed and not built in.
    installed: bool = False
    #: For an installed model: true makes it the default of its stage and scale, false excludes it; if absent,
    #: `evidence` decides.
    preferred: bool | None = None
    evidence: Evidence | None = None
    cost: Cost | None = None


class _File(_Entry):
    model: tuple[_Listed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """A registered model."""

    ref: ModelRef
    stage: Stage
    #: Path of the ONNX file; its existence is checked when the model is opened.
    path: Path
    #: True if neither the licence nor any training data forbids commercial use.
    commercial_use: bool
    #: True if the stage uses this model by default.
    default: bool
    training_data: tuple[TrainingData, ...]
    contract: Contract
    #: Id of the model of the same stage that is opened with it.
    companion: str | None = None
    #: Variant that runs instead on processors with fast int8 arithmetic; its path includes the registry's folder.
    int8: Variant | None = None
    #: Whether it was installed beside the built-in models.
    installed: bool = False
    #: Whether an installed one was chosen as the default (true) or turned down (false).
    preferred: bool | None = None
    #: By how much it is better than the built-in one, if that was measured.
    evidence: Evidence | None = None
    #: Its measured cost, if any; the costs of the built-in models are in `shared/darkroom/costs/figures.json`.
    cost: Cost | None = None

    @property
    def restriction(self) -> str:
        """The licence, and the training data that forbid commercial use."""
        research = [f"{it.source} ({it.licence})" for it in self.training_data if it.licence_class == "research"]
        return f"licence {self.ref.licence}{', trained on ' if research else ''}{', '.join(research)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The models of `registry.toml`, in its order."""

    entries: tuple[ModelEntry, ...]
    #: True refuses every model that is not for commercial use.
    commercial_only: bool = False

    @classmethod
    def load(cls, path: Path, *, commercial_only: bool = False, added: Path | None = None) -> "Registry":
        """Read the registry, and a second one of models that were added, if it is there.

        ConfigurationError lists everything that is wrong with them.
        """
        paths = [path] if added is None or not added.is_file() else [path, added]
        listed = [(each, file) for file in paths for each in _read(file)]
        if contradictions := _contradictions(tuple(each for each, _ in listed)):
            raise ConfigurationError(f"{' and '.join(map(str, paths))}: {'; '.join(contradictions)}")
        return cls(entries=tuple(_entry(each, file.parent) for each, file in listed), commercial_only=commercial_only)

    def default(self, stage: Stage, factor: float = 1.0, *, quality: Quality = "best") -> ModelEntry | None:
        """The default model of `stage`; None if no model may be used.

        Of several scales the smallest that reaches `factor` is used, or the largest of all. Within a scale
        `darkroom.inference.choice` selects the model.
        """
        usable = [it for it in self.entries if it.stage == stage and (it.commercial_use or not self.commercial_only)]
        scales = sorted({entry.contract.scale for entry in usable})
        chosen = (choose([it for it in usable if it.contract.scale == scale], quality) for scale in scales)
        defaults = [entry for entry in chosen if entry is not None]
        enough = (entry for entry in defaults if entry.contract.scale * NEGLIGIBLE_FACTOR >= factor)
        return next(enough, defaults[-1] if defaults else None)

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
                f"model {model_id!r} is not for commercial use: {entry.restriction}", code="model_not_commercial"
            )
        return entry

    def model_ref(
        self, stage: Stage, model_id: str | None, factor: float = 1.0, *, quality: Quality = "best"
    ) -> ModelRef | None:
        """The model of that id, or the stage's default one for `factor`, for a plan; raises as `get` does."""
        entry = self.get(stage, model_id) if model_id is not None else self.default(stage, factor, quality=quality)
        return entry.ref if entry else None

    def model_seconds(self, stage: Stage, model_id: str, megapixels: float) -> float | None:
        """Processor seconds for a picture of that size, of a model that states its cost; raises as `get` does."""
        cost = self.get(stage, model_id).cost
        return cost.seconds(megapixels) if cost else None


def _read(path: Path) -> tuple[_Listed, ...]:
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).model
    except FileNotFoundError as error:
        raise ConfigurationError(f"there is no model registry at {path}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {'; '.join(_problems(error))}") from error


def _problems(error: ValidationError) -> list[str]:
    return [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]


def _contradictions(listed: tuple[_Listed, ...]) -> list[str]:
    """Errors across tables: duplicate names, two defaults of one stage and scale, files outside the folder."""
    names = [f"{each.stage}/{each.id}" for each in listed]
    twice = [f"{name} is listed twice" for name in sorted({name for name in names if names.count(name) > 1})]
    two = [
        f"{stage} has {'two' if count == 2 else count} {what} of scale {scale}"
        for what, chosen in (("defaults", "default"), ("preferred models", "preferred"))
        for (stage, scale), count in _counts(each for each in listed if getattr(each, chosen)).items()
        if count > 1
    ]
    strangers = [
        f"{each.id}: {'default is for a built-in model' if each.installed else 'preferred is for an installed model'}"
        for each in listed
        if (each.default and each.installed) or (each.preferred is not None and not each.installed)
    ]
    outside = [
        f"{each.id}: file {file!r} is outside the registry's folder"
        for each in listed
        for file in (each.file, *([each.int8.file] if each.int8 else []))
        if _leaves(file)
    ]
    narrow = [
        f"{each.id}: a tile of {each.contract.window} has no room between two halos of {each.contract.halo}"
        for each in listed
        if each.contract.window < _smallest_tile(each.contract)
    ]
    alone = [
        f"{each.id}: its companion {each.companion!r} is no model of {each.stage} that answers with pixels"
        for each in listed
        if each.companion is not None and not any(_accompanies(other, each) for other in listed)
    ]
    return [*twice, *two, *strangers, *outside, *narrow, *alone]


def _counts(listed: Iterable[_Listed]) -> Counter[tuple[Stage, int]]:
    return Counter((each.stage, each.contract.scale) for each in listed)


def _accompanies(other: _Listed, listed: _Listed) -> bool:
    return (other.stage, other.id) == (listed.stage, listed.companion) and other.contract.tiled and not other.companion


def _leaves(file: str) -> bool:
    path = PurePosixPath(file)
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
        companion=listed.companion,
        int8=listed.int8.model_copy(update={"file": str(folder / listed.int8.file)}) if listed.int8 else None,
        installed=listed.installed,
        preferred=listed.preferred,
        evidence=listed.evidence,
        cost=listed.cost,
    )
