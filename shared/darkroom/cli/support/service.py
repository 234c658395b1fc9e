"""Connects a command to the service, and finds the job that the user names."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import click

from darkroom.domain.errors import JobNotFound
from darkroom.domain.job import Job
from darkroom.runtime.bootstrap import system
from darkroom.runtime.system import System

#: Digits of a full id.
FULL_ID = 24
#: Fewer digits than this name too many jobs.
MIN_PREFIX = 4
#: Jobs that the message about an ambiguous id names.
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The system, and how to wait for it. A caller in the same process may supply its own."""

    system: System
    pause: Callable[[float], None] = time.sleep


def service() -> Service:
    """The service that the settings name, or the one that the context brings."""
    given = click.get_current_context().find_object(Service)
    return given or Service(system=system())


def find_job(system: System, text: str) -> Job:
    """The job with this id, or the only one whose id begins so.

    Reads as many jobs as match, four at most. Raises JobNotFound, also with the code `job_ambiguous`.
    """
    wanted = text.strip().lower()
    if len(wanted) == FULL_ID:
        return system.jobs.get(wanted)
    if len(wanted) < MIN_PREFIX or not set(wanted) <= set("0123456789abcdef"):
        raise JobNotFound(
            f"{text!r} is no job id: an id has {FULL_ID} hexadecimal digits, the first {MIN_PREFIX} at least"
        )
    found = system.jobs.with_prefix(wanted, _MOST_NAMED)
    if not found:
        raise JobNotFound(f"there is no job {text}")
    if len(found) > 1:
        ids = ", ".join(job.short_id for job in found)
        raise JobNotFound(f"{text} begins several ids: {ids}", code="job_ambiguous")
    return found[0]


def job_argument(*, many: bool = False) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """The argument JOB: a full id, or its first digits."""
    return click.argument(
        "jobs" if many else "job", metavar="JOB..." if many else "JOB", nargs=-1 if many else 1, required=True
    )
