"""Waits for jobs and prints their progress."""

import fcntl
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import click

from darkroom.cli.support.errors import Failure, Interrupted
from darkroom.cli.support.service import Service
from darkroom.cli.support.text import counted, printable
from darkroom.domain.errors import JobNotFound
from darkroom.domain.history import entries_since, occurrences
from darkroom.domain.job import FINAL, Job
from darkroom.local_cloud.lock import FILE_NAME
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.settings import Settings

#: Seconds between two looks at the jobs.
LOOK_S = 0.25
#: Seconds without any change after which the lock of the local service is checked.
QUIET_S = 2.0
#: Seconds between two looks at every job, in case a change was missed.
READ_ALL_S = 60.0
#: Largest difference in seconds between the clocks of the processes that change jobs.
SKEW_S = 2.0
#: Jobs on the first page of a look, on which most looks end, and on the next ones.
_FIRST_PAGE, _NEXT_PAGE = 10, 200


def wait_for(service: Service, job_ids: Sequence[str], *, timeout_s: float | None) -> dict[str, Job]:
    """The jobs when all have ended, each new line of their histories printed on stderr.

    Raises Failure after `timeout_s`, and Interrupted by Ctrl-C; the jobs go on all the same.
    """
    watch = _Watch(service, job_ids)
    try:
        while not watch.ended:
            if timeout_s is not None and watch.now() - watch.began > timedelta(seconds=timeout_s):
                raise Failure(f"not ended after {timeout_s:g} s: {watch.left}; see `darkroom explain JOB`")
            watch.look()
            if not watch.ended:
                service.pause(LOOK_S)
    except KeyboardInterrupt as exc:
        raise Interrupted(f"waits no longer; the service goes on with {watch.left}") from exc
    return watch.jobs


class _Watch:
    """The last observed state of the jobs.

    A look costs as much as changed since the last one, however many jobs are waited for.
    """

    def __init__(self, service: Service, job_ids: Sequence[str]) -> None:
        self._service = service
        self._printed = dict.fromkeys(job_ids, 0)
        self._left = dict.fromkeys(job_ids)
        self._warned = False
        self.jobs: dict[str, Job] = {}
        self.began = self._moved = self.now()
        #: Time of the newest observed change, and when every job is read again.
        self._newest, self._read_all_at = self.began, self.began

    def now(self) -> datetime:
        return self._service.system.clock.now()

    @property
    def ended(self) -> bool:
        return not self._left

    @property
    def left(self) -> str:
        ids = [each[:12] for each in self._left]
        return f"{counted(len(ids), 'job')} ({', '.join(ids[:5])}{', …' if len(ids) > 5 else ''})"

    def look(self) -> None:
        """Read the jobs that have changed, print what is new, and warn if no service runs."""
        for job in self._changed():
            self._print_new(job)
        if self.now() >= self._read_all_at:
            self._read_all_at = self.now() + timedelta(seconds=READ_ALL_S)
            for job in self._every():
                self._print_new(job)
        if not self._warned and self.now() - self._moved > timedelta(seconds=QUIET_S):
            self._warned = True
            self._warn_if_unserved()

    def _changed(self) -> Iterator[Job]:
        """The jobs that changed since the last look, newest first."""
        since = self._newest - timedelta(seconds=SKEW_S)
        query = JobQuery(limit=_FIRST_PAGE)
        while True:
            page = self._service.system.jobs.query(query)
            for job in page.jobs:
                if job.updated_at < since:
                    return
                self._newest = max(self._newest, job.updated_at)
                yield job
            if page.next_cursor is None:
                return
            query = replace(query, cursor=page.next_cursor, limit=_NEXT_PAGE)

    def _every(self) -> Iterator[Job]:
        """Every job that is waited for, except those whose upload's event has not arrived yet."""
        for job_id in tuple(self._left):
            with suppress(JobNotFound):
                yield self._service.system.jobs.get(job_id)

    def _print_new(self, job: Job) -> None:
        if job.id not in self._left:
            return
        for entry in entries_since(job.history, self._printed[job.id]):
            click.echo(printable(f"{job.short_id}  {entry.action}  {entry.text}"), err=True)
            self._moved = self.now()
        self._printed[job.id] = occurrences(job.history)
        self.jobs[job.id] = job
        if job.status in FINAL:
            del self._left[job.id]

    def _warn_if_unserved(self) -> None:
        settings = self._service.system.settings
        if settings.backend == "local" and not is_served(settings.home):
            click.echo(
                f"nothing moves: no service runs in {settings.home}; run `darkroom up` in another terminal", err=True
            )


def warn_if_unserved(settings: Settings) -> None:
    """Warn on stderr that submitted jobs are not processed, if no service runs for the local backend."""
    if settings.backend != "local" or is_served(settings.home):
        return
    home = settings.home.resolve()
    click.echo(f"warning: not processed yet, because no service runs in {home}", err=True)
    start = f"start one with `darkroom up --home {shlex.quote(str(home))}`"
    click.echo(f"{start}, or set DARKROOM_HOME to the home of the one that runs and submit again", err=True)


def is_served(home: Path) -> bool:
    """Whether a local cloud holds the lock of `home`."""
    lock = home / FILE_NAME
    if not lock.exists():
        return False
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
