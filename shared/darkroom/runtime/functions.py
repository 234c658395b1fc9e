"""Parses events and calls their handlers.

Each function under `functions/` is one line; this module parses what Cloud Storage, Pub/Sub and Cloud Scheduler send. A
raw Pub/Sub push and a binary CloudEvent become the same values.

A message that cannot be decoded raises an error and is not acknowledged: after its last delivery it becomes a dead
letter, which is stored. Upload events have no dead letters, so one that cannot be parsed is logged and acknowledged;
the sweep finds the upload without a job.
"""

import base64
import binascii
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

import functions_framework
from cloudevents.http import CloudEvent
from flask import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from darkroom.domain.envelope import decode, wrong_message
from darkroom.domain.errors import BadMessage, TransientError
from darkroom.domain.messages import DeadLetter, ObjectRef, StageEvent, StageRequested, Upload, describe
from darkroom.domain.parameters import Stage
from darkroom.domain.products.messages import ProductMessage
from darkroom.handlers.batches import handle_batch_message
from darkroom.handlers.dead_letters import record_dead_letter
from darkroom.handlers.events import apply_stage_event
from darkroom.handlers.schedule import BUDGET_S, sweep
from darkroom.handlers.uploads import accept_upload
from darkroom.runtime.bootstrap import system
from darkroom.runtime.logs import configure_default, log, log_unexpected

CloudFunction = Callable[[CloudEvent], None]


class _StorageObject(BaseModel):
    """The part of a Cloud Storage object resource that matters here; numbers come as strings."""

    bucket: str = Field(min_length=1)
    name: str = Field(min_length=1)
    generation: int
    size: int = Field(ge=0)
    contentType: str = "application/octet-stream"  # noqa: N815  the resource's own spelling
    crc32c: str = ""
    metadata: dict[str, str] = {}


class _PubsubMessage(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    data: str = ""
    messageId: str = ""  # noqa: N815
    attributes: dict[str, str] = {}


def parse_upload(data: Any) -> Upload:
    """The upload that a `google.cloud.storage.object.v1.finalized` event describes. Raises BadMessage."""
    try:
        resource = _StorageObject.model_validate(data)
    except ValidationError as exc:
        raise BadMessage(f"the storage event is not valid: {describe(exc)}") from exc
    ref = ObjectRef(bucket=resource.bucket, name=resource.name, generation=resource.generation)
    return Upload(
        ref=ref,
        size_bytes=resource.size,
        content_type=resource.contentType,
        crc32c=resource.crc32c,
        metadata=resource.metadata,
    )


def parse_pubsub(data: Any) -> DeadLetter:
    """The Pub/Sub message in an event's data, with its content decoded. Raises BadMessage."""
    try:
        message = _PubsubMessage.model_validate(cast(dict[str, Any], data)["message"])
        content = base64.b64decode(message.data, validate=True)
    except (TypeError, KeyError, ValidationError, binascii.Error) as exc:
        raise BadMessage(f"the event contains no Pub/Sub message: {exc}") from exc
    attributes = message.attributes
    return DeadLetter(
        message_id=message.messageId,
        subscription=attributes.get("CloudPubSubDeadLetterSourceSubscription", "an unknown subscription"),
        deliveries=int(attributes.get("CloudPubSubDeadLetterSourceDeliveryCount", 0)),
        data=content,
        attributes=attributes,
    )


def stage_function(stage: Stage) -> CloudFunction:
    """The function that serves one stage's requests."""

    @reported
    def serve(event: CloudEvent) -> None:
        from darkroom.handlers.stages import run_stage

        message = decode(parse_pubsub(event.data).data)
        if not isinstance(message, StageRequested):
            raise wrong_message(stage, message, expected="StageRequested")
        run_stage(system(), stage, message)

    serve.__name__ = stage
    return functions_framework.cloud_event(serve)


def reported(handler: CloudFunction) -> CloudFunction:
    """Log an unexpected exception, once and as one line, before the framework receives it.

    A failure that may pass is logged by the framework, in one line too: see `darkroom.runtime.logs`.
    """

    @wraps(handler)
    def handle(event: CloudEvent) -> None:
        configure_default()
        try:
            handler(event)
        except TransientError:
            raise
        except Exception as exc:
            log_unexpected(f"{handler.__name__} failed: {exc}.", event_id=event["id"])
            raise

    return handle


@reported
def on_upload(event: CloudEvent) -> None:
    """An object was finalized in the uploads bucket."""
    try:
        upload = parse_upload(event.data)
    except BadMessage as exc:
        log("ERROR", "event_malformed", f"Dropped an upload event: {exc}.", event_id=event["id"])
        return
    accept_upload(system(), upload)


@reported
def on_stage_event(event: CloudEvent) -> None:
    """A stage answered."""
    pushed = parse_pubsub(event.data)
    message = decode(pushed.data)
    if not isinstance(message, StageEvent):
        raise wrong_message("the dispatcher", message, expected="an answer of a stage")
    apply_stage_event(system(), message, message_id=pushed.message_id)


@reported
def on_dead_letter(event: CloudEvent) -> None:
    """A message was given up after its last delivery."""
    record_dead_letter(system(), parse_pubsub(event.data))


@reported
def on_batch(event: CloudEvent) -> None:
    """Jobs are to be chosen, taken into a batch, or cancelled with it."""
    message = decode(parse_pubsub(event.data).data)
    if not isinstance(message, ProductMessage):
        raise wrong_message("the dispatcher", message, expected="a message of a batch")
    handle_batch_message(system(), message)


class _Tick(BaseModel):
    """What the schedule sends."""

    #: Seconds that the sweep may take.
    budget_s: float = Field(BUDGET_S, gt=0, allow_inf_nan=False)


def on_schedule(request: Request) -> dict[str, int] | tuple[str, int]:
    """The schedule's tick; answers with what was done."""
    try:
        tick = _Tick.model_validate(request.get_json(silent=True) or {})
    except ValidationError as exc:
        return f"the tick is not valid: {describe(exc)}", 400
    swept = sweep(system(), budget_s=tick.budget_s)
    return {"driven": swept.driven, "adopted": swept.adopted, "purged": swept.purged}
