"""Tests that every kind of message keeps its wire form, so that messages in flight survive an upgrade."""

import json
from typing import Any, get_args

import pytest

from darkroom.domain.envelope import Message, decode, encode, topic_of
from darkroom.domain.errors import BadMessage

REF = {"bucket": "uploads", "name": "a.jpg", "generation": 7}
STEP = {
    "stage": "denoise",
    "method": "nlm",
    "parameters": {"strength": 0.5, "sigma": None},
    "model": None,
    "objects": {},
    "output_bucket": "artifacts",
    "output_name": "j/01-denoise-abc.webp",
    "digest": "abc",
    "reason": "asked for",
}
RECORD = {
    "stage": "denoise",
    "method": "nlm",
    "model": None,
    "parameters": {"strength": 0.5},
    "output": REF,
    "elapsed_ms": 12.5,
    "peak_memory_mb": 101.0,
    "degraded": False,
    "doubtful": False,
    "notes": [],
    "values": {},
    "report": None,
    "run": 1,
}
TRACE = "00-189f40034be7a199f1fa9891668ee3ab"
ANSWER = {"job_id": "j", "run": 1, "index": 1, "replay": 0, "stage": "denoise"}
ROW = {"product_group_id": "", "sku_id": "L", "image_url": "https://shop.example/a.jpg", "image_type": ""}

#: Bodies, topics and attributes as release 0.1.0 wrote them.
WIRE: list[tuple[str, str, dict[str, Any], dict[str, str]]] = [
    (
        "StageRequested",
        "stage-denoise",
        {"job_id": "j", "run": 1, "index": 1, "replay": 0, "resent": 0, "step": STEP, "input": REF, "source": REF},
        {
            "job_id": "j",
            "stage": "denoise",
            "event_id": "26968edc9c6d861b",
            "steps_done": "1",
            "traceparent": f"{TRACE}-26968edc9c6d861b-01",
        },
    ),
    (
        "StageCompleted",
        "stage-events",
        {**ANSWER, "record": RECORD},
        {
            "job_id": "j",
            "stage": "denoise",
            "event_id": "860aa1603b096db9",
            "steps_done": "2",
            "traceparent": f"{TRACE}-860aa1603b096db9-01",
        },
    ),
    (
        "StageFailed",
        "stage-events",
        {**ANSWER, "code": "bad_image", "message": "3 bytes"},
        {
            "job_id": "j",
            "stage": "denoise",
            "event_id": "e9238e0b1f0a412a",
            "steps_done": "2",
            "traceparent": f"{TRACE}-e9238e0b1f0a412a-01",
        },
    ),
    (
        "StageAttemptFailed",
        "stage-events",
        {**ANSWER, "code": "transient", "message": "no answer"},
        {
            "job_id": "j",
            "stage": "denoise",
            "event_id": "ef13129582398bdf",
            "steps_done": "2",
            "traceparent": f"{TRACE}-ef13129582398bdf-01",
        },
    ),
    ("RowsListed", "imports", {"batch_id": "b", "shard": 0}, {"batch_id": "b"}),
    ("RowRequested", "imports", {"batch_id": "b", "row": 7, "picture": ROW}, {"batch_id": "b"}),
    ("PageRequested", "batches", {"batch_id": "b", "page": 2, "cursor": "c", "room": 5}, {"batch_id": "b"}),
    (
        "JobsChosen",
        "batches",
        {"batch_id": "b", "members": [{"kind": "object", "name": "a/b.jpg"}]},
        {"batch_id": "b"},
    ),
    ("BatchCancelled", "batches", {"batch_id": "b"}, {"batch_id": "b"}),
    (
        "CallbackDue",
        "callbacks",
        {"job_id": "j", "run": 1, "status": "completed"},
        {"job_id": "j", "event_id": "e1e59ef1299a8baf", "traceparent": f"{TRACE}-e1e59ef1299a8baf-01"},
    ),
]


def wire(kind: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"version": 1, "type": kind, "body": body}, separators=(",", ":")).encode()


@pytest.mark.parametrize(("kind", "topic", "body", "attributes"), WIRE, ids=[kind for kind, *_ in WIRE])
def test_a_message_of_the_first_release_is_read_and_written_byte_for_byte(
    kind: str, topic: str, body: dict[str, Any], attributes: dict[str, str]
) -> None:
    message = decode(wire(kind, body))
    assert type(message).__name__ == kind
    assert topic_of(message) == topic
    assert encode(message) == (wire(kind, body), {"type": kind, **attributes})


def test_every_kind_of_message_is_in_the_union() -> None:
    assert {kind.__name__ for kind in get_args(Message)} == {kind for kind, *_ in WIRE}


def test_an_unknown_type_is_refused_with_the_types_that_exist() -> None:
    with pytest.raises(BadMessage, match=r"type 'Nonsense' is unknown, expected one of StageRequested, .*CallbackDue$"):
        decode(wire("Nonsense", {}))


def test_a_message_without_a_type_is_refused() -> None:
    with pytest.raises(BadMessage, match=r"type None is unknown"):
        decode(b'{"version": 1, "body": {}}')


def test_a_field_beside_the_body_of_a_later_release_is_ignored() -> None:
    data = b'{"version": 1, "type": "BatchCancelled", "body": {"batch_id": "b"}, "origin": "later"}'
    assert type(decode(data)).__name__ == "BatchCancelled"
