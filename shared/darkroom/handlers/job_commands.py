"""A person decides: cancel, replay, review, rework, rename, label, delete."""

from collections.abc import Callable

from darkroom.domain.errors import NotAllowed
from darkroom.domain.job import FINAL, Job
from darkroom.domain.new_job import with_first_step
from darkroom.domain.pipeline import Pipeline
from darkroom.handlers.job_updates import change_job, publish_next_step
from darkroom.handlers.objects import pin_objects
from darkroom.handlers.quota import job_deleted
from darkroom.handlers.schedule import delete_artifacts
from darkroom.handlers.uploads import check_size
from darkroom.handlers.webhooks import enqueue_webhook
from darkroom.runtime.system import System

#: Checks the state of a job before each attempt to change it. An exception from it ends the change.
Check = Callable[[Job], None]


def unchecked(job: Job) -> None:
    """The check that lets every job pass."""


def unreviewed(job: Job) -> None:
    """The check that lets the first of several reviewers win. Raises NotAllowed for a job with a person's verdict."""
    if job.qc_status in ("approved", "rejected"):
        raise NotAllowed(f"job {job.id} is {job.qc_status} already", code="already_reviewed")


def cancel_job(system: System, job_id: str, *, who: str = "") -> Job:
    """Stop a job; a stage that is at work finishes, and its answer is ignored. Raises NotAllowed if it has ended."""
    job = change_job(system, job_id, lambda job: job.cancelled(system.clock.now(), who=who or None))
    enqueue_webhook(system, job)
    return job


def replay_job(system: System, job_id: str, *, who: str = "") -> Job:
    """Let a failed job go on from the step that failed. Raises NotAllowed for any other job."""
    job = change_job(system, job_id, lambda job: job.replayed(system.clock.now(), system.expiry(), who=who or None))
    publish_next_step(system, job)
    return job


def review_job(
    system: System, job_id: str, *, approved: bool, who: str, notes: str = "", check: Check = unchecked
) -> Job:
    """Record a person's verdict. Raises NotAllowed unless the job is completed, and the exceptions of `check`."""

    def change(job: Job) -> Job:
        check(job)
        return job.reviewed(system.clock.now(), approved=approved, who=who, notes=notes)

    return change_job(system, job_id, change)


def rework_job(
    system: System, job_id: str, pipeline: Pipeline, *, who: str, notes: str = "", check: Check = unchecked
) -> Job:
    """Reject the result and begin the next run with another pipeline; artifacts are reused up to the first change.

    Raises NotAllowed unless the job has ended, PermanentError for an upload that no pipeline may read, ObjectNotFound
    if the pipeline names an object that the job's owner may not read, and the exceptions of `check`.
    """

    def change(job: Job) -> Job:
        check(job)
        return reworked(system, job, pipeline, who=who, notes=notes)

    job = change_job(system, job_id, change)
    publish_next_step(system, job)
    return job


def reworked(system: System, job: Job, pipeline: Pipeline, *, who: str, notes: str = "") -> Job:
    """The job at the beginning of its next run, not saved. Raises as `rework_job`."""
    now = system.clock.now()
    if job.status not in FINAL:
        raise NotAllowed(f"job {job.id} is {job.status}, only jobs that have ended can be reworked")
    check_size(job.source, system.settings.max_bytes)
    pin_objects(system, job.owner, pipeline)
    if job.status == "completed":
        job, notes = job.reviewed(now, approved=False, who=who, notes=notes), ""
    fresh = job.reworked(now, pipeline, system.expiry(), who=who or None, notes=notes)
    return with_first_step(fresh, system.buckets, system.model_registry)


def describe_job(
    system: System, job_id: str, *, display_name: str | None, labels: dict[str, str] | None, who: str = ""
) -> Job:
    """Give a job another name, other labels, or both; None keeps what there is."""

    def change(job: Job) -> Job:
        return job.described(system.clock.now(), display_name=display_name, labels=labels, who=who or None)

    return change_job(system, job_id, change)


def delete_job(system: System, job_id: str) -> None:
    """Delete a job with its upload, artifacts, results and manifests.

    The record is deleted last, so that an interrupted deletion can be repeated. A stage that is running meanwhile
    leaves its artifact behind, which a lifecycle rule of the bucket removes. Raises JobNotFound.
    """

    def stop(job: Job) -> Job:
        return job if job.status in FINAL else job.cancelled(system.clock.now())

    job = change_job(system, job_id, stop)
    delete_artifacts(system, job)
    for info in system.objects.list(system.settings.results_bucket, job.results_prefix):
        if job.owns(info.ref.name):
            system.objects.delete(info.ref)
    system.objects.delete(job.source.ref)
    system.jobs.delete(job.id)
    job_deleted(system, job)
