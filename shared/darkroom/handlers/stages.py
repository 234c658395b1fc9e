"""Serves the request of one step: a pure function from objects to objects.

The name of the output follows from its input, and it is written only if absent. The record of the step is stored with
it as metadata. A redelivery, a duplicate or a rework that needs the same output finds it and returns its record.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from darkroom.domain.errors import ObjectExists, ObjectNotFound, PermanentError, SourceGone, TransientError
from darkroom.domain.messages import (
    ObjectRef,
    StageAttemptFailed,
    StageCompleted,
    StageFailed,
    StageRequested,
    Step,
    StepRecord,
    event_id,
)
from darkroom.domain.parameters import Stage
from darkroom.domain.sizes import MAX_OUTPUT_PIXELS
from darkroom.domain.topology import MAX_FAILURES
from darkroom.execution.step import Inputs, StepOutcome, run_assess, run_step, step_record
from darkroom.handlers.job_updates import given_up_name, send
from darkroom.imaging.codec import Decoded, Limits, decode, decode_working, encode_working, read_header
from darkroom.imaging.measurement.change import reduced
from darkroom.imaging.picture import Picture
from darkroom.runtime.logs import log, log_unexpected
from darkroom.runtime.ports import NewObject, ObjectInfo
from darkroom.runtime.system import System

#: Metadata key of the record of a step, on the object of its output.
RECORD_KEY = "darkroom-record"
#: Cloud Storage keeps at most 8 KiB of metadata: https://cloud.google.com/storage/quotas#objects
MAX_NOTES_BYTES = 4000


def run_stage(system: System, stage: Stage, request: StageRequested) -> None:
    """Run the requested step and answer on the events topic.

    A permanent failure is answered; anything else is reported, best effort, and raised, so that the transport
    delivers the request again.
    """
    identity = request.model_dump(include={"job_id", "run", "index", "replay"}) | {"stage": request.step.stage}
    try:
        if request.step.stage != stage:
            raise PermanentError(f"a request for {request.step.stage} came to {stage}", code="wrong_stage")
        record = _done_before(system, request)
        if record is None:
            _count_beginnings(system, request)
            record = _run(system, request)
    except PermanentError as exc:
        log("WARNING", "stage_failed", f"{stage}: {exc}.", **_place(request))
        send(system, StageFailed.model_validate({**identity, "code": exc.code, "message": str(exc)}))
        return
    except Exception as exc:
        code = getattr(exc, "code", type(exc).__name__)
        _log_attempt(stage, exc, _place(request))
        send(system, StageAttemptFailed.model_validate({**identity, "code": str(code), "message": str(exc)}))
        if _is_given_up(system, request):
            return
        raise
    send(system, StageCompleted.model_validate({**identity, "record": record}))


def _place(request: StageRequested) -> dict[str, object]:
    """The job, run, step and delivery of a log line."""
    identity = request.model_dump(include={"job_id", "run", "index", "replay"})
    return {**identity, "stage": request.step.stage, "span_id": event_id(request)}


def _log_attempt(stage: Stage, exc: Exception, place: Mapping[str, object]) -> None:
    """Log a transient error as a warning, and any other with its traceback."""
    if isinstance(exc, TransientError):
        log("WARNING", "stage_attempt_failed", f"{stage} will be tried again: {exc}.", **place)
    else:
        log_unexpected(f"{stage} will be tried again: {exc}.", **place)


def _is_given_up(system: System, request: StageRequested) -> bool:
    """Whether the job has failed in the meantime, so that another attempt is not needed."""
    try:
        system.objects.stat(system.settings.artifacts_bucket, given_up_name(request))
    except (ObjectNotFound, TransientError):
        return False
    return True


def _count_beginnings(system: System, request: StageRequested) -> None:
    """Count how often the stage began this request. Raises PermanentError if the process ended each time.

    Deliveries that were refused because no instance was free are not counted; those that ended a process are.
    """
    if not request.resent:
        return
    bucket = system.settings.artifacts_bucket
    prefix = f"{request.job_id}/begun/{request.run}-{request.index}-{request.replay}."
    begun = sum(1 for _ in system.objects.list(bucket, prefix))
    if begun >= MAX_FAILURES:
        message = f"{request.step.stage} began {begun} times and never finished"
        raise PermanentError(message, code="delivery_exhausted")
    with suppress(ObjectExists):
        system.objects.create(bucket, f"{prefix}{begun}", NewObject(data=b"begun", content_type="text/plain"))


def _done_before(system: System, request: StageRequested) -> StepRecord | None:
    step = request.step
    try:
        info = system.objects.stat(step.output_bucket, step.output_name)
    except ObjectNotFound:
        return None
    log("INFO", "stage_reused", f"{step.stage} found {info.ref}.", **_place(request))
    return _record_of(info)


def _run(system: System, request: StageRequested) -> StepRecord:
    log("INFO", "stage_started", f"{request.step.stage} reads {request.input}.", **_place(request))
    system.meter.start()
    outcome = _outcome(system, request)
    content = _content(request, outcome)
    record = step_record(request.step, outcome, system.meter.stop(), run=request.run)
    if record.degraded:
        log("WARNING", "fallback", f"{request.step.stage}: {record.notes[0]}.", **_place(request))
    info = _write(system, request, content, record)
    costs = {"elapsed_ms": record.elapsed_ms, "peak_memory_mb": record.peak_memory_mb}
    log("INFO", "stage_completed", f"{request.step.stage} wrote {info.ref}.", **_place(request), **costs)
    return _record_of(info)


def _outcome(system: System, request: StageRequested) -> StepOutcome:
    if request.step.stage == "assess":
        upload = _compared_upload(system, request)
        decoded = _decode(system, request.input)
        return run_assess(request.step, decoded, system.models, is_first=request.index == 0, upload=upload)
    return run_step(request.step, _inputs(system, request), system.models)


def _compared_upload(system: System, request: StageRequested) -> Picture | None:
    """The upload at the size at which the last `assess` compares it with the result; None if it was deleted."""
    if request.index == 0:
        return None
    try:
        return reduced(_decode(system, request.source).picture)
    except SourceGone:
        return None


def fitting_notes(notes: Sequence[str]) -> list[str]:
    """The notes that fit into the metadata beside the rest of a record, which needs at most 3 kB."""
    kept: list[str] = []
    for note in notes:
        if sum(len(each.encode()) for each in kept) + len(note.encode()) > MAX_NOTES_BYTES:
            return [*kept, f"{len(notes) - len(kept)} more notes are omitted"]
        kept.append(note)
    return kept


def _write(system: System, request: StageRequested, content: tuple[bytes, str], record: StepRecord) -> ObjectInfo:
    data, content_type = content
    fitting = record.model_copy(update={"notes": tuple(fitting_notes(record.notes))})
    # The generation of the output is known only after the object was written.
    text = json.dumps(fitting.model_dump(mode="json", exclude={"output"}), ensure_ascii=False)
    new = NewObject(data=data, content_type=content_type, metadata={RECORD_KEY: text})
    step = request.step
    try:
        return system.objects.create(step.output_bucket, step.output_name, new)
    except ObjectExists:
        return system.objects.stat(step.output_bucket, step.output_name)


def _record_of(info: ObjectInfo) -> StepRecord:
    try:
        return StepRecord.model_validate({**json.loads(info.metadata[RECORD_KEY]), "output": info.ref})
    except (KeyError, ValueError) as exc:
        raise PermanentError(f"{info.ref} was not written by a stage: {exc}", code="output_taken") from exc


def _content(request: StageRequested, outcome: StepOutcome) -> tuple[bytes, str]:
    if outcome.picture is None:
        return outcome.data, outcome.content_type
    extension = cast(Any, request.step.output_name.rsplit(".", 1)[-1])
    return encode_working(outcome.picture, extension), f"image/{extension}"


def _inputs(system: System, request: StageRequested) -> Inputs:
    """The picture to work on; only `finish` and the first stage after `assess` need the upload itself."""

    def read_object(name: str) -> Picture:
        return _named_object(system, request.step, name)

    is_last = request.step.stage == "finish"
    upload = _read(system, request.source) if is_last or request.input == request.source else b""
    kept = upload if is_last else None
    limits = _limits(system, request.source, len(upload))
    if request.input == request.source:
        decoded = decode(upload, limits)
        return Inputs(picture=decoded.picture, source=decoded, upload=kept, read_object=read_object)
    source = read_header(upload, limits) if is_last else None
    picture = decode_working(_read(system, request.input))
    return Inputs(picture=picture, source=source, upload=kept, read_object=read_object)


def _named_object(system: System, step: Step, name: str) -> Picture:
    """An object that the step's parameters name, read in the generation that the plan states."""
    if name not in step.objects:
        raise SourceGone(f"there is no object {name[:200]!r} in the uploads bucket")
    return _decode(system, step.objects[name]).picture


def _decode(system: System, ref: ObjectRef) -> Decoded:
    data = _read(system, ref)
    return decode(data, _limits(system, ref, len(data)))


def _limits(system: System, ref: ObjectRef, size_bytes: int) -> Limits:
    """The settings limit uploads. A result may be larger; its size was limited when it was planned."""
    settings = system.settings
    if ref.bucket == settings.uploads_bucket:
        return Limits(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
    return Limits(max_bytes=size_bytes, max_pixels=max(MAX_OUTPUT_PIXELS, settings.max_pixels))


def _read(system: System, ref: ObjectRef) -> bytes:
    try:
        return system.objects.read(ref)
    except ObjectNotFound as exc:
        raise SourceGone(f"{ref} was deleted or replaced") from exc
