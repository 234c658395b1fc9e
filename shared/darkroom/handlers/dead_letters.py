"""Handles messages that failed in their last delivery.

A step fails its job. A callback is noted in its job. Every picture that a message of a batch would have processed is
recorded as refused, so that each batch ends and its progress states what is missing.
"""

from datetime import timedelta

from darkroom.domain.envelope import decode
from darkroom.domain.errors import BadMessage, JobNotFound, ObjectExists, TransientError
from darkroom.domain.job import FINAL, Job
from darkroom.domain.messages import DeadLetter, StageEvent, StageMessage, StageRequested
from darkroom.domain.products.batches import Page, Refusal, Rows, page_name, rows_name
from darkroom.domain.products.messages import (
    BatchCancelled,
    JobsChosen,
    PageRequested,
    ProductMessage,
    RowRequested,
    RowsListed,
)
from darkroom.domain.topology import MAX_FAILURES, RETENTION_S
from darkroom.domain.webhooks import CallbackDue
from darkroom.handlers.batches import record_refusal
from darkroom.handlers.events import apply_stage_event, write_manifest
from darkroom.handlers.imports import give_up_row
from darkroom.handlers.job_updates import change_job, send
from darkroom.handlers.records import find_record, write_once
from darkroom.handlers.webhooks import enqueue_webhook, give_up_callback
from darkroom.runtime.logs import log, log_unexpected
from darkroom.runtime.ports import NewObject
from darkroom.runtime.system import System


def record_dead_letter(system: System, letter: DeadLetter) -> None:
    """Fail the job of the message, with the reason. Store the message itself if it names no job.

    A job that has ended in the meantime stays as it is. Its manifest is written if it does not exist.
    """
    try:
        message = decode(letter.data)
    except BadMessage as exc:
        _keep(system, letter, str(exc))
        return
    if isinstance(message, CallbackDue):
        give_up_callback(system, message, letter.deliveries)
    elif isinstance(message, ProductMessage):
        give_up_products(system, message, letter.deliveries)
    else:
        _give_up_step(system, message, letter)


def _give_up_step(system: System, message: StageMessage, letter: DeadLetter) -> None:
    try:
        if not _continued(system, message, letter):
            _give_up(system, message, letter)
    except JobNotFound as exc:
        _keep(system, letter, str(exc))


def _continued(system: System, message: StageMessage, letter: DeadLetter) -> bool:
    """Whether the job can continue: the deliveries may have been refused because no instance was free."""
    job = system.jobs.get(message.job_id)
    if not job.awaits(message) or letter.deliveries <= MAX_FAILURES:
        return False
    if not isinstance(message, StageRequested):
        return _applied(system, message)
    if system.clock.now() - job.progressed_at > timedelta(seconds=RETENTION_S):
        return False
    stage, resent = message.stage, message.resent + 1
    send(system, message.model_copy(update={"resent": resent}))
    text = f"No answer of {stage} after {letter.deliveries} deliveries; sent again, for the {resent}. time."
    log("WARNING", "request_resent", text, job_id=job.id, stage=stage)
    return True


def _applied(system: System, event: StageEvent) -> bool:
    """Apply the event of the dead letter; return whether this succeeded. Raises TransientError."""
    try:
        apply_stage_event(system, event)
    except (TransientError, JobNotFound):
        raise
    except Exception as exc:  # noqa: BLE001  any other error fails the job; the log line has the traceback
        log_unexpected(f"{type(event).__name__} cannot be applied: {exc}.", job_id=event.job_id)
        return False
    return True


def _give_up(system: System, message: StageMessage, letter: DeadLetter) -> None:
    job = change_job(system, message.job_id, lambda job: _given_up(system, job, message, letter))
    if message.run == job.run:
        enqueue_webhook(system, job)
        if job.status == "completed":
            write_manifest(system, job)


def _given_up(system: System, job: Job, message: StageMessage, letter: DeadLetter) -> Job:
    is_late = message.run != job.run or message.index < len(job.records)
    if is_late or job.status in FINAL or (message.index == len(job.records) and not job.awaits(message)):
        return job
    attempts = [entry.text for entry in job.history if entry.action == "attempt_failed"]
    cause = f"; the last attempt: {attempts[-1]}" if attempts else ""
    text = f"given up after {letter.deliveries} deliveries to {letter.subscription}{cause}"
    return job.failed(system.clock.now(), "delivery_exhausted", text, stage=message.stage)


def _keep(system: System, letter: DeadLetter, reason: str) -> None:
    """Store a message that no job can record as an object, so that an operator can read it."""
    log("ERROR", "dead_letter", f"Kept message {letter.message_id}: {reason}.", event_id=letter.message_id)
    metadata = {"reason": reason[:500], "subscription": letter.subscription}
    kept = NewObject(data=letter.data, content_type="application/octet-stream", metadata=metadata)
    try:
        system.objects.create(system.settings.artifacts_bucket, f"dead-letters/{letter.message_id}", kept)
    except ObjectExists:
        return


def give_up_products(system: System, message: ProductMessage, deliveries: int) -> None:
    """Record what will not be processed."""
    text = f"{type(message).__name__} of batch {message.batch_id} was given up after {deliveries} deliveries"
    log("ERROR", "dead_letter", f"{text}.", event_id=message.batch_id)
    if isinstance(message, RowRequested):
        give_up_row(system, message, deliveries)
    elif isinstance(message, RowsListed):
        _give_up_rows(system, message, deliveries)
    elif isinstance(message, JobsChosen):
        for member in message.members:
            _refuse_unless_taken(system, message, member.name, deliveries)
    elif isinstance(message, PageRequested):
        _give_up_page(system, message, deliveries)
    else:
        assert isinstance(message, BatchCancelled)


def _give_up_rows(system: System, message: RowsListed, deliveries: int) -> None:
    part = find_record(system, rows_name(message.batch_id, message.shard), Rows)
    for each in part.rows if part else ():
        give_up_row(system, RowRequested(batch_id=message.batch_id, row=each.row, picture=each.picture), deliveries)


def _give_up_page(system: System, message: PageRequested, deliveries: int) -> None:
    """The batch ends with this page, which counts as one picture that was refused."""
    name, metadata = page_name(message.batch_id, message.page), {"last": "true", "count": "1"}
    if write_once(system, name, Page(members=()), metadata=metadata):
        reason = f"the pictures from page {message.page} on were never chosen: given up after {deliveries} attempts"
        what = f"page {message.page}"
        record_refusal(system, message.batch_id, Refusal(what=what, code="delivery_exhausted", message=reason))


def _refuse_unless_taken(system: System, message: JobsChosen, what: str, deliveries: int) -> None:
    taken = not system.jobs.absent([what]) and message.batch_id in system.jobs.get(what).batches
    if not taken:
        reason = f"given up after {deliveries} attempts"
        record_refusal(system, message.batch_id, Refusal(what=what, code="delivery_exhausted", message=reason))
