"""A stage answered: how does the job go on?

An event that was applied before changes nothing, but the redelivery of its message publishes the follow-up again: so a
crash between saving and publishing heals itself.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta

from darkroom.domain.errors import (
    BadMessage,
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
    DeadLetter,
    Message,
    ObjectRef,
    StageAttemptFailed,
    StageCompleted,
    StageEvent,
    StageRequested,
    decode,
    stage_topic,
)
from darkroom.domain.planner import make_plan
from darkroom.domain.products.messages import decode_catalogue, is_catalogue
from darkroom.domain.topology import MAX_FAILURES, RETENTION_S
from darkroom.domain.webhooks import CallbackDue, decode_callback
from darkroom.handlers.dead_letters import give_up_catalogue
from darkroom.handlers.job_updates import change_job, given_up_name, publish_next_step, send
from darkroom.handlers.objects import pin_objects
from darkroom.handlers.webhooks import enqueue_webhook, give_up_callback
from darkroom.runtime.logs import log, log_unexpected
from darkroom.runtime.ports import NewObject
from darkroom.runtime.system import System


def apply_stage_event(system: System, event: StageEvent, *, message_id: str = "") -> None:
    """Change the job as the event says, and send the next message or write the manifest.

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
    """Let the stage know, at its next failure, that it need not try again."""
    with suppress(ObjectExists):
        note = NewObject(data=b"nobody waits for this step", content_type="text/plain")
        system.objects.create(system.settings.artifacts_bucket, given_up_name(event), note)


def _transition(system: System, event: StageEvent, message_id: str) -> Callable[[Job], Job]:
    def change(job: Job) -> Job:
        if event.run == job.run and event.index > len(job.records) and job.status not in FINAL:
            raise TransientError(f"job {job.id} stands at step {len(job.records)}, the event is of {event.index}")
        if not job.awaits(event) or (message_id and message_id == job.answered_by):
            log("INFO", "event_ignored", f"{type(event).__name__} comes too late to change anything.", job_id=job.id)
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
    return job.completed(now)


def _planned(system: System, job: Job) -> Job:
    now = system.clock.now()
    if job.before is None:
        return job.failed(now, "no_report", "assess answered without a report", stage="assess")
    try:
        objects = _pinned(system, job)
        steps, skipped = make_plan(job, job.before, system.catalogue, system.buckets, objects=objects)
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


def record_dead_letter(system: System, letter: DeadLetter) -> None:
    """Fail the job whose message was given up, saying why; keep the message itself if it names no job.

    A job that had come to its end all the same keeps it, and gets the manifest that may not have been written.
    """
    if letter.attributes.get("type") == CallbackDue.__name__:
        _give_up_callback(system, letter)
        return
    if is_catalogue(letter.attributes.get("type")):
        _give_up_catalogue(system, letter)
        return
    try:
        message = decode(letter.data)
        if not _continued(system, message, letter):
            _give_up(system, message, letter)
    except (BadMessage, JobNotFound) as exc:
        _keep(system, letter, str(exc))


def _continued(system: System, message: Message, letter: DeadLetter) -> bool:
    """Whether the job goes on all the same: its deliveries may have been refused for want of an instance."""
    job = system.jobs.get(message.job_id)
    if not job.awaits(message) or letter.deliveries <= MAX_FAILURES:
        return False
    if not isinstance(message, StageRequested):
        return _applied(system, message)
    if system.clock.now() - job.progressed_at > timedelta(seconds=RETENTION_S):
        return False
    stage, resent = message.step.stage, message.resent + 1
    send(system, stage_topic(stage), message.model_copy(update={"resent": resent}))
    text = f"No answer of {stage} after {letter.deliveries} deliveries; sent again, for the {resent}. time."
    log("WARNING", "request_resent", text, job_id=job.id, stage=stage)
    return True


def _applied(system: System, event: StageEvent) -> bool:
    """Whether the event, whose delivery was given up, could be applied now. Raises TransientError."""
    try:
        apply_stage_event(system, event)
    except (TransientError, JobNotFound):
        raise
    except Exception as exc:  # noqa: BLE001  whatever it is, the job fails of it, and the line has the traceback
        log_unexpected(f"{type(event).__name__} cannot be applied: {exc}.", job_id=event.job_id)
        return False
    return True


def _give_up(system: System, message: Message, letter: DeadLetter) -> None:
    job = change_job(system, message.job_id, lambda job: _given_up(system, job, message, letter))
    if message.run == job.run:
        enqueue_webhook(system, job)
        if job.status == "completed":
            write_manifest(system, job)


def _give_up_callback(system: System, letter: DeadLetter) -> None:
    try:
        give_up_callback(system, decode_callback(letter.data), letter.deliveries)
    except BadMessage as exc:
        _keep(system, letter, str(exc))


def _give_up_catalogue(system: System, letter: DeadLetter) -> None:
    try:
        give_up_catalogue(system, decode_catalogue(letter.data), letter.deliveries)
    except BadMessage as exc:
        _keep(system, letter, str(exc))


def _given_up(system: System, job: Job, message: StageEvent | StageRequested, letter: DeadLetter) -> Job:
    is_late = message.run != job.run or message.index < len(job.records)
    if is_late or job.status in FINAL or (message.index == len(job.records) and not job.awaits(message)):
        return job
    attempts = [entry.text for entry in job.history if entry.action == "attempt_failed"]
    cause = f"; the last attempt: {attempts[-1]}" if attempts else ""
    text = f"given up after {letter.deliveries} deliveries to {letter.subscription}{cause}"
    stage = message.step.stage if isinstance(message, StageRequested) else message.stage
    return job.failed(system.clock.now(), "delivery_exhausted", text, stage=stage)


def _keep(system: System, letter: DeadLetter, reason: str) -> None:
    """Nothing is lost: what no job can record becomes an object that an operator can look at."""
    log("ERROR", "dead_letter", f"Kept message {letter.message_id}: {reason}.", event_id=letter.message_id)
    metadata = {"reason": reason[:500], "subscription": letter.subscription}
    kept = NewObject(data=letter.data, content_type="application/octet-stream", metadata=metadata)
    try:
        system.objects.create(system.settings.artifacts_bucket, f"dead-letters/{letter.message_id}", kept)
    except ObjectExists:
        return
