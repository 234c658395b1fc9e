"""On Google Cloud the lines of one job stand together, whichever function wrote them."""

import io
import json
import re
from collections.abc import Iterator

import pytest

from darkroom.adapters.broker import Delivery
from darkroom.domain.trace import trace_of
from darkroom.domain.webhooks import CALLBACK_KEY
from darkroom.runtime.logs import configure, log
from tests.photographs import small_jpeg
from tests.world import memory_world

TRACE = "logging.googleapis.com/trace"
SPAN = "logging.googleapis.com/spanId"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    yield io.StringIO()
    configure("INFO")


def lines(stream: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_all_lines_of_a_job_carry_one_trace_and_those_of_another_job_another(stream: io.StringIO) -> None:
    configure("INFO", stream, project="my-project")
    log("INFO", "job_planned", "Planned.", job_id="a")
    log("INFO", "stage_started", "Started.", job_id="a", stage="denoise")
    log("INFO", "job_planned", "Planned.", job_id="b")
    first, second, other = (line[TRACE] for line in lines(stream))
    assert first == second != other
    assert re.fullmatch(r"projects/my-project/traces/[0-9a-f]{32}", first)


def test_the_lines_of_a_step_carry_the_span_of_its_request(stream: io.StringIO) -> None:
    world = memory_world()
    configure("INFO", stream, project="my-project")
    world.drop("photo.jpg", small_jpeg(96))
    world.deliver_all()
    spans = {line.get("stage"): line[SPAN] for line in lines(stream) if SPAN in line}
    assert {"assess", "finish"} <= spans.keys()
    assert len(set(spans.values())) == len(spans)
    assert all(re.fullmatch("[0-9a-f]{16}", span) for span in spans.values())


def test_every_message_about_a_job_carries_the_trace_of_its_lines() -> None:
    world, told = memory_world(), []

    def seen(due: list[Delivery]) -> list[Delivery]:
        told.extend(delivery.attributes for delivery in due if "job_id" in delivery.attributes)
        return due

    job_id = world.drop("denoise/photo.jpg", small_jpeg(96), **{CALLBACK_KEY: "https://shop.example/done"})
    world.deliver(order=seen)
    assert {"StageRequested", "StageCompleted", "CallbackDue"} == {each["type"] for each in told}
    for attributes in told:
        assert attributes["traceparent"] == f"00-{trace_of(job_id)}-{attributes['event_id']}-01"


def test_a_line_without_a_job_has_no_trace(stream: io.StringIO) -> None:
    configure("INFO", stream, project="my-project")
    log("INFO", "swept", "Published 0 again.")
    assert TRACE not in lines(stream)[0]


def test_a_laptop_has_no_traces(stream: io.StringIO) -> None:
    configure("INFO", stream)
    log("INFO", "job_planned", "Planned.", job_id="a")
    assert TRACE not in lines(stream)[0]


def test_the_trace_of_a_job_is_the_same_in_every_process() -> None:
    assert trace_of("3f2a91c0b7d2") == "f6ece4579fd0608b9bacb9c026413131"
