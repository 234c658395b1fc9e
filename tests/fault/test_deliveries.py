"""Deliveries come twice, late, in any order and at the same moment; there is one result all the same."""

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from darkroom.adapters.broker import Delivery
from darkroom.domain.envelope import encode
from darkroom.domain.job import Job
from darkroom.domain.messages import DEAD_LETTER_TOPIC, stage_topic
from darkroom.domain.topology import LOCAL_SUBSCRIPTIONS, MOST_ATTEMPTS
from tests.fault.conftest import MakeWorld
from tests.photographs import small_jpeg
from tests.world import World, memory_world

#: Share of the messages that are delivered twice.
TWICE = 0.3


def drop_some(world: World, count: int = 4) -> list[str]:
    return [world.drop(f"restore/{n}.jpg", small_jpeg(40, seed=n, noise=20)) for n in range(count)]


def assert_one_result_each(world: World, job_ids: list[str]) -> None:
    jobs = [world.job(job_id) for job_id in job_ids]
    assert [job.status for job in jobs] == ["completed"] * len(jobs)
    results = [name for name in world.objects() if name.startswith("results/")]
    expected = [f"results/{job.result.name}" for job in jobs if job.result]
    expected += [f"results/{job.manifest_name}" for job in jobs]
    assert sorted(results) == sorted(expected)
    assert all(len(job.records) == len(job.plan) for job in jobs)


def test_messages_delivered_twice_give_one_result(make_world: MakeWorld) -> None:
    world, rng = make_world(), random.Random(5)
    handle = world.handle

    def often_twice(delivery: Delivery) -> None:
        handle(delivery)
        if rng.random() < TWICE:
            handle(delivery)

    world.handle = often_twice  # type: ignore[method-assign]  # the transport's behaviour, not our code's
    job_ids = drop_some(world, 2)
    world.deliver_all()
    assert_one_result_each(world, job_ids)


#: The emulators are slow: there one subscription and one order are enough to show that the adapters behave the same.
DUPLICATED = ["dispatcher-uploads", "dispatcher-stage-events", stage_topic("assess")]


@pytest.mark.parametrize(
    ("make_world", "twice"),
    [*product(["memory", "local"], DUPLICATED), ("emulators", "dispatcher-stage-events")],
    indirect=["make_world"],
)
def test_one_duplicate_does_not_double_the_stages_behind_it(make_world: MakeWorld, twice: str) -> None:
    """It costs itself, and at most one request with its answer."""
    world = make_world()
    (job_id,) = drop_some(world, 1)
    duplicated: list[Delivery] = []
    handle = world.handle

    def once_twice(delivery: Delivery) -> None:
        handle(delivery)
        if delivery.subscription == twice and not duplicated:
            duplicated.append(delivery)
            handle(delivery)

    world.handle = once_twice  # type: ignore[method-assign]  # the transport's behaviour, not our code's
    world.deliver_all()
    assert_one_result_each(world, [job_id])
    straight = 1 + 2 * len(world.job(job_id).plan)
    assert duplicated
    assert straight < len(world.delivered) <= straight + 3


def test_of_many_copies_of_an_answer_only_the_message_that_was_applied_sends_the_follow_up() -> None:
    world = memory_world()
    (job_id,) = drop_some(world, 1)
    world.deliver(limit=2)
    (answer,) = world.broker.lease(world.clock.now())
    copies = [world.broker.publish("stage-events", answer.data, answer.attributes) for _ in range(20)]
    world.deliver_all()
    assert_one_result_each(world, [job_id])
    assert len(world.delivered) == 1 + 2 * len(world.job(job_id).plan) + len(copies)


@pytest.mark.parametrize(
    ("make_world", "seed"), [*product(["memory", "local"], range(3)), ("emulators", 0)], indirect=["make_world"]
)
def test_messages_in_any_order_give_one_result(make_world: MakeWorld, seed: int) -> None:
    world, rng = make_world(), random.Random(seed)
    job_ids = drop_some(world)

    def shuffled(due: list[Delivery]) -> list[Delivery]:
        return rng.sample(due, len(due))

    world.deliver(order=shuffled)
    assert_one_result_each(world, job_ids)


def test_old_messages_that_come_again_after_the_end_change_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    seen: list[Delivery] = []
    handle = world.handle

    def remember(delivery: Delivery) -> None:
        seen.append(delivery)
        handle(delivery)

    world.handle = remember  # type: ignore[method-assign]
    job_ids = drop_some(world, 1)
    world.deliver_all()
    objects, job = world.objects(), world.job(job_ids[0])
    for delivery in reversed(seen):
        handle(delivery)
    world.deliver_all()
    assert world.objects() == objects
    assert world.job(job_ids[0]) == job


def test_concurrent_deliveries_give_one_result(make_world: MakeWorld) -> None:
    world, rng = make_world(), random.Random(6)
    job_ids = drop_some(world)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(200):
            due = world.broker.lease(world.clock.now(), limit=100)
            if not due:
                break
            list(pool.map(world._deliver_one, due + rng.sample(due, round(TWICE * len(due)))))
    world.deliver_all()
    assert_one_result_each(world, job_ids)


def test_a_poison_message_ends_in_the_dead_letters_with_its_reason_and_replay_brings_the_job_back() -> None:
    world = memory_world(subscriptions=LOCAL_SUBSCRIPTIONS)
    handle, poisoned = world.handle, True

    def poison(delivery: Delivery) -> None:
        if poisoned and delivery.subscription == stage_topic("denoise"):
            raise MemoryError("the instance has too little memory")
        handle(delivery)

    world.handle = poison  # type: ignore[method-assign]
    (job_id,) = drop_some(world, 1)
    world.deliver_all()
    job = world.job(job_id)
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.code == "delivery_exhausted"
    assert job.error.stage == "denoise"
    assert "5 deliveries" in job.error.message
    assert world.delivered.count("dispatcher-dead-letters") == 1

    poisoned = False
    from darkroom.handlers.job_commands import replay_job

    replay_job(world.system, job_id)
    world.deliver_all()
    assert_one_result_each(world, [job_id])


def test_a_transient_failure_inside_a_stage_is_told_on_the_job_and_named_in_its_end() -> None:
    class Unreachable:
        """An object store whose artifacts cannot be read."""

        def __init__(self, port: object) -> None:
            self._port = port

        def __getattr__(self, name: str) -> object:
            if name == "create":
                return self.create
            return getattr(self._port, name)

        def create(self, bucket: str, name: str, new: object) -> object:
            from darkroom.domain.errors import TransientError

            if "denoise" in name:
                raise TransientError("the storage service does not answer")
            return self._port.create(bucket, name, new)  # type: ignore[attr-defined]

    world = memory_world(wrap=lambda name, port: Unreachable(port) if name == "objects" else port)
    (job_id,) = drop_some(world, 1)
    world.deliver_all()
    job = world.job(job_id)
    attempts = [entry.text for entry in job.history if entry.action == "attempt_failed"]
    assert attempts == ["denoise: transient: the storage service does not answer"] * 5
    assert job.error is not None
    assert "the storage service does not answer" in job.error.message


def test_a_message_that_nobody_understands_is_kept_as_an_object() -> None:
    world = memory_world()
    world.broker.publish(stage_topic("denoise"), b'{"version": 99, "type": "StageRequested"}', {})
    world.deliver_all(rounds=MOST_ATTEMPTS + 2)
    kept = {name: data for name, data in world.objects().items() if "dead-letters" in name}
    assert list(kept.values()) == [b'{"version": 99, "type": "StageRequested"}']
    info = next(world.system.objects.list("artifacts", "dead-letters/"))
    assert "version 99 is unknown, this code understands 1" in info.metadata["reason"]
    assert world.broker.pending() == dict.fromkeys(world.broker.pending(), 0)


def test_a_dead_letter_of_a_finished_job_does_not_fail_it() -> None:
    world = memory_world()
    (job_id,) = drop_some(world, 1)
    world.deliver_all()
    job: Job = world.job(job_id)
    from darkroom.domain.messages import StageCompleted

    data, attributes = encode(
        StageCompleted(job_id=job.id, run=1, index=1, stage=job.plan[1].stage, record=job.records[1])
    )
    source = {
        "CloudPubSubDeadLetterSourceSubscription": "dispatcher-stage-events",
        "CloudPubSubDeadLetterSourceDeliveryCount": "20",
    }
    world.broker.publish(DEAD_LETTER_TOPIC, data, {**attributes, **source})
    world.deliver_all()
    assert world.job(job_id) == job
