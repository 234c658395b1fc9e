"""Messages that wait are no fault: the sweep sends nothing again, and gives nothing up.

Time is virtual. Every stage takes what has queued up only once in so many hours; a sweep runs every quarter of an hour.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from darkroom.domain.errors import TransientError
from darkroom.domain.topology import RETENTION_S, STAGES, stage_subscription
from darkroom.handlers.schedule import sweep
from darkroom.runtime.settings import Settings
from tests.fault.conftest import local_world
from tests.photographs import small_jpeg
from tests.world import World, memory_world

STAGE_QUEUES = [stage_subscription(stage).name for stage in STAGES]
DISPATCHER = ["dispatcher-uploads", "dispatcher-stage-events", "dispatcher-dead-letters"]
SWEEP_S = 900
PICTURES = 3


def dispatch(world: World) -> None:
    """Let the dispatcher handle everything that has come to it."""
    while due := world.broker.lease(world.clock.now(), limit=100, subscriptions=DISPATCHER):
        for delivery in due:
            world._deliver_one(delivery)


def work_off(world: World) -> None:
    """Let the stages handle what has queued up until now."""
    for delivery in world.broker.lease(world.clock.now(), limit=1000, subscriptions=STAGE_QUEUES):
        world._deliver_one(delivery)
    dispatch(world)


def deliveries(world: World, hours: float) -> int:
    """How many deliveries finish the pictures if each message waits for `hours` before its stage."""
    job_ids = [world.drop(f"restore/{n}.jpg", small_jpeg(40, seed=n, noise=20)) for n in range(PICTURES)]
    dispatch(world)
    while any(world.job(job_id).status in ("pending", "processing") for job_id in job_ids):
        for _ in range(round(hours * 3600 / SWEEP_S)):
            world.clock.advance(SWEEP_S)
            sweep(world.system)
        dispatch(world)
        work_off(world)
    for _ in range(20):
        world.clock.advance(SWEEP_S)
        sweep(world.system)
        work_off(world)
    assert [world.job(job_id).status for job_id in job_ids] == ["completed"] * PICTURES
    return len(world.delivered)


@pytest.mark.parametrize("hours", [1, 4, 13, 100, RETENTION_S / 3600 - 1])
def test_pictures_that_wait_are_delivered_as_often_as_those_that_do_not(hours: float) -> None:
    kept = Settings(retention_s=365 * 24 * 3600)
    assert deliveries(memory_world(settings=kept), hours) <= 1.3 * deliveries(memory_world(), 0)


def test_on_one_machine_a_backlog_is_no_fault_either(tmp_path: Any) -> None:
    assert deliveries(local_world(tmp_path / "a"), 13) <= 1.3 * deliveries(local_world(tmp_path / "b"), 0)


class Unknown:
    """A backlog of which nobody knows anything."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def waiting_since(self) -> Mapping[str, datetime] | None:
        if self._error:
            raise self._error
        return None


@pytest.mark.parametrize("error", [None, TransientError("Cloud Monitoring does not answer")])
@pytest.mark.parametrize("hours", [1, 4, 13, 100])
def test_where_nobody_knows_what_waits_copies_are_few_and_do_not_multiply(
    hours: float, error: Exception | None
) -> None:
    """A message that waits for n hours is sent again after 0.5, 1.5, 3.5, … hours; each costs itself and its answer."""
    world = memory_world(wrap=lambda name, port: Unknown(error) if name == "backlog" else port)
    copies = sum(0.5 * (2**n - 1) < hours for n in range(1, 12))
    straight = deliveries(memory_world(), 0)
    assert straight < deliveries(world, hours) <= straight * (1 + copies)


def test_a_lost_message_is_sent_again_behind_a_backlog_that_is_younger() -> None:
    world = memory_world()
    lost = world.drop("restore/a.jpg", small_jpeg(40, noise=20))
    dispatch(world)
    (message,) = world.broker.lease(world.clock.now(), subscriptions=STAGE_QUEUES)
    world.broker.ack(message)
    world.clock.advance(3600)
    waiting = world.drop("restore/b.jpg", small_jpeg(40, seed=1, noise=20))
    dispatch(world)
    world.clock.advance(3600)
    assert sweep(world.system).driven == 1
    assert [world.job(each).times("driven") for each in (lost, waiting)] == [1, 0]
