"""What is a running Darkroom made of?

`System` is the value that `shared.bootstrap` builds and every handler takes: the ports, the settings and the models.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from shared.parameters import Stage
from shared.planner import Buckets, Catalogue
from shared.ports import Backlog, Clock, JobStore, Meter, ObjectStore, Publisher, ReservationStore
from shared.settings import Settings

if TYPE_CHECKING:  # the dispatcher has no numpy
    from shared.stages import StageModel


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
    catalogue: Catalogue
    models: Models

    @property
    def buckets(self) -> Buckets:
        s = self.settings
        return Buckets(uploads=s.uploads_bucket, artifacts=s.artifacts_bucket, results=s.results_bucket)

    def expiry(self) -> datetime:
        """When a job that begins now may be purged."""
        return self.clock.now() + timedelta(seconds=self.settings.retention_s)
