"""Applies the answers of the stages to their jobs.

An event that was applied before changes nothing. The redelivery of its message publishes the next message again, so a
crash between saving and publishing loses nothing.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

from darkroom.domain.errors import (
    JobNotFound,
    ObjectExists,
    ObjectNotFound,
    PermanentError,
    SourceGone,
    TransientError,
)
from darkroom.domain.job import FINAL, Job
from darkroom.domain.manifest import manifest_json
from darkroom.domain.messages import (
    ObjectRef,
    StageAttemptFailed,
    StageCompleted,
    StageEvent,
)
from darkroom.domain.planner import make_plan
from darkroom.domain.topology import MAX_FAILURES
from darkroom.handlers.job_updates import change_job, given_up_name, publish_next_step
from darkroom.handlers.objects import pin_objects
from darkroom.handlers.webhooks import enqueue_webhook
from darkroom.runtime.calibrations import read_calibrations
from darkroom.runtime.logs import log
from darkroom.runtime.ports import NewObject
from darkroom.runtime.system import System


def apply_stage_event(system: System, event: StageEvent, *, message_id: str = "") -> None:
    """Apply the event to the job, and send the next message or write the manifest.

    The message that changed the job sends the follow-up, in each of its deliveries; other copies of the event leave it
    to that one, or each of them would double every stage behind. A message without an id sends it always.
    """
    try:
        job = change_job(system, event.job_id, _transition(system, event, message_id))
    except JobNotFound:
        log("WARNING", "event_ignored", f"There is no job {event.job_id} any more.", job_id=event.job_id)
        return
    if isinstance(event, StageAttemptFailed) and not job.awaits(event):
        _tell_given_up(system, event)
    if event.run != job.run or (message_id and job.answered_by not in ("", message_id)):
        return
    enqueue_webhook(system, job)
    if event.index + 1 != len(job.records):
        return
    if job.status == "completed":
        write_manifest(system, job)
    else:
        publish_next_step(system, job)


def _tell_given_up(system: System, event: StageAttemptFailed) -> None:
    """Store that the stage need not retry at its next failure."""
    with suppress(ObjectExists):
        note = NewObject(data=b"no job waits for this step", content_type="text/plain")
        system.objects.create(system.settings.artifacts_bucket, given_up_name(event), note)


def _transition(system: System, event: StageEvent, message_id: str) -> Callable[[Job], Job]:
    def change(job: Job) -> Job:
        if event.run == job.run and event.index > len(job.records) and job.status not in FINAL:
            raise TransientError(f"job {job.id} is at step {len(job.records)}, the event is of step {event.index}")
        if not job.awaits(event) or (message_id and message_id == job.answered_by):
            log("INFO", "event_ignored", f"{type(event).__name__} arrived too late and changes nothing.", job_id=job.id)
            return job
        return _changed(system, job, event).model_copy(update={"answered_by": message_id})

    return change


def _changed(system: System, job: Job, event: StageEvent) -> Job:
    if isinstance(event, StageCompleted):
        return _completed(system, job, event)
    return _attempt_failed(system, job, event) if isinstance(event, StageAttemptFailed) else _failed(system, job, event)


def _completed(system: System, job: Job, event: StageCompleted) -> Job:
    now = system.clock.now()
    job = job.advanced(now, event.record)
    if event.index == 0:
        return _planned(system, job)
    if len(job.records) < len(job.plan):
        return job
    return job.completed(now, read_calibrations(system.settings.acceptance))


def _planned(system: System, job: Job) -> Job:
    now = system.clock.now()
    if job.before is None:
        return job.failed(now, "no_report", "assess answered without a report", stage="assess")
    try:
        objects = _pinned(system, job)
        steps, skipped = make_plan(job, job.before, system.model_registry, system.buckets, objects=objects)
    except PermanentError as exc:
        return job.failed(now, exc.code, str(exc))
    return job.planned(now, steps, skipped)


def _pinned(system: System, job: Job) -> Mapping[str, ObjectRef]:
    """The objects that the job's pipeline names. Raises SourceGone if its owner may not read one of them."""
    try:
        return pin_objects(system, job.owner, job.pipeline)
    except ObjectNotFound as exc:
        raise SourceGone(str(exc)) from exc


def _failed(system: System, job: Job, event: StageEvent) -> Job:
    assert not isinstance(event, StageCompleted)
    return job.failed(system.clock.now(), event.code, event.message, stage=event.stage)


def _attempt_failed(system: System, job: Job, event: StageAttemptFailed) -> Job:
    now, reason = system.clock.now(), f"{event.stage}: {event.code}: {event.message}"
    job = job.noted(now, "attempt_failed", reason)
    failures = job.times("attempt_failed")
    if failures < MAX_FAILURES:
        return job
    text = f"given up after {failures} failed attempts; the last attempt: {reason}"
    return job.failed(now, "delivery_exhausted", text, stage=event.stage)


def write_manifest(system: System, job: Job) -> None:
    """Write the manifest of a completed job beside its result, unless it is there already."""
    manifest = NewObject(data=manifest_json(job), content_type="application/json")
    try:
        system.objects.create(system.settings.results_bucket, job.manifest_name, manifest)
    except ObjectExists:
        return
