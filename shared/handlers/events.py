"""A stage answered: how does the job go on?

An event that was applied before changes nothing, but its follow-up is published again: so a crash between saving and
publishing heals itself when the event is delivered again.
"""

from collections.abc import Callable, Mapping

from shared.callbacks import CallbackDue, decode_callback
from shared.catalogue.messages import decode_catalogue, is_catalogue
from shared.errors import (
    BadMessage,
    JobNotFound,
    ObjectExists,
    ObjectNotFound,
    PermanentError,
    SourceGone,
    TransientError,
)
from shared.handlers.callbacks import announce, give_up_callback
from shared.handlers.changes import change_job, drive
from shared.handlers.lost import give_up_catalogue
from shared.handlers.objects import pin_objects
from shared.job import FINAL, Job
from shared.logs import log
from shared.manifest import manifest_json
from shared.messages import (
    DeadLetter,
    ObjectRef,
    StageAttemptFailed,
    StageCompleted,
    StageEvent,
    StageRequested,
    decode,
)
from shared.planner import make_plan
from shared.ports import NewObject
from shared.system import System

#: Failed attempts of one step that the history keeps; more would only repeat the first ones.
MAX_NOTED_ATTEMPTS = 10


def apply_stage_event(system: System, event: StageEvent) -> None:
    """Change the job as the event says, and send the next message or write the manifest."""
    try:
        job = change_job(system, event.job_id, _transition(system, event))
    except JobNotFound:
        log("WARNING", "event_ignored", f"There is no job {event.job_id} any more.", job_id=event.job_id)
        return
    if event.run == job.run:
        announce(system, job)
    if event.run != job.run or event.index + 1 != len(job.records):
        return
    if job.status == "completed":
        write_manifest(system, job)
    else:
        drive(system, job)


def _transition(system: System, event: StageEvent) -> Callable[[Job], Job]:
    def change(job: Job) -> Job:
        if event.run != job.run or job.status in FINAL or event.index < len(job.records) or _is_outlived(job, event):
            log("INFO", "event_ignored", f"{type(event).__name__} comes too late to change anything.", job_id=job.id)
            return job
        if event.index > len(job.records):
            raise TransientError(f"job {job.id} stands at step {len(job.records)}, the event is of {event.index}")
        if isinstance(event, StageCompleted):
            return _completed(system, job, event)
        return (
            _attempt_failed(system, job, event)
            if isinstance(event, StageAttemptFailed)
            else _failed(system, job, event)
        )

    return change


def _is_outlived(job: Job, message: StageEvent | StageRequested) -> bool:
    """Whether this tells of a failure from before the job was replayed."""
    return message.replay < job.replays and not isinstance(message, StageCompleted)


def _completed(system: System, job: Job, event: StageCompleted) -> Job:
    now = system.clock.now()
    job = job.advanced(now, event.record)
    if event.index == 0:
        return _planned(system, job)
    if len(job.records) < len(job.plan):
        return job
    job = job.completed(now)
    log("INFO", "job_completed", f"{job.display_name}: {job.qc_status}.", job_id=job.id)
    return job


def _planned(system: System, job: Job) -> Job:
    now = system.clock.now()
    if job.before is None:
        return job.failed(now, "no_report", "assess answered without a report", stage="assess")
    try:
        objects = _pinned(system, job)
        steps, skipped = make_plan(job, job.before, system.catalogue, system.buckets, objects=objects)
    except PermanentError as exc:
        log("ERROR", "job_failed", f"{exc}.", job_id=job.id)
        return job.failed(now, exc.code, str(exc))
    log("INFO", "job_planned", f"{' → '.join(step.stage for step in steps)}.", job_id=job.id)
    return job.planned(now, steps, skipped)


def _pinned(system: System, job: Job) -> Mapping[str, ObjectRef]:
    """The objects that the job's pipeline names. Raises SourceGone if its owner may not read one of them."""
    try:
        return pin_objects(system, job.owner, job.pipeline)
    except ObjectNotFound as exc:
        raise SourceGone(str(exc)) from exc


def _failed(system: System, job: Job, event: StageEvent) -> Job:
    assert not isinstance(event, StageCompleted)
    log("ERROR", "job_failed", f"{event.stage}: {event.message}.", job_id=job.id, stage=event.stage)
    return job.failed(system.clock.now(), event.code, event.message, stage=event.stage)


def _attempt_failed(system: System, job: Job, event: StageAttemptFailed) -> Job:
    noted = sum(entry.action == "attempt_failed" for entry in job.history)
    if noted >= MAX_NOTED_ATTEMPTS * (event.index + 1):
        return job
    return job.noted(system.clock.now(), "attempt_failed", f"{event.stage}: {event.code}: {event.message}")


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
        job = change_job(system, message.job_id, lambda job: _given_up(system, job, message, letter))
    except (BadMessage, JobNotFound) as exc:
        _keep(system, letter, str(exc))
        return
    if message.run == job.run:
        announce(system, job)
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
    late = message.run != job.run or message.index < len(job.records) or _is_outlived(job, message)
    if late or job.status in FINAL:
        return job
    attempts = [entry.text for entry in job.history if entry.action == "attempt_failed"]
    cause = f"; the last attempt: {attempts[-1]}" if attempts else ""
    text = f"given up after {letter.deliveries} deliveries to {letter.subscription}{cause}"
    stage = message.step.stage if isinstance(message, StageRequested) else message.stage
    log("ERROR", "dead_letter", f"{text}.", job_id=job.id, stage=stage)
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
