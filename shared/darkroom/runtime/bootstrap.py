"""Builds the system from the settings.

Only this module builds adapters. Nothing is built at import; `system()` builds once per process, on first use.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.adapters.system import ProcessMeter, SystemClock
from darkroom.domain.parameters import Stage
from darkroom.domain.topology import LOCAL_SUBSCRIPTIONS, UPLOADS_TOPIC
from darkroom.inference.registry import REGISTRY_NAME, Registry
from darkroom.runtime.calibrations import read_calibrations
from darkroom.runtime.extras import require_modules
from darkroom.runtime.lazy import Lazy
from darkroom.runtime.logs import configure
from darkroom.runtime.ports import Backlog, JobStore, ObjectStore, Publisher, ReservationStore, SignedUploads
from darkroom.runtime.settings import Settings, read_settings
from darkroom.runtime.system import Models, System

if TYPE_CHECKING:
    from darkroom.adapters.local.broker import LocalBroker
    from darkroom.adapters.local.jobs import LocalJobStore
    from darkroom.adapters.local.objects import LocalObjectStore
    from darkroom.execution.runner import LocalRunner
    from darkroom.inference.runtime import Accelerator
    from darkroom.stages import StageModel

#: Names that Linux has for instructions that multiply and add bytes in one step; without them int8 is hardly faster.
FAST_INT8 = frozenset({"avx512_vnni", "avx_vnni"})


@dataclass(frozen=True)
class LazyModels:
    """Opens models, and imports the inference library only when the first one is opened."""

    registry: Registry
    threads: int
    int8: bool = False
    accelerator: "Accelerator" = "cpu"

    @cached_property
    def _store(self) -> Models:
        from darkroom.inference.session import ModelStore

        return ModelStore(self.registry, threads=self.threads, int8=self.int8, accelerator=self.accelerator)

    def open(self, stage: Stage, model_id: str, *, sha256: str | None = None) -> "StageModel":
        """See `darkroom.runtime.system.Models`."""
        return self._store.open(stage, model_id, sha256=sha256)


def runs_int8(settings: Settings, cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether models run as their int8 variants: as set, or if the processor has instructions for products of bytes."""
    if settings.int8 != "auto":
        return settings.int8 == "on"
    if settings.accelerator != "cpu":
        return False
    flags = cpuinfo.read_text(encoding="utf-8").split() if cpuinfo.exists() else []
    return not FAST_INT8.isdisjoint(flags)


def models_of(registry: Registry, settings: Settings, threads: int) -> LazyModels:
    """The models of `registry`, with the devices and threads of the settings."""
    return LazyModels(registry, threads, runs_int8(settings), settings.accelerator)


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalParts:
    """The adapters of the local backend by their own types: the local cloud also leases, and watches folders."""

    objects: "LocalObjectStore"
    jobs: "LocalJobStore"
    broker: "LocalBroker"


def local_parts(settings: Settings, *, backoff_scale: float = 1.0) -> LocalParts:
    """The adapters of the local backend under `settings.home`."""
    from darkroom.adapters.local.broker import LocalBroker
    from darkroom.adapters.local.jobs import LocalJobStore
    from darkroom.adapters.local.objects import LocalObjectStore

    return LocalParts(
        objects=LocalObjectStore(settings.home, notify={settings.uploads_bucket: UPLOADS_TOPIC}),
        jobs=LocalJobStore(settings.home),
        broker=LocalBroker(settings.home, subscriptions=LOCAL_SUBSCRIPTIONS, backoff_scale=backoff_scale),
    )


#: What differs between the backends.
Ports = tuple[ObjectStore, JobStore, Publisher, ReservationStore, Backlog]


def _local(settings: Settings) -> Ports:
    from darkroom.adapters.local.reservations import LocalReservationStore

    parts = local_parts(settings)
    return parts.objects, parts.jobs, parts.broker, LocalReservationStore(settings.home), parts.broker


def _gcp(settings: Settings) -> Ports:
    from darkroom.adapters.backlog import PubsubBacklog
    from darkroom.adapters.gcp.firestore import FirestoreJobStore
    from darkroom.adapters.gcp.objects import GcsObjectStore
    from darkroom.adapters.gcp.pubsub import PubsubPublisher
    from darkroom.adapters.gcp.reservations import FirestoreReservationStore

    project = settings.project
    objects, jobs, publisher = GcsObjectStore(project), FirestoreJobStore(project), PubsubPublisher(project)
    return objects, jobs, publisher, FirestoreReservationStore(project), PubsubBacklog(project)


@Lazy
def system() -> System:
    """The system that the environment describes. Raises ConfigurationError with every problem."""
    settings = read_settings(os.environ)
    configure(settings.log_level, project=settings.project if settings.backend == "gcp" else "")
    return build(settings)


def user_models_folder(settings: Settings) -> Path | None:
    """The folder of the networks that were installed on this machine; the cloud has what was deployed."""
    if settings.backend != "local":
        return None
    from darkroom.adapters.local.models import installed_folder

    return installed_folder(settings)


def installed_models(settings: Settings) -> Registry:
    """All models that can be requested. Raises ConfigurationError with every error in their lists."""
    folder = user_models_folder(settings)
    added = folder / REGISTRY_NAME if folder else None
    return Registry.load(settings.registry, commercial_only=settings.commercial_only, added=added)


def build(settings: Settings) -> System:
    """A system on the backend of `settings`. Raises ConfigurationError if a setting needs an extra that is missing."""
    if settings.google_audience and settings.backend == "local":
        require_modules("server", "google.auth", "requests")
    registry = installed_models(settings)
    read_calibrations(settings.acceptance)
    ports = _local(settings) if settings.backend == "local" else _gcp(settings)
    objects, jobs, publisher, reservations, backlog = ports
    return System(
        settings=settings,
        objects=objects,
        jobs=jobs,
        reservations=reservations,
        publisher=publisher,
        backlog=backlog,
        clock=SystemClock(),
        meter=ProcessMeter(),
        model_registry=registry,
        models=models_of(registry, settings, settings.threads or processors()),
    )


def signed_uploads(system: System) -> SignedUploads:
    """The signer of uploads of a system."""
    settings = system.settings
    if settings.backend == "gcp":
        from darkroom.adapters.gcp.signed_uploads import GcsUploads

        return GcsUploads(settings.project)
    from darkroom.adapters.local.signed_uploads import LocalSignedUploads
    from darkroom.auth.signing import signing_key

    return LocalSignedUploads(
        home=settings.home, objects=system.objects, clock=system.clock, key=lambda: signing_key(settings)
    )


def build_local_runner(settings: Settings, threads: int) -> "LocalRunner":
    """What a run in this process needs; no backend is touched."""
    from darkroom.execution.runner import LocalRunner
    from darkroom.imaging.codec.limits import Limits

    registry = installed_models(settings)
    return LocalRunner(
        model_registry=registry,
        models=models_of(registry, settings, threads),
        clock=SystemClock(),
        meter=ProcessMeter(),
        limits=Limits(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels),
        calibrations=read_calibrations(settings.acceptance),
    )
