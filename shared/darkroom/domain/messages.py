"""What do the dispatcher and the stages say to each other?

Messages carry names and generations of objects, never pixels. `encode` and `decode` are the only way onto and off the
wire; the form is the same in memory, on a laptop and in Pub/Sub:

    data        {"version": 1, "type": "StageRequested", "body": {…}}
    attributes  type, job_id, stage, event_id, traceparent
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from darkroom.domain.errors import BadMessage
from darkroom.domain.parameters import Stage
from darkroom.domain.trace import traceparent

#: Version of the wire form that this code writes and understands.
VERSION = 1


class Record(BaseModel):
    """Base of every record that is stored or sent: immutable, and no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


#: A kind of message.
Sealed = TypeVar("Sealed", bound=Record)


class ObjectRef(Record):
    """One generation of one object."""

    bucket: str = Field(min_length=1)
    name: str = Field(min_length=1)
    #: Number that grows with every overwrite of the name.
    generation: int

    def __str__(self) -> str:
        return f"{self.bucket}/{self.name}#{self.generation}"


class ModelRef(Record):
    """A model exactly as it was used."""

    id: str
    version: str
    #: Hex digest of the model's file.
    sha256: str
    licence: str
    #: Hex digest of the model's int8 variant, if that ran in its place. A plan never says so: the machine decides.
    int8_sha256: str | None = None


class Step(Record):
    """One stage of a plan, with everything decided."""

    stage: Stage
    #: `model`, or the name of a classical method; never `auto`.
    method: str
    #: Every parameter of the stage, defaults included.
    parameters: dict[str, JsonValue]
    #: The model to use if `method` is `model`.
    model: ModelRef | None = None
    #: The objects that the parameters name, each in the generation that the owner of the job may read.
    objects: dict[str, ObjectRef] = {}
    #: Where the stage writes, always only if absent.
    output_bucket: str
    output_name: str
    #: Digest over the source and all steps up to this one.
    digest: str
    #: Why the planner put the stage here.
    reason: str


class Report(Record):
    """What `assess` found: see `darkroom.domain.measurements` for the meaning of each number."""

    measurements: dict[str, JsonValue]
    #: Quality, 0 to 100.
    score: float
    #: The parts of the score, each 0 to 100.
    parts: dict[str, float]


class StepRecord(Record):
    """What a stage did. Travels in StageCompleted, and as metadata of the object that the stage wrote."""

    stage: Stage
    #: The method that ran; differs from the plan's if the stage is degraded.
    method: str
    model: ModelRef | None = None
    parameters: dict[str, JsonValue]
    output: ObjectRef
    #: Wall-clock milliseconds from reading the input to having the output's bytes.
    elapsed_ms: float
    #: Highest resident memory of the process during the stage, in MB of 10^6 bytes.
    peak_memory_mb: float
    #: True if the model could not run and the classical method stood in.
    degraded: bool = False
    #: True if the stage is not sure of its result, so that a person must look at it.
    doubtful: bool = False
    #: Sentences about what could not be done as asked.
    notes: tuple[str, ...] = ()
    #: What the stage found out, for instance an estimated sigma.
    values: dict[str, JsonValue] = {}
    report: Report | None = None
    #: Run of the job in which the output was made; earlier than the current run means that it was reused.
    run: int


class StageRequested(Record):
    """The dispatcher asks a stage to do one step."""

    job_id: str = Field(min_length=1)
    run: int = Field(ge=1)
    #: Index of the step in the plan.
    index: int = Field(ge=0)
    #: How often the job had been replayed when this was asked; a failure of an earlier attempt counts for nothing.
    replay: int = Field(0, ge=0)
    #: How often the request was sent again after the transport gave it up without any answer of the stage.
    resent: int = Field(0, ge=0)
    step: Step
    input: ObjectRef
    #: The upload, for its metadata, whichever stage asks.
    source: ObjectRef


class StageAnswer(Record):
    """What every answer of a stage tells: which step of which job it is about."""

    job_id: str = Field(min_length=1)
    run: int
    index: int
    #: As in the request; what is done is done, whichever attempt did it.
    replay: int = 0
    stage: Stage


class StageCompleted(StageAnswer):
    """A stage wrote its output, or found it written."""

    record: StepRecord


class StageFailed(StageAnswer):
    """A stage cannot do what it was asked, however often it tries."""

    code: str
    message: str


class StageAttemptFailed(StageAnswer):
    """A stage failed in a way that may pass; the transport will deliver its message again."""

    code: str
    message: str


Message = StageRequested | StageCompleted | StageFailed | StageAttemptFailed
StageEvent = StageCompleted | StageFailed | StageAttemptFailed
_TYPES: dict[str, type[Message]] = {
    "StageRequested": StageRequested,
    "StageCompleted": StageCompleted,
    "StageFailed": StageFailed,
    "StageAttemptFailed": StageAttemptFailed,
}

#: Attribute of a message: how many steps of its job's run are done.
STEPS_DONE = "steps_done"
#: The topic on which all stages answer.
EVENTS_TOPIC = "stage-events"
#: The topic that receives what could not be delivered.
DEAD_LETTER_TOPIC = "dead-letters"


def stage_topic(stage: Stage) -> str:
    """The topic on which a stage receives its requests."""
    return f"stage-{stage.replace('_', '-')}"


def event_id(message: Message) -> str:
    """The same for every copy of a message: what happened, to which job, run and step."""
    stage = message.step.stage if isinstance(message, StageRequested) else message.stage
    name = f"{type(message).__name__}/{message.job_id}/{message.run}/{message.index}/{stage}/{message.replay}"
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def encode(message: Message) -> tuple[bytes, dict[str, str]]:
    """The data and the attributes under which a message travels."""
    kind = type(message).__name__
    stage = message.step.stage if isinstance(message, StageRequested) else message.stage
    body = {"version": VERSION, "type": kind, "body": message.model_dump(mode="json")}
    attributes = {"type": kind, "job_id": message.job_id, "stage": stage, "event_id": event_id(message)}
    # The answer to a step comes before the first request of another job.
    attributes[STEPS_DONE] = str(message.index + (0 if isinstance(message, StageRequested) else 1))
    attributes["traceparent"] = traceparent(message.job_id, attributes["event_id"])
    return json.dumps(body, separators=(",", ":")).encode(), attributes


def decode(data: bytes) -> Message:
    """The message in `data`.

    Raises BadMessage, naming what is wrong, if it is not JSON, of an unknown version or type, or incomplete.
    """
    return opened(data, _TYPES)


def opened(data: bytes, types: Mapping[str, type[Sealed]]) -> Sealed:
    """The message in `data`, which is one of `types`. Raises BadMessage as `decode` does."""
    envelope = _envelope(data)
    if envelope.get("version") != VERSION:
        raise BadMessage(
            f"message version {envelope.get('version')!r} is unknown, this code understands {VERSION}",
            code="unknown_version",
        )
    kind = types.get(str(envelope.get("type")))
    if kind is None:
        raise BadMessage(f"message type {envelope.get('type')!r} is unknown, expected one of {', '.join(types)}")
    try:
        return kind.model_validate(envelope.get("body"))
    except ValidationError as exc:
        raise BadMessage(f"{kind.__name__} is not valid: {describe(exc)}") from exc


def _envelope(data: bytes) -> Mapping[str, Any]:
    try:
        envelope = json.loads(data)
    except ValueError as exc:
        raise BadMessage(f"message is not JSON: {exc}") from exc
    if not isinstance(envelope, dict):
        raise BadMessage(f"message is a JSON {type(envelope).__name__}, expected an object")
    return envelope


def describe(error: ValidationError) -> str:
    """A validation error as one line: where, what is wrong, and the value that was given."""
    return "; ".join(_problem(item) for item in error.errors(include_url=False))


def _problem(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"]) or "value"
    if item["type"] == "value_error":  # raised by our own validators, which name the value
        return str(item["ctx"]["error"]) if where == "value" else f"{where}: {item['ctx']['error']}"
    given = "" if item["type"] == "missing" else f", not {_short(item['input'])}"
    return f"{where}: {item['msg']}{given}"


def _short(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


class Upload(Record):
    """An object that was finalized in the uploads bucket."""

    ref: ObjectRef
    size_bytes: int = Field(ge=0)
    content_type: str = "application/octet-stream"
    #: CRC-32C of the content in base64, as Cloud Storage gives it.
    crc32c: str = ""
    #: Custom metadata of the object.
    metadata: dict[str, str] = {}


class DeadLetter(Record):
    """A message that was given up after its last delivery."""

    message_id: str
    #: Where the deliveries failed.
    subscription: str
    deliveries: int
    data: bytes
    attributes: dict[str, str] = {}
