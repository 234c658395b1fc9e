"""Whether the backend answers, remembered for a few seconds, so that health checks cost it little."""

from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from darkroom.domain.errors import DarkroomError
from darkroom.runtime.ports import Clock, JobQuery, JobStore

#: Seconds for which an answer is remembered. Load balancers and monitors check every 5 to 10 s.
REMEMBERED_S = 3.0


@dataclass(slots=True, kw_only=True)
class Reachability:
    """The backend of one process, queried at most once in `REMEMBERED_S`."""

    jobs: JobStore
    clock: Clock
    _is_reachable: bool = False
    _checked_at: datetime | None = None
    _lock: Lock = field(default_factory=Lock)

    def check(self) -> bool:
        """Whether the job store answers, or did so a few seconds ago. Parallel calls wait for one query."""
        with self._lock:
            if self._is_old():
                self._is_reachable = self._query()
                self._checked_at = self.clock.now()
            return self._is_reachable

    def _is_old(self) -> bool:
        if self._checked_at is None:
            return True
        age_s = (self.clock.now() - self._checked_at).total_seconds()
        return not 0.0 <= age_s < REMEMBERED_S

    def _query(self) -> bool:
        try:
            self.jobs.query(JobQuery(limit=1))
        except DarkroomError:
            return False
        return True
