"""Publishes the lost messages of stalled jobs again. Jobs whose message is still waiting are not touched.

    request published                                         oldest waiting message
    ─────┼───────────────────────────────────────────────────────────┼──────────────────────▶ time
         a job that has not changed since well before that moment has lost its message

If the age of waiting messages is unknown, requests are published again after 1, 2, 4, 8, … times `stall_after_s`. A
copy costs one request with its answer; later stages are not doubled.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from darkroom.domain.errors import TransientError
from darkroom.domain.job import FINAL, Job, Status
from darkroom.domain.messages import DEAD_LETTER_TOPIC, EVENTS_TOPIC
from darkroom.domain.parameters import Stage
from darkroom.domain.topology import RETENTION_S, STAGES, SUBSCRIPTIONS, UPLOADS_TOPIC, stage_subscription
from darkroom.handlers.job_updates import change_job, publish_next_step
from darkroom.handlers.pages import Deadline, all_jobs
from darkroom.handlers.webhooks import enqueue_webhook
from darkroom.runtime.logs import log
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.system import System

#: Topics whose messages advance a job.
_TOPICS = {stage_subscription(stage).topic for stage in STAGES} | {EVENTS_TOPIC, DEAD_LETTER_TOPIC, UPLOADS_TOPIC}
#: Subscriptions in which a job's message may wait.
_WATCHED = frozenset(each.name for each in SUBSCRIPTIONS if each.topic in _TOPICS)
#: Longest time in seconds between saving a job and publishing its message, including differences between clocks.
_PUBLISH_S = 300
_UNFINISHED: tuple[Status, ...] = ("pending", "processing")


@dataclass(slots=True, kw_only=True)
class StalledCounts:
    """How many stalled jobs were published again or failed."""

    #: Jobs whose message was published again.
    driven: int = 0
    #: Those of them whose message had been published again at this step before.
    stuck: int = 0
    #: Jobs without an answer until the retention of messages ended.
    failed: int = 0


def republish_stalled(system: System, deadline: Deadline) -> StalledCounts:
    """Publish lost messages again. Fail the jobs that made no progress until the retention of messages ended."""
    counts = StalledCounts()
    before = system.clock.now() - timedelta(seconds=system.settings.stall_after_s)
    if any(system.jobs.query(JobQuery(status=status, updated_before=before, limit=1)).jobs for status in _UNFINISHED):
        before = min(before, _lost_before(system))
        for status in _UNFINISHED:
            for job in all_jobs(system, JobQuery(status=status, updated_before=before), deadline):
                _count(counts, _republish(system, job.id, before))
    return counts


def _lost_before(system: System) -> datetime:
    """The moment before which an unchanged job has lost its message; now if the age of messages is unknown."""
    now = system.clock.now()
    try:
        waiting = system.backlog.waiting_since()
    except TransientError as exc:
        log("WARNING", "backlog_unknown", f"{exc}.")
        return now
    since = [moment for name, moment in (waiting or {}).items() if name in _WATCHED]
    return min(since, default=now) - timedelta(seconds=_PUBLISH_S if since else 0)


def _count(counts: StalledCounts, job: Job | None) -> None:
    if job is None:
        return
    is_failed = job.status == "failed"
    counts.failed += is_failed
    counts.driven += not is_failed
    counts.stuck += not is_failed and job.times("driven") > 1


def _republish(system: System, job_id: str, before: datetime) -> Job | None:
    """The job, with its message published again, or failed; None if nothing is due for it."""
    now, touched = system.clock.now(), False

    def change(job: Job) -> Job:
        nonlocal touched
        touched = job.status not in FINAL and job.updated_at < before and _is_due(system, job)
        if not touched:
            return job
        if now - job.progressed_at > timedelta(seconds=RETENTION_S):
            days, driven = RETENTION_S // (24 * 3600), job.times("driven")
            text = f"no answer in {days} days, after which messages are deleted; published again {driven} times"
            return job.failed(now, "stalled", text, stage=_stage(job))
        return job.noted(now, "driven", "no message of this step was waiting")

    job = change_job(system, job_id, change)
    if not touched:
        return None
    if job.status == "failed":
        enqueue_webhook(system, job)
    else:
        publish_next_step(system, job)
    return job


def _stage(job: Job) -> Stage | None:
    index = len(job.records)
    return job.plan[index].stage if index < len(job.plan) else None


def _is_due(system: System, job: Job) -> bool:
    """Whether the delay since the last republishing has passed; each delay is twice the one before."""
    wait_s = system.settings.stall_after_s * 2.0 ** min(job.times("driven"), 32)
    return (system.clock.now() - job.updated_at).total_seconds() > wait_s
