"""Jobs that stand still: those whose message was lost are driven again, those whose message waits are left alone.

    request published                                         oldest message that waits
    ─────┼───────────────────────────────────────────────────────────┼──────────────────────▶ time
         a job that has not changed since long before that moment has no message any more

Where nobody knows what waits, jobs are driven after 1, 2, 4, 8, … times `stall_after_s`: a copy costs one request with
its answer, and doubles nothing behind it.
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

#: Topics whose messages move a job on.
_TOPICS = {stage_subscription(stage).topic for stage in STAGES} | {EVENTS_TOPIC, DEAD_LETTER_TOPIC, UPLOADS_TOPIC}
#: Subscriptions in which a job's message may wait.
_WATCHED = frozenset(each.name for each in SUBSCRIPTIONS if each.topic in _TOPICS)
#: Longest time in seconds from saving a job to its message being published, with the differences between clocks.
_PUBLISH_S = 300
_UNFINISHED: tuple[Status, ...] = ("pending", "processing")


@dataclass(slots=True, kw_only=True)
class Driven:
    """The number of stalled jobs by what was done with them."""

    #: Their message was published again.
    driven: int = 0
    #: Of these, the jobs whose message had been published again at this step before.
    stuck: int = 0
    #: Given up.
    failed: int = 0


def drive_stalled(system: System, deadline: Deadline) -> Driven:
    """Drive the jobs whose message was lost, and give up those that got nowhere until the retention had passed."""
    done = Driven()
    before = system.clock.now() - timedelta(seconds=system.settings.stall_after_s)
    if any(system.jobs.query(JobQuery(status=status, updated_before=before, limit=1)).jobs for status in _UNFINISHED):
        before = min(before, _lost_before(system))
        for status in _UNFINISHED:
            for job in all_jobs(system, JobQuery(status=status, updated_before=before), deadline):
                _count(done, _drive_again(system, job.id, before))
    return done


def _lost_before(system: System) -> datetime:
    """Jobs that have not changed since this moment have no message that waits, as far as anybody knows."""
    now = system.clock.now()
    try:
        waiting = system.backlog.waiting_since()
    except TransientError as exc:
        log("WARNING", "backlog_unknown", f"{exc}.")
        return now
    since = [moment for name, moment in (waiting or {}).items() if name in _WATCHED]
    return min(since, default=now) - timedelta(seconds=_PUBLISH_S if since else 0)


def _count(done: Driven, job: Job | None) -> None:
    if job is None:
        return
    is_failed = job.status == "failed"
    done.failed += is_failed
    done.driven += not is_failed
    done.stuck += not is_failed and job.times("driven") > 1


def _drive_again(system: System, job_id: str, before: datetime) -> Job | None:
    """The job, driven or given up; None if it is not its time."""
    now, touched = system.clock.now(), False

    def change(job: Job) -> Job:
        nonlocal touched
        touched = job.status not in FINAL and job.updated_at < before and _is_due(system, job)
        if not touched:
            return job
        if now - job.progressed_at > timedelta(seconds=RETENTION_S):
            days, driven = RETENTION_S // (24 * 3600), job.times("driven")
            text = f"no answer in {days} days, after which messages are forgotten, though driven {driven} times"
            return job.failed(now, "stalled", text, stage=_stage(job))
        return job.noted(now, "driven", "no message of this step waited any more")

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
    """Whether the job has waited long enough since it was driven last: each time twice as long."""
    wait_s = system.settings.stall_after_s * 2.0 ** min(job.times("driven"), 32)
    return (system.clock.now() - job.updated_at).total_seconds() > wait_s
