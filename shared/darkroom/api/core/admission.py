"""Limits for requests that hold a body, or wait for a processor, at the same time.

A request is admitted before its body is read. If there is no room, it waits in a short queue; if the queue is full, it
is refused at once. A refused client costs nothing, and a waiting request costs only its socket.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from darkroom.domain.http_errors import Busy

#: Longest time in the queue, in seconds.
MAX_WAIT_S = 25.0
#: Seconds after which a refused client may try again.
RETRY_AFTER_S = 10


class AdmissionQueue:
    """A number of units that requests hold while they run, with a queue of limited length."""

    def __init__(self, units: int, *, waiting: int, what: str, wait_s: float = MAX_WAIT_S) -> None:
        """Create a queue.

        Parameters
        ----------
        units
            Units that all admitted requests may hold together.
        waiting
            Requests that may wait in the queue.
        what
            The name of the units in error messages.
        wait_s
            Longest time in the queue, in seconds.
        """
        self._free = self._units = units
        self._queue = waiting
        self._what = what
        self._wait_s = wait_s
        self._waiting = 0
        self._changed = Condition()

    @contextmanager
    def admit(self, units: int) -> Iterator[None]:
        """Hold a number of units, at most all of them. Raises Busy if the queue is full, or takes too long."""
        needed = min(units, self._units)
        with self._changed:
            self._wait_for(needed)
            self._free -= needed
        try:
            yield
        finally:
            with self._changed:
                self._free += needed
                self._changed.notify_all()

    def _wait_for(self, needed: int) -> None:
        if self._free >= needed:
            return
        if self._waiting >= self._queue:
            raise Busy(f"too many {self._what} at the same time; try again", retry_after_s=RETRY_AFTER_S)
        self._waiting += 1
        try:
            if not self._changed.wait_for(lambda: self._free >= needed, timeout=self._wait_s):
                raise Busy(f"too many {self._what} for {self._wait_s:g} s; try again", retry_after_s=RETRY_AFTER_S)
        finally:
            self._waiting -= 1
