"""A push that finds no instance is answered 429 or 503: it counts as a delivery, and says nothing about the job."""

from darkroom.adapters.broker import Delivery
from darkroom.domain.errors import TransientError
from darkroom.domain.messages import stage_topic
from darkroom.domain.topology import MAX_FAILURES, MOST_ATTEMPTS, RETENTION_S
from tests.fault.conftest import MakeWorld
from tests.photographs import small_jpeg
from tests.world import Crash, World, memory_world

DENOISE = stage_topic("denoise")
EVENTS = "dispatcher-stage-events"


class Refused(Exception):
    """No instance was free."""


def refuse(world: World, subscription: str, times: int) -> list[int]:
    """Let the next deliveries to a subscription find no instance; the list counts down."""
    left = [times]
    handle = world.handle

    def sometimes(delivery: Delivery) -> None:
        if delivery.subscription == subscription and left[0] > 0:
            left[0] -= 1
            raise Refused
        handle(delivery)

    world.handle = sometimes  # type: ignore[method-assign]  # the transport's behaviour, not our code's
    return left


def test_requests_refused_more_often_than_the_transport_tries_lose_no_job(make_world: MakeWorld) -> None:
    world = make_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    left = refuse(world, DENOISE, MOST_ATTEMPTS + 10)
    world.deliver_all(rounds=3 * MOST_ATTEMPTS)
    job = world.job(job_id)
    assert left == [0]
    assert job.status == "completed"
    assert "failed" not in [entry.action for entry in job.history]


def test_answers_refused_more_often_than_the_transport_tries_lose_no_job(make_world: MakeWorld) -> None:
    world = make_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    left = refuse(world, EVENTS, MOST_ATTEMPTS + 10)
    world.deliver_all(rounds=3 * MOST_ATTEMPTS)
    assert left == [0]
    assert world.job(job_id).status == "completed"


def test_requests_refused_for_days_lose_no_job() -> None:
    world = memory_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    began = world.clock.now()
    left = refuse(world, DENOISE, 10 * MOST_ATTEMPTS)
    world.deliver_all(rounds=20 * MOST_ATTEMPTS)
    assert left == [0]
    assert (world.clock.now() - began).days >= 3
    assert world.job(job_id).status == "completed"


def test_a_request_that_nobody_answers_until_its_retention_ends_fails_its_job() -> None:
    world = memory_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    began = world.clock.now()
    refuse(world, DENOISE, 10**9)
    world.deliver_all(rounds=100 * MOST_ATTEMPTS)
    job = world.job(job_id)
    assert (world.clock.now() - began).total_seconds() > RETENTION_S
    assert job.error is not None
    assert (job.error.code, job.error.stage) == ("delivery_exhausted", "denoise")


class Deadly:
    """Objects at whose writing the process dies: as if the stage took all memory."""

    def __init__(self, port: object) -> None:
        self._port = port
        self.deaths = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._port, name)

    def create(self, bucket: str, name: str, new: object) -> object:
        if "-denoise-" in name:
            self.deaths += 1
            raise Crash("out of memory")
        return self._port.create(bucket, name, new)  # type: ignore[attr-defined]


def test_a_request_that_kills_its_stage_every_time_is_found_out_after_it_was_sent_again() -> None:
    deadly: list[Deadly] = []

    def wrap(name: str, port: object) -> object:
        if name == "objects":
            deadly.append(Deadly(port))
            return deadly[0]
        return port

    world = memory_world(wrap=wrap)
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    for _ in range(3 * MOST_ATTEMPTS):
        try:
            world.deliver_all(rounds=1000)
        except Crash:
            world.broker.release_leases(world.clock.now())
        else:
            break
    job = world.job(job_id)
    assert job.error is not None
    assert (job.error.code, job.error.stage) == ("delivery_exhausted", "denoise")
    assert job.error.message == f"denoise began {MAX_FAILURES} times and never finished"
    assert deadly[0].deaths == MOST_ATTEMPTS + MAX_FAILURES


class Unreachable:
    """Objects of one stage that cannot be written."""

    def __init__(self, port: object) -> None:
        self._port = port

    def __getattr__(self, name: str) -> object:
        return getattr(self._port, name)

    def create(self, bucket: str, name: str, new: object) -> object:
        if "-denoise-" in name:
            raise TransientError("the storage service does not answer")
        return self._port.create(bucket, name, new)  # type: ignore[attr-defined]


def test_a_job_is_given_up_after_as_many_answers_that_its_stage_failed_and_the_stage_tries_no_more() -> None:
    world = memory_world(wrap=lambda name, port: Unreachable(port) if name == "objects" else port)
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    refuse(world, DENOISE, 30)
    world.deliver_all(rounds=200)
    job = world.job(job_id)
    assert job.error is not None
    assert job.error.code == "delivery_exhausted"
    assert "after 5 failed attempts" in job.error.message
    assert "the storage service does not answer" in job.error.message
    assert world.delivered.count(DENOISE) == MAX_FAILURES + 1
    assert "dispatcher-dead-letters" not in world.delivered
