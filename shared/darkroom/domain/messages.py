"""Defines the records that the dispatcher and the stages exchange.

Messages carry names and generations of objects, never pixels. `darkroom.domain.envelope` encodes and decodes them.
"""

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from darkroom.domain.parameters import Stage


class Record(BaseModel):
    """Base of every record that is stored or sent: immutable, and no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
    #: Hex digest of the model's int8 variant, if that ran instead. A plan never has one, because the machine decides.
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
    #: True if the confidence of the stage in its result is low, so that a person must look at it.
    doubtful: bool = False
    #: Notes for the user, for instance on an option that could not be applied.
    notes: tuple[str, ...] = ()
    #: What the stage found out, for instance an estimated sigma.
    values: dict[str, JsonValue] = {}
    report: Report | None = None
    #: Run of the job in which the output was made; earlier than the current run means that it was reused.
    run: int


class StageRequested(Record):
    """The dispatcher requests one step from a stage."""

    job_id: str = Field(min_length=1)
    run: int = Field(ge=1)
    #: Index of the step in the plan.
    index: int = Field(ge=0)
    #: How often the job had been replayed when this was requested; a failure of an earlier attempt counts for nothing.
    replay: int = Field(0, ge=0)
    #: How often the request was sent again after the transport gave it up without any answer of the stage.
    resent: int = Field(0, ge=0)
    step: Step
    input: ObjectRef
    #: The upload, for its metadata; the same for every stage.
    source: ObjectRef

    @property
    def stage(self) -> Stage:
        return self.step.stage


class StageAnswer(Record):
    """Base of every answer of a stage: the step of the job that it is about."""

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
    """A stage failed permanently: another attempt would fail in the same way."""

    code: str
    message: str


class StageAttemptFailed(StageAnswer):
    """A stage failed in a way that may pass; the transport will deliver its message again."""

    code: str
    message: str


StageEvent = StageCompleted | StageFailed | StageAttemptFailed
StageMessage = StageRequested | StageEvent

#: The topic on which all stages answer.
EVENTS_TOPIC = "stage-events"
#: The topic that receives what could not be delivered.
DEAD_LETTER_TOPIC = "dead-letters"


def stage_topic(stage: Stage) -> str:
    """The topic on which a stage receives its requests."""
    return f"stage-{stage.replace('_', '-')}"


def event_id(message: StageMessage) -> str:
    """The same for every copy of a message: what happened, to which job, run and step."""
    name = f"{type(message).__name__}/{message.job_id}/{message.run}/{message.index}/{message.stage}/{message.replay}"
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def describe(error: ValidationError, *, skip: int = 0) -> str:
    """A validation error as one line: the location, what is wrong, and the given value.

    `skip` is the number of parts to leave out at the beginning of each location.
    """
    return "; ".join(_problem(item, skip) for item in error.errors(include_url=False))


def _problem(item: Any, skip: int) -> str:
    where = ".".join(str(part) for part in item["loc"][skip:]) or "value"
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
