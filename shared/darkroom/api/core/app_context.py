"""The dependencies of the handlers of the API."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from darkroom.api.core.admission import AdmissionQueue
from darkroom.api.core.reachability import Reachability
from darkroom.auth.callers import Authenticator
from darkroom.domain.http_errors import Busy
from darkroom.runtime.calibrations import read_calibrations
from darkroom.runtime.ports import SignedUploads
from darkroom.runtime.system import System

if TYPE_CHECKING:  # pixel libraries are imported with the first picture
    from darkroom.execution.runner import LocalRunner

#: Longest time of a synchronous request for a picture, in seconds.
MAX_SECONDS = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """The system, and the parts that only the API needs."""

    system: System
    authenticator: Authenticator
    #: One slot for each picture that is processed at the same time: memory and processors are bounded.
    inference_slots: BoundedSemaphore
    #: Pictures that are processed synchronously or wait for a slot, counted before their bodies are read.
    pictures: AdmissionQueue
    #: Bytes of all bodies in memory.
    bodies: AdmissionQueue
    #: One slot for each event stream, which occupies a thread until it ends.
    streams: BoundedSemaphore
    #: The bytes behind a URL of a client. Raises UnfetchableUrl.
    fetch: Callable[[str], bytes]
    #: Signs uploads that go directly to the bucket.
    uploads: SignedUploads
    #: Whether the backend answers, for `/health`.
    backend: Reachability
    #: Waits for a number of seconds.
    pause: Callable[[float], None] = time.sleep

    @property
    def is_open(self) -> bool:
        """Whether requests from this computer need no key."""
        return self.authenticator.is_open

    def now(self) -> datetime:
        """The current time."""
        return self.system.clock.now()

    @contextmanager
    def inference_slot(self) -> Iterator[None]:
        """Hold a slot for processing a picture. Raises Busy if none is free within MAX_SECONDS."""
        if not self.inference_slots.acquire(timeout=MAX_SECONDS):
            raise Busy(f"all slots were in use for {MAX_SECONDS:g} s; try again, or post a job", retry_after_s=10)
        try:
            yield
        finally:
            self.inference_slots.release()

    def runner(self) -> "LocalRunner":
        """A runner of pipelines in this process, with its own cost meter."""
        from darkroom.execution.runner import LocalRunner
        from darkroom.imaging.codec import Limits

        system = self.system
        limits = Limits(max_bytes=system.settings.max_bytes, max_pixels=system.settings.max_pixels)
        return LocalRunner(
            model_registry=system.model_registry,
            models=system.models,
            clock=system.clock,
            meter=copy(system.meter),
            limits=limits,
            calibrations=read_calibrations(system.settings.acceptance),
        )
