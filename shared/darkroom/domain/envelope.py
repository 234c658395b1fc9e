"""Encodes and decodes every message that travels between the functions.

The form is the same in memory, on one machine and in Pub/Sub:

    data        {"version": 1, "type": "StageRequested", "body": {…}}
    attributes  type; for a step also job_id, stage, event_id, steps_done and traceparent;
                for a callback job_id, event_id and traceparent; for an import or a batch batch_id
"""

import json
from functools import cache
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from darkroom.domain.errors import BadMessage
from darkroom.domain.messages import (
    EVENTS_TOPIC,
    Record,
    StageAttemptFailed,
    StageCompleted,
    StageFailed,
    StageMessage,
    StageRequested,
    describe,
    event_id,
    stage_topic,
)
from darkroom.domain.products.messages import (
    BATCHES_TOPIC,
    IMPORTS_TOPIC,
    BatchCancelled,
    JobsChosen,
    PageRequested,
    ProductMessage,
    RowRequested,
    RowsListed,
)
from darkroom.domain.trace import traceparent
from darkroom.domain.webhooks import CALLBACKS_TOPIC, CallbackDue

#: Version of the wire form that this code writes and reads.
VERSION = 1
#: Attribute of a message about a step: the number of finished steps in the run of its job.
STEPS_DONE = "steps_done"

Message = StageMessage | ProductMessage | CallbackDue

TypeName = TypeVar("TypeName", bound=str)
Body = TypeVar("Body", bound=Record)


class _Envelope(BaseModel, Generic[TypeName, Body]):
    """A message with its type, which selects the class of the body."""

    type: TypeName
    body: Body


_AnyEnvelope = Annotated[
    _Envelope[Literal["StageRequested"], StageRequested]
    | _Envelope[Literal["StageCompleted"], StageCompleted]
    | _Envelope[Literal["StageFailed"], StageFailed]
    | _Envelope[Literal["StageAttemptFailed"], StageAttemptFailed]
    | _Envelope[Literal["RowsListed"], RowsListed]
    | _Envelope[Literal["RowRequested"], RowRequested]
    | _Envelope[Literal["PageRequested"], PageRequested]
    | _Envelope[Literal["JobsChosen"], JobsChosen]
    | _Envelope[Literal["BatchCancelled"], BatchCancelled]
    | _Envelope[Literal["CallbackDue"], CallbackDue],
    Field(discriminator="type"),
]


def topic_of(message: Message) -> str:
    """The topic on which a message is published."""
    if isinstance(message, StageRequested):
        return stage_topic(message.stage)
    if isinstance(message, CallbackDue):
        return CALLBACKS_TOPIC
    if isinstance(message, ProductMessage):
        return IMPORTS_TOPIC if isinstance(message, RowsListed | RowRequested) else BATCHES_TOPIC
    return EVENTS_TOPIC


def encode(message: Message) -> tuple[bytes, dict[str, str]]:
    """Return the data and the attributes of a message."""
    envelope = {"version": VERSION, "type": type(message).__name__, "body": message.model_dump(mode="json")}
    return json.dumps(envelope, separators=(",", ":")).encode(), _attributes(message)


def _attributes(message: Message) -> dict[str, str]:
    attributes = {"type": type(message).__name__}
    if isinstance(message, ProductMessage):
        return {**attributes, "batch_id": message.batch_id}
    if isinstance(message, CallbackDue):
        copy_id = message.event_id
        attributes |= {"job_id": message.job_id, "event_id": copy_id}
    else:
        copy_id = event_id(message)
        # The answer to a step is delivered before the first request of another job.
        steps_done = message.index + (0 if isinstance(message, StageRequested) else 1)
        attributes |= {"job_id": message.job_id, "stage": message.stage, "event_id": copy_id}
        attributes[STEPS_DONE] = str(steps_done)
    return {**attributes, "traceparent": traceparent(message.job_id, copy_id)}


def decode(data: bytes) -> Message:
    """Return the message in `data`.

    Raises BadMessage, naming what is wrong, if it is not JSON, of an unknown version or type, or incomplete.
    """
    envelope = _json_object(data)
    if envelope.get("version") != VERSION:
        raise BadMessage(
            f"message version {envelope.get('version')!r} is unknown, this code understands {VERSION}",
            code="unknown_version",
        )
    try:
        message: Message = _adapter().validate_python({"type": envelope.get("type"), "body": envelope.get("body")}).body
    except ValidationError as exc:
        raise BadMessage(_problem(exc, envelope.get("type"))) from exc
    return message


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(_AnyEnvelope)


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as exc:
        raise BadMessage(f"message is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise BadMessage(f"message is a JSON {type(value).__name__}, expected an object")
    return value


def _problem(error: ValidationError, kind: object) -> str:
    first = error.errors(include_url=False)[0]
    if first["type"] == "union_tag_invalid":
        expected = str(first["ctx"]["expected_tags"]).replace("'", "")
        return f"message type {kind!r} is unknown, expected one of {expected}"
    return f"{kind} is not valid: {describe(error, skip=2)}"  # the location begins with the type and `body`


def wrong_message(receiver: str, message: Message, *, expected: str) -> BadMessage:
    """The error of a function that received a message of a kind that it does not process."""
    return BadMessage(f"{receiver} received a {type(message).__name__}, expected {expected}")
