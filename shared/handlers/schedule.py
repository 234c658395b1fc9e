"""Every few minutes: what stood still is driven again, what was never begun begins, what has expired is purged."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from shared.handlers.callbacks import announce
from shared.handlers.changes import change_job, drive
from shared.handlers.uploads import accept_upload, upload_of
from shared.job import FINAL, Job, job_id
from shared.logs import log
from shared.ports import JobQuery, ObjectInfo
from shared.system import System

#: Times that a job is driven before it is given up.
MAX_DRIVES = 20
#: Uploads looked up in the job store at once.
LOOKUP_SIZE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did."""

    #: Jobs that stood still and were driven again.
    driven: int
    #: Those of them that had been driven before, in vain.
    stuck: int
    #: Uploads without a job that got one.
    adopted: int
    #: Expired jobs that were deleted with their artifacts.
    purged: int


def sweep(system: System) -> Swept:
    """Drive, adopt and purge. May run at any time, several at once too."""
    drives = [_times_driven(job) for job in _drive_stalled(system)]
    stuck = sum(times > 1 for times in drives)
    swept = Swept(driven=len(drives), stuck=stuck, adopted=_adopt_orphans(system), purged=_purge_expired(system))
    log("INFO", "swept", f"Drove {swept.driven}, adopted {swept.adopted}, purged {swept.purged}.", **asdict(swept))
    return swept


def _drive_stalled(system: System) -> list[Job]:
    before = system.clock.now() - timedelta(seconds=system.settings.stall_after_s)
    stalled = [
        job
        for status in ("pending", "processing")
        for job in _all(system, JobQuery(status=status, updated_before=before))
    ]
    return [driven for job in stalled if (driven := _drive_again(system, job, before))]


def _times_driven(job: Job) -> int:
    return sum(entry.action == "driven" for entry in job.history)


def _drive_again(system: System, job: Job, before: datetime) -> Job | None:
    """Say on the job that it is driven, so that the next sweep waits as long again, and drive it."""

    def change(job: Job) -> Job:
        if job.status in FINAL or job.updated_at >= before:
            return job
        if _times_driven(job) >= MAX_DRIVES:
            return job.failed(system.clock.now(), "stalled", f"nothing came of driving the job {MAX_DRIVES} times")
        return job.noted(system.clock.now(), "driven", "nothing had happened for too long")

    driven = change_job(system, job.id, change)
    announce(system, driven)
    if driven.updated_at < before or driven.history[-1].action != "driven":
        return None
    drive(system, driven)
    return driven


def _adopt_orphans(system: System) -> int:
    now, settings = system.clock.now(), system.settings
    youngest = now - timedelta(seconds=settings.orphan_after_s)
    oldest = now - timedelta(seconds=settings.orphan_window_s)
    candidates = (
        info for info in system.objects.list(settings.uploads_bucket) if oldest <= info.created_at <= youngest
    )
    adopted = 0
    for batch in _batches(candidates):
        missing = system.jobs.absent(list(batch))
        adopted += sum(accept_upload(system, upload_of(batch[each])) is not None for each in sorted(missing))
    return adopted


def _batches(infos: Iterator[ObjectInfo]) -> Iterator[dict[str, ObjectInfo]]:
    while batch := {job_id(info.ref): info for info in islice(infos, LOOKUP_SIZE)}:
        yield batch


def _purge_expired(system: System) -> int:
    expired = [job for job in _all(system, JobQuery(expires_before=system.clock.now())) if job.status in FINAL]
    for job in expired:
        delete_artifacts(system, job)
        system.jobs.delete(job.id)
    return len(expired)


def delete_artifacts(system: System, job: Job) -> None:
    """Delete the pictures between the stages; the original, the results and the manifests stay."""
    for info in system.objects.list(system.settings.artifacts_bucket, f"{job.id}/"):
        system.objects.delete(info.ref)


def _all(system: System, query: JobQuery) -> Iterator[Job]:
    while True:
        page = system.jobs.query(query)
        yield from page.jobs
        if page.next_cursor is None:
            return
        query = replace(query, cursor=page.next_cursor)
