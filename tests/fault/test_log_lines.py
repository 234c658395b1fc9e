"""What the log says about a job: each change once, with the code and by whose fault, and how long it took."""

import io
import json
from typing import Any

import pytest

from darkroom.domain.envelope import encode
from darkroom.domain.errors import RevisionConflict
from darkroom.domain.job import Job
from darkroom.domain.messages import DeadLetter, StageRequested
from darkroom.handlers.dead_letters import record_dead_letter
from darkroom.runtime.logs import configure
from tests.photographs import small_jpeg
from tests.world import World, memory_world


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    configure("INFO", stream)
    return stream


def lines(log: io.StringIO, *actions: str) -> list[dict[str, Any]]:
    """The lines with these actions, in order."""
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in told if line["action"] in actions]


class Contended:
    """A job store in which somebody else saves between every first read and save of a job's state."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._refused: set[int] = set()

    def save(self, job: Job, *rest: Any) -> Job:
        if job.revision not in self._refused:
            self._refused.add(job.revision)
            raise RevisionConflict(f"job {job.id} was saved by somebody else")
        saved: Job = self._store.save(job, *rest)
        return saved

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_change_that_was_tried_twice_is_logged_once(log: io.StringIO) -> None:
    world = memory_world(wrap=lambda name, port: Contended(port) if name == "jobs" else port)
    job_id = world.drop("denoise/cat.jpg", small_jpeg(64, noise=12.0))
    world.deliver_all()
    assert world.job(job_id).status == "completed"
    assert [line["action"] for line in lines(log, "job_planned", "job_completed", "job_failed")] == [
        "job_planned",
        "job_completed",
    ]


def test_a_completed_job_says_how_long_it_took_from_its_upload(log: io.StringIO) -> None:
    world = memory_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(64, noise=12.0))
    world.deliver(limit=1)
    world.clock.advance(42.5)
    world.deliver_all()
    assert world.job(job_id).status == "completed"
    (line,) = lines(log, "job_completed")
    assert line["elapsed_s"] == 42.5


@pytest.mark.parametrize(
    ("data", "code", "action"),
    [(b"no picture at all", "unsupported_format", "job_failed"), (b"", "empty_object", "upload_rejected")],
)
def test_an_upload_that_is_no_photograph_is_a_warning_with_its_code(
    log: io.StringIO, data: bytes, code: str, action: str
) -> None:
    world = memory_world()
    job_id = world.drop("denoise/letter.jpg", data)
    world.deliver_all()
    assert world.job(job_id).status == "failed"
    (line,) = lines(log, "job_failed", "upload_rejected")
    assert (line["action"], line["severity"], line["code"], line["fault"]) == (action, "WARNING", code, "input")
    assert lines(log, "upload_accepted") == [] or action == "job_failed"


def test_a_job_whose_message_was_given_up_is_an_error_of_the_service_and_logged_once(log: io.StringIO) -> None:
    world = memory_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(64))
    world.deliver(limit=1)
    give_up_the_request(world, job_id)
    give_up_the_request(world, job_id)
    (line,) = lines(log, "job_failed", "dead_letter")
    assert (line["severity"], line["code"], line["fault"]) == ("ERROR", "delivery_exhausted", "service")
    assert line["stage"] == "assess"


def give_up_the_request(world: World, job_id: str) -> None:
    request = world.job(job_id).next_request()
    if not isinstance(request, StageRequested):
        request = StageRequested(
            job_id=job_id, run=1, index=0, step=world.job(job_id).plan[0], input=world.job(job_id).source.ref,
            source=world.job(job_id).source.ref,
        )  # fmt: skip
    data, attributes = encode(request)
    letter = DeadLetter(message_id="1", subscription="stage-assess", deliveries=5, data=data, attributes=attributes)
    record_dead_letter(world.system, letter)
