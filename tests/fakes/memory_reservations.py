"""Reservations in memory, for runs in one process and for tests."""

import threading

from darkroom.domain.errors import RevisionConflict
from darkroom.domain.quota import Reservations


class MemoryReservationStore:
    """Reservations in memory."""

    def __init__(self) -> None:
        self._stored: dict[str, Reservations] = {}
        self._saves = 0
        self._lock = threading.Lock()

    def get(self, owner: str) -> Reservations:
        with self._lock:
            return self._stored.get(owner, Reservations(owner=owner))

    def save(self, reservations: Reservations) -> Reservations:
        owner = reservations.owner
        with self._lock:
            if self._stored.get(owner, Reservations(owner=owner)).version != reservations.version:
                raise RevisionConflict(f"the reservations of {owner!r} were saved by another process")
            if not reservations.entries:
                self._stored.pop(owner, None)
                return Reservations(owner=owner)
            self._saves += 1
            saved = reservations.model_copy(update={"version": str(self._saves)})
            self._stored[owner] = saved
            return saved
