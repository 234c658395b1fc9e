"""Many jobs, page by page, for as long as there is time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from darkroom.domain.job import Job
from darkroom.runtime.ports import Clock, JobQuery
from darkroom.runtime.system import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The moment at which a piece of work stops; a later call continues it."""

    clock: Clock
    at: datetime

    @property
    def has_passed(self) -> bool:
        return self.clock.now() >= self.at


def all_jobs(system: System, query: JobQuery, deadline: Deadline | None = None) -> Iterator[Job]:
    """The jobs of all pages, until the deadline if there is one; one page is held at a time."""
    while True:
        page = system.jobs.query(query)
        for job in page.jobs:
            if deadline is not None and deadline.has_passed:
                return
            yield job
        if page.next_cursor is None:
            return
        query = replace(query, cursor=page.next_cursor)
