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

#: The list that travels with the code.
KNOWN = MODELS / "known.toml"


class ModelManifest(BaseModel):
    """What must be told of a network before its file can be used; what is in the file itself need not be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: ModelId
    version: str = Field("1", min_length=1)
    #: Of the weights.
    licence: str = Field(min_length=1)
    commercial_use: bool
    training_data: tuple[TrainingData, ...] = Field(min_length=1)
    #: Which of the graph's outputs is the answer, counted from 0, if the contract does not name it.
    answer_at: int = Field(0, ge=0)
    #: Fields of the contract; names and a fixed size are read from the graph where they are not given.
    contract: dict[str, Any]
    #: What one use takes, if it was measured.
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
    #: What else to know before using it.
    notes: str = ""
    #: Where its weights can be had, in the order in which they are tried.
    sources: tuple[Source, ...] = Field((), alias="source")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    network: tuple[Network, ...]


def known_networks(path: Path = KNOWN) -> tuple[Network, ...]:
    """All of them, in the order of the list."""
    return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).network


def known_network(stage: Stage, name: str) -> Network:
    """The one of that name. Raises ModelUnusable, code `model_unknown`, with those of the stage."""
    of_stage = {each.id: each for each in known_networks() if each.stage == stage}
    if name not in of_stage:
        known = ", ".join(of_stage) or "none"
        raise ModelUnusable(f"no network {name!r} is known for {stage}, only {known}", code="model_unknown")
    return of_stage[name]


def network_to_get(name: str) -> Network:
    """The one of that name that has sources. Raises ModelUnusable, code `model_unknown`, with those that have some."""
    found = {each.id: each for each in known_networks() if each.sources}
    if name not in found:
        raise ModelUnusable(f"no network {name!r} can be fetched, only {', '.join(found)}", code="model_unknown")
    return found[name]


def read_description(path: Path) -> ModelManifest:
    """What a file says about a network of one's own. Raises ConfigurationError with everything that is wrong."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        return ModelManifest.model_validate({"id": path.stem, **given})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {describe(error)}") from error
