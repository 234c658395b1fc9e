"""The assembled parts of a running Darkroom.

`darkroom.runtime.bootstrap` builds a `System`, and every handler takes it: the ports, the settings and the models.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from darkroom.domain.parameters import Stage
from darkroom.domain.planner import Buckets, ModelRegistry
from darkroom.runtime.ports import Backlog, Clock, JobStore, Meter, ObjectStore, Publisher, ReservationStore
from darkroom.runtime.settings import Settings

if TYPE_CHECKING:  # the dispatcher has no numpy
    from darkroom.stages import StageModel


class Models(Protocol):
    """Opens models for inference."""

    def open(self, stage: Stage, model_id: str, *, sha256: str | None = None) -> "StageModel":
        """The model, checked against its contract and checksum. Raises ModelUnusable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The assembled parts."""

    settings: Settings
    objects: ObjectStore
    jobs: JobStore
    reservations: ReservationStore
    publisher: Publisher
    backlog: Backlog
    clock: Clock
    meter: Meter
    model_registry: ModelRegistry
    models: Models

    @property
    def buckets(self) -> Buckets:
        s = self.settings
        return Buckets(uploads=s.uploads_bucket, artifacts=s.artifacts_bucket, results=s.results_bucket)

    def expiry(self) -> datetime:
        """The time at which a job that begins now may be purged."""
        return self.clock.now() + timedelta(seconds=self.settings.retention_s)
