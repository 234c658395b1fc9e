"""What do handlers of the API work with?"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from darkroom.api.core.crowd import Room
from darkroom.auth.callers import Authenticator
from darkroom.domain.http_errors import Busy
from darkroom.runtime.ports import SignedUploads
from darkroom.runtime.system import System

if TYPE_CHECKING:  # pixel libraries are imported when the first picture comes
    from darkroom.execution.runner import LocalRunner

#: Seconds within which a picture must be answered at once.
MAX_SECONDS = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """The system, and what only the API needs."""

    system: System
    door: Authenticator
    #: One place for each picture that is worked on at the same time: memory and processors are bounded.
    places: BoundedSemaphore
    #: Pictures that are worked on at once or wait for their place, counted before their bodies are read.
    crowd: Room
    #: Bytes of all bodies that are held at the same time.
    bodies: Room
    #: One place for each stream of events, which holds a thread for as long as it lasts.
    streams: BoundedSemaphore
    #: Bytes behind a URL that a client names. Raises UnfetchableUrl.
    fetch: Callable[[str], bytes]
    #: Signs uploads that go past the API.
    uploads: SignedUploads
    #: Waits; a test need not.
    pause: Callable[[float], None] = time.sleep

    @property
    def is_open(self) -> bool:
        """Whether requests from this computer need no key."""
        return self.door.is_open

    def now(self) -> datetime:
        """The time."""
        return self.system.clock.now()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place for working on a picture. Raises Busy if none is free for too long."""
        if not self.places.acquire(timeout=MAX_SECONDS):
            raise Busy(f"all places were taken for {MAX_SECONDS:g} s; ask again, or post a job", retry_after_s=10)
        try:
            yield
        finally:
            self.places.release()

    def bench(self) -> "LocalRunner":
        """What a run in this process needs, with a meter of its own."""
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
        )
