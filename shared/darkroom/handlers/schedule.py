"""Every few minutes: what was lost is driven again, what was never begun begins, what has expired is purged.

A sweep has a budget of time, shared among the three; what it does not come to, the next one does.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from darkroom.domain.job import FINAL, Job
from darkroom.handlers.orphans import adopt_orphans
from darkroom.handlers.pages import Deadline, all_jobs
from darkroom.handlers.stalled import drive_stalled
from darkroom.runtime.logs import log
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.system import System

#: Seconds for one sweep, where the caller does not say; the function's own limit is 540 s.
BUDGET_S = 240.0
#: Purged jobs from one line of the log to the next.
_LOGGED_EVERY = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did."""

    #: Jobs whose message was lost and was published again.
    driven: int
    #: Of these, the jobs whose message had been published again before.
    stuck: int
    #: Jobs that got nowhere until the retention of messages had passed, and were given up.
    failed: int
    #: Uploads without a job that got one.
    adopted: int
    #: Expired jobs that were deleted with their artifacts.
    purged: int


def sweep(system: System, *, budget_s: float = BUDGET_S) -> Swept:
    """Drive, adopt and purge, for `budget_s` seconds at most. May run at any time, several at once too."""
    end = system.clock.now() + timedelta(seconds=budget_s)
    stalled = drive_stalled(system, _share(system, end, 3))
    adopted = adopt_orphans(system, _share(system, end, 2))
    purged = _purge_expired(system, _share(system, end, 1))
    swept = Swept(**asdict(stalled), adopted=adopted, purged=purged)
    text = f"Drove {swept.driven}, gave up {swept.failed}, adopted {swept.adopted}, purged {swept.purged}."
    log("INFO", "swept", text, **asdict(swept))
    return swept


def _share(system: System, end: datetime, parts: int) -> Deadline:
    """The end of the next part of a sweep, when `parts` are left."""
    now = system.clock.now()
    return Deadline(clock=system.clock, at=now + max(end - now, timedelta(0)) / parts)


def _purge_expired(system: System, deadline: Deadline) -> int:
    purged = 0
    for job in all_jobs(system, JobQuery(expires_before=system.clock.now()), deadline):
        if job.status not in FINAL:
            continue
        delete_artifacts(system, job)
        system.jobs.delete(job.id)
        purged += 1
        if purged % _LOGGED_EVERY == 0:
            log("INFO", "sweeping", f"Purged {purged} jobs so far.")
    return purged


def delete_artifacts(system: System, job: Job) -> None:
    """Delete the pictures between the stages; the original, the results and the manifests stay."""
    for info in system.objects.list(system.settings.artifacts_bucket, f"{job.id}/"):
        system.objects.delete(info.ref)
