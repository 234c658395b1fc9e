"""How many requests may hold a body, or wait for a processor, at the same time.

Both limits are applied before a body is read. Who does not fit waits in a short queue, and is refused at once where
the queue is full: a client that is told to come back costs nothing, and one that waits unread costs only its socket.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from darkroom.domain.http_errors import Busy

#: Seconds that a request waits for room before its body is read.
MAX_WAIT_S = 25.0
#: Seconds after which a refused client may ask again.
RETRY_AFTER_S = 10


class Room:
    """A number of units, taken before something is done and given back after it; a queue of limited length."""

    def __init__(self, units: int, *, waiting: int, what: str, wait_s: float = MAX_WAIT_S) -> None:
        self._free = self._units = units
        self._queue = waiting
        self._what = what
        self._wait_s = wait_s
        self._waiting = 0
        self._changed = Condition()

    @contextmanager
    def taken(self, units: int) -> Iterator[None]:
        """Hold so many units, at most all of them. Raises Busy if the queue is full, or takes too long."""
        wanted = min(units, self._units)
        with self._changed:
            self._wait_for(wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()

    def _wait_for(self, wanted: int) -> None:
        if self._free >= wanted:
            return
        if self._waiting >= self._queue:
            raise Busy(f"too many {self._what} at the same time; ask again", retry_after_s=RETRY_AFTER_S)
        self._waiting += 1
        try:
            if not self._changed.wait_for(lambda: self._free >= wanted, timeout=self._wait_s):
                raise Busy(f"too many {self._what} for {self._wait_s:g} s; ask again", retry_after_s=RETRY_AFTER_S)
        finally:
            self._waiting -= 1
