"""Limits the number of simultaneous fetches from one host.

The limit applies to one process. The maximum number of importer processes limits the sum.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from darkroom.domain.errors import TransientError

#: Seconds that a picture waits for its host; after that its message is returned and delivered again later.
PATIENCE_S = 90.0


class Hosts:
    """Places at hosts."""

    def __init__(self, per_host: int, *, patience_s: float = PATIENCE_S) -> None:
        self._per_host = per_host
        self._patience_s = patience_s
        self._busy: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def place(self, host: str) -> Iterator[None]:
        """Take a place at a host. Raises TransientError if none is free for too long."""
        self._take(host)
        try:
            yield
        finally:
            self._give_back(host)

    def _take(self, host: str) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._busy[host] < self._per_host, timeout=self._patience_s):
                raise TransientError(
                    f"{self._per_host} pictures were being fetched from {host[:200]} for {self._patience_s:g} s"
                )
            self._busy[host] += 1

    def _give_back(self, host: str) -> None:
        with self._changed:
            self._busy[host] -= 1
            if not self._busy[host]:
                del self._busy[host]
            self._changed.notify_all()
