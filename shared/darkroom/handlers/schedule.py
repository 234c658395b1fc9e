"""The sweep, every few minutes: publishes lost messages again, starts jobs of missed uploads, purges expired jobs.

The three tasks share a time budget. The next sweep continues where this one stopped.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from darkroom.domain.job import FINAL, Job
from darkroom.handlers.orphans import adopt_orphans
from darkroom.handlers.pages import Deadline, all_jobs
from darkroom.handlers.stalled import republish_stalled
from darkroom.runtime.logs import log
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.system import System

#: Default time budget of one sweep, in seconds; the function's own limit is 540 s.
BUDGET_S = 240.0
#: Number of purged jobs between two log lines.
_LOGGED_EVERY = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """The counts of one sweep."""

    #: Jobs whose message was lost and was published again.
    driven: int
    #: Those of them whose message had been published again before.
    stuck: int
    #: Jobs that failed because no answer arrived until the retention of messages ended.
    failed: int
    #: Uploads without a job, for which one was created.
    adopted: int
    #: Expired jobs that were deleted with their artifacts.
    purged: int


def sweep(system: System, *, budget_s: float = BUDGET_S) -> Swept:
    """Publish lost messages again, adopt orphans and purge, for at most `budget_s` seconds.

    May be called at any time. Several sweeps may run at the same time.
    """
    end = system.clock.now() + timedelta(seconds=budget_s)
    stalled = republish_stalled(system, _share(system, end, 3))
    adopted = adopt_orphans(system, _share(system, end, 2))
    purged = _purge_expired(system, _share(system, end, 1))
    swept = Swept(**asdict(stalled), adopted=adopted, purged=purged)
    counts = f"failed {swept.failed}, adopted {swept.adopted}, purged {swept.purged}"
    text = f"Published {swept.driven} again, {counts}."
    log("INFO", "swept", text, **asdict(swept))
    return swept


def _share(system: System, end: datetime, parts: int) -> Deadline:
    """The end of the next task of a sweep if `parts` tasks remain."""
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
