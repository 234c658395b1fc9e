"""How does a command wait for jobs, and what does it say meanwhile?"""

import fcntl
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import click

from shared.cli.failures import Failure, Interrupted
from shared.cli.service import Service
from shared.cli.text import counted, printable
from shared.errors import JobNotFound
from shared.job import FINAL, Job
from shared.local_cloud.lock import FILE_NAME

#: Seconds between two looks at the jobs.
LOOK_S = 0.25
#: Seconds without any change after which we look whether anybody serves the local backend.
QUIET_S = 2.0


def wait_for(service: Service, job_ids: Sequence[str], *, timeout_s: float | None) -> dict[str, Job]:
    """The jobs when all have ended, each line of their histories told on stderr as it comes.

    Raises Failure after `timeout_s`, and Interrupted by Ctrl-C; the jobs go on all the same.
    """
    watch = _Watch(service, job_ids)
    try:
        while not watch.ended:
            if timeout_s is not None and watch.now() - watch.began > timedelta(seconds=timeout_s):
                raise Failure(f"not ended after {timeout_s:g} s: {watch.left}; `darkroom explain JOB` tells more")
            watch.look()
            if not watch.ended:
                service.pause(LOOK_S)
    except KeyboardInterrupt as exc:
        raise Interrupted(f"waits no longer; the service goes on with {watch.left}") from exc
    return watch.jobs


class _Watch:
    """What has been seen of the jobs so far."""

    def __init__(self, service: Service, job_ids: Sequence[str]) -> None:
        self._service = service
        self._ids = tuple(job_ids)
        self._told = dict.fromkeys(job_ids, 0)
        self._warned = False
        self.jobs: dict[str, Job] = {}
        self.began = self._moved = self.now()

    def now(self) -> datetime:
        return self._service.system.clock.now()

    @property
    def ended(self) -> bool:
        return all(each in self.jobs and self.jobs[each].status in FINAL for each in self._ids)

    @property
    def left(self) -> str:
        ids = [each[:12] for each in self._ids if each not in self.jobs or self.jobs[each].status not in FINAL]
        return f"{counted(len(ids), 'job')} ({', '.join(ids[:5])}{', …' if len(ids) > 5 else ''})"

    def look(self) -> None:
        """Read the jobs that have not ended, tell what is new, and warn if nothing can ever be."""
        for job_id in self._ids:
            if job_id not in self.jobs or self.jobs[job_id].status not in FINAL:
                self._look_at(job_id)
        if not self._warned and self.now() - self._moved > timedelta(seconds=QUIET_S):
            self._warned = True
            self._warn_if_unserved()

    def _look_at(self, job_id: str) -> None:
        try:
            job = self._service.system.jobs.get(job_id)
        except JobNotFound:  # the upload's event has not arrived yet
            return
        for entry in job.history[self._told[job_id] :]:
            click.echo(printable(f"{job.short_id}  {entry.action}  {entry.text}"), err=True)
            self._moved = self.now()
        self._told[job_id] = len(job.history)
        self.jobs[job_id] = job

    def _warn_if_unserved(self) -> None:
        settings = self._service.system.settings
        if settings.backend == "local" and not is_served(settings.home):
            click.echo(f"nothing moves: nobody serves {settings.home}; run `darkroom up` in another terminal", err=True)


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
