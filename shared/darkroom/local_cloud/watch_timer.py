"""When the uploads folder is looked through again."""

import time
from collections.abc import Callable

#: Looking through a large folder takes time; at most this share of the time is spent so, up to the longest pause.
LOOKING_SHARE = 0.05
#: Longest pause in seconds, however long a look took: it may have waited for a lock of the database, or for the disk.
LONGEST_PAUSE_S = 10.0


class WatchTimer:
    """Spaces the looks into the uploads folder; one look at a time."""

    def __init__(self, watch_s: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._watch_s = watch_s
        self._monotonic = monotonic
        self._began_at = 0.0
        #: When the next look is due, on the monotonic clock; infinite during a look.
        self.due_at = 0.0

    def begin(self) -> bool:
        """Whether a look is due; if so, it has begun."""
        if self._monotonic() < self.due_at:
            return False
        self._began_at, self.due_at = self._monotonic(), float("inf")
        return True

    def end(self) -> None:
        """Plan the next look, after one that has ended or failed."""
        now = self._monotonic()
        took = now - self._began_at
        pause = max(self._watch_s - took, took / LOOKING_SHARE)
        self.due_at = now + min(pause, max(self._watch_s, LONGEST_PAUSE_S))
