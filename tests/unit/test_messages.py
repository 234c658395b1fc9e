"""What is sent arrives as it was, and what cannot be understood is refused with a reason."""

import json

import pytest

from darkroom.domain.envelope import Message, decode, encode
from darkroom.domain.errors import BadMessage
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
from darkroom.domain.trace import traceparent

SOURCE = ObjectRef(bucket="uploads", name="restore/öl gemälde.jpg", generation=7)
STEP = Step(
    stage="denoise",
    method="nlm",
    parameters={"strength": 0.5, "sigma": None},
    output_bucket="artifacts",
    output_name="j/01-denoise-abc.webp",
    digest="abc",
    reason="asked for",
)
RECORD = StepRecord(
    stage="denoise",
    method="nlm",
    parameters={"strength": 0.5},
    output=ObjectRef(bucket="artifacts", name="j/01-denoise-abc.webp", generation=9),
    elapsed_ms=12.5,
    peak_memory_mb=101.0,
    run=1,
)
MESSAGES: tuple[Message, ...] = (
    StageRequested(job_id="j", run=1, index=1, step=STEP, input=SOURCE, source=SOURCE),
    StageCompleted(job_id="j", run=1, index=1, stage="denoise", record=RECORD),
    StageFailed(job_id="j", run=1, index=1, stage="denoise", code="bad_image", message="3 bytes"),
    StageAttemptFailed(job_id="j", run=1, index=1, stage="denoise", code="transient", message="no answer"),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was_sent(message: Message) -> None:
    data, attributes = encode(message)
    assert decode(data) == message
    assert attributes == {
        "type": type(message).__name__,
        "job_id": "j",
        "stage": "denoise",
        "event_id": event_id(message),
        "steps_done": "1" if isinstance(message, StageRequested) else "2",
        "traceparent": traceparent("j", event_id(message)),
    }


def test_copies_of_a_message_share_their_event_id_and_different_messages_do_not() -> None:
    assert len({event_id(message) for message in MESSAGES}) == len(MESSAGES)
    assert event_id(MESSAGES[0]) == event_id(MESSAGES[0].model_copy())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xfe", "not JSON"),
        (b"", "not JSON"),
        (b"[1]", "JSON list, expected an object"),
        (b'{"version": 2}', "version 2 is unknown, this code understands 1"),
        (b"{}", "version None is unknown"),
        (b'{"version": 1, "type": "Nonsense"}', "type 'Nonsense' is unknown"),
        (b'{"version": 1, "type": "StageFailed", "body": {"job_id": ""}}', "job_id: String should have at least 1"),
        (b'{"version": 1, "type": "StageFailed", "body": null}', "StageFailed is not valid"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(BadMessage, match=reason):
        decode(data)


def test_an_unknown_field_is_refused_rather_than_dropped() -> None:
    data, _ = encode(MESSAGES[2])
    envelope = json.loads(data)
    envelope["body"]["colour"] = "blue"
    with pytest.raises(BadMessage, match=r"colour: Extra inputs are not permitted"):
        decode(json.dumps(envelope).encode())
