"""Resolves the pipeline of a SKU or of a product group.

The value of the SKU has priority over the value of its group, and that over the default. Pipeline and threshold are
resolved separately: a group may set the pipeline, and a SKU the threshold alone.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field, model_validator

from darkroom.domain.messages import Record
from darkroom.domain.pipeline import Pipeline

Scope = Literal["group", "sku"]
#: The label that selects each scope, the stronger scope first.
SCOPES: Mapping[Scope, str] = {"sku": "sku_id", "group": "product_group_id"}


class Config(Record):
    """What is done with the pictures of one SKU, or of one group."""

    scope: Scope
    key: str
    #: Owner of the pictures; each owner has separate configurations.
    owner: str
    pipeline: Pipeline | None = None
    #: Results that score above this are approved without a person, regardless of the pipeline's threshold.
    qc_threshold: float | None = Field(None, ge=0.0, le=100.0, strict=True)
    updated_at: datetime

    @model_validator(mode="after")
    def _says_something(self) -> "Config":
        if self.pipeline is None and self.qc_threshold is None:
            raise ValueError("give a pipeline, a qc_threshold or both")
        return self

    @property
    def threshold(self) -> float | None:
        """The threshold that this configuration sets, by itself or in its pipeline."""
        if self.qc_threshold is not None or self.pipeline is None:
            return self.qc_threshold
        return self.pipeline.qc_threshold if "qc_threshold" in self.pipeline.model_fields_set else None


def keys_of(labels: Mapping[str, str]) -> list[tuple[Scope, str]]:
    """The configurations that may apply to a picture, the strongest first."""
    return [(scope, labels[label]) for scope, label in SCOPES.items() if labels.get(label)]


def resolve(configs: Iterable[Config], default: Pipeline) -> Pipeline:
    """The pipeline that the configurations make together, the strongest first."""
    found = tuple(configs)
    pipeline = next((each.pipeline for each in found if each.pipeline is not None), default)
    threshold = next((each.threshold for each in found if each.threshold is not None), None)
    return pipeline if threshold is None else pipeline.model_copy(update={"qc_threshold": threshold})
