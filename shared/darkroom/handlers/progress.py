"""Log lines about what jobs have come to.

The lines are derived from the job's history after the job was saved. So each line is logged once, for every caller and
however often the change had to be tried.
"""

from darkroom.domain.errors import is_input_fault
from darkroom.domain.history import entries_since, occurrences
from darkroom.domain.job import Job
from darkroom.runtime.logs import log


def log_progress(before: Job, after: Job) -> None:
    """Log the plan, the result or the failure that a saved change brought; `before` is the job as it was read."""
    for entry in entries_since(after.history, occurrences(before.history)):
        if entry.action == "planned":
            log("INFO", "job_planned", f"{entry.text}.", job_id=after.id)
        elif entry.action == "completed":
            text = f"{after.display_name}: {after.qc_status}."
            log("INFO", "job_completed", text, job_id=after.id, elapsed_s=_elapsed_s(after))
        elif entry.action == "failed":
            log_failure(after)


def log_failure(job: Job) -> None:
    """Log that a job failed, and with its cause: an ERROR unless the upload or its pipeline is the cause."""
    error = job.error
    if error is None:
        return
    text = f"{error.stage}: {error.message}." if error.stage else f"{error.message}."
    place = {"stage": error.stage} if error.stage else {}
    if is_input_fault(error.code):
        log("WARNING", "job_failed", text, job_id=job.id, code=error.code, fault="input", **place)
    else:
        log("ERROR", "job_failed", text, job_id=job.id, code=error.code, fault="service", **place)


def _elapsed_s(job: Job) -> float:
    """Seconds from the upload, or from the rework that began this run, to the end of the job."""
    return round((job.updated_at - job.run_started_at).total_seconds(), 3)
