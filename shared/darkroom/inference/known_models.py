"""Reads the list of published models that can be installed by name."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from darkroom.domain.errors import ConfigurationError, ModelUnusable
from darkroom.domain.messages import describe
from darkroom.domain.parameters import Stage
from darkroom.inference.figures import Cost, Evidence
from darkroom.inference.registry import ModelId, TrainingData
from darkroom.networks.sources import Source
from darkroom.runtime.installed import MODELS

#: The list of published models in the package.
KNOWN = MODELS / "known.toml"


class ModelManifest(BaseModel):
    """Description of a network that its file does not contain and that is required to use it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: ModelId
    version: str = Field("1", min_length=1)
    #: Licence of the weights.
    licence: str = Field(min_length=1)
    commercial_use: bool
    training_data: tuple[TrainingData, ...] = Field(min_length=1)
    #: Index of the graph's main output, from 0, if the contract does not name it.
    answer_at: int = Field(0, ge=0)
    #: Fields of the contract; names and a fixed size are read from the graph where they are not given.
    contract: dict[str, Any]
    #: Cost of one run, if it was measured.
    cost: Cost | None = None
    #: By how much it is better than the built-in model of its stage and scale, if that was measured.
    evidence: Evidence | None = None

    @property
    def for_commercial_use(self) -> bool:
        """Whether neither the licence nor any training data forbids commercial use."""
        return self.commercial_use and all(data.licence_class != "research" for data in self.training_data)


class Network(ModelManifest):
    """A network that its authors publish."""

    stage: Stage
    name: str
    #: Authors, title, year.
    paper: str
    #: Where the authors publish it.
    published: str
    #: Further notes for the user.
    notes: str = ""
    #: Where its weights can be had, in the order in which they are tried.
    sources: tuple[Source, ...] = Field((), alias="source")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    network: tuple[Network, ...]


def known_networks(path: Path = KNOWN) -> tuple[Network, ...]:
    """All networks of the list, in its order."""
    return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).network


def known_network(stage: Stage, name: str) -> Network:
    """The network of a stage by its name. Raises ModelUnusable, code `model_unknown`, with the names of the stage."""
    of_stage = {each.id: each for each in known_networks() if each.stage == stage}
    if name not in of_stage:
        known = ", ".join(of_stage) or "none"
        raise ModelUnusable(f"no network {name!r} is known for {stage}, only {known}", code="model_unknown")
    return of_stage[name]


def network_to_get(name: str) -> Network:
    """The network of a name that can be downloaded. Raises ModelUnusable, code `model_unknown`, with all such names."""
    found = {each.id: each for each in known_networks() if each.sources}
    if name not in found:
        raise ModelUnusable(f"no network {name!r} can be fetched, only {', '.join(found)}", code="model_unknown")
    return found[name]


def read_description(path: Path) -> ModelManifest:
    """Read the description of a user's own network. Raises ConfigurationError with all errors."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        return ModelManifest.model_validate({"id": path.stem, **given})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {describe(error)}") from error
