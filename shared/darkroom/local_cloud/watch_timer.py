"""Schedules the scans of the uploads folder."""

import time
from collections.abc import Callable

#: Largest share of the time that scans of a large folder may take, up to the longest pause.
LOOKING_SHARE = 0.05
#: Longest pause in seconds after a scan of any duration: a scan may have waited for a database lock or the disk.
LONGEST_PAUSE_S = 10.0


class WatchTimer:
    """Spaces the scans of the uploads folder; only one scan runs at a time."""

    def __init__(self, watch_s: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._watch_s = watch_s
        self._monotonic = monotonic
        self._began_at = 0.0
        #: When the next scan is due, on the monotonic clock; infinite during a scan.
        self.due_at = 0.0

    def begin(self) -> bool:
        """Whether a scan is due; if so, it has begun."""
        if self._monotonic() < self.due_at:
            return False
        self._began_at, self.due_at = self._monotonic(), float("inf")
        return True

    def end(self) -> None:
        """Plan the next scan, after one has ended or failed."""
        now = self._monotonic()
        took = now - self._began_at
        pause = max(self._watch_s - took, took / LOOKING_SHARE)
        self.due_at = now + min(pause, max(self._watch_s, LONGEST_PAUSE_S))
