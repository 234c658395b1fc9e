"""A sweep keeps to its time and its memory, goes on where the last one stopped, and asks for little."""

import tracemalloc
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from darkroom.domain.job import Job, job_id
from darkroom.domain.messages import ObjectRef, Upload
from darkroom.domain.pipeline import Pipeline
from darkroom.handlers.schedule import sweep
from darkroom.runtime.ports import NewObject
from darkroom.runtime.settings import Settings
from tests.fault.conftest import local_world
from tests.photographs import small_jpeg
from tests.world import World, memory_world

PHOTOGRAPH = NewObject(data=small_jpeg(40), content_type="image/jpeg")


class Slow:
    """A port of which one method takes time, and whose calls are counted."""

    def __init__(self, port: Any, method: str, action: Callable[[], object]) -> None:
        self._port, self._method, self._action = port, method, action
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        bound = getattr(self._port, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += len(args[0]) if args and isinstance(args[0], Collection) and name == "absent" else 1
            if name == self._method:
                self._action()
            return bound(*args, **kwargs)

        return call


def slow_world(port: str, method: str, seconds: float, **settings: int) -> tuple[World, Slow]:
    """A world in which a call takes so long."""
    found: list[Slow] = []

    def wrap(name: str, inner: Any) -> Any:
        if name != port:
            return inner
        found.append(Slow(inner, method, lambda: world.clock.advance(seconds)))
        return found[0]

    world = memory_world(wrap=wrap, settings=Settings.model_validate(settings))
    return world, found[0]


def expired(world: World, count: int) -> list[Job]:
    """Finished jobs whose time is over, as stored."""
    now = world.clock.now()
    refs = [ObjectRef(bucket="uploads", name=f"{n}.jpg", generation=1) for n in range(count)]
    return [world.raw_jobs.create(finished(ref, now, expires_at=now - timedelta(seconds=1))) for ref in refs]


def upload_with_job(world: World, name: str) -> None:
    """An upload whose job has ended, so that no sweep need do anything about it."""
    ref, now = world.raw_objects.put("uploads", name, PHOTOGRAPH).ref, world.clock.now()
    world.raw_jobs.create(finished(ref, now, expires_at=now + timedelta(days=30)))


def finished(ref: ObjectRef, now: datetime, *, expires_at: datetime) -> Job:
    """A job of 20 kB that has ended."""
    job = Job(
        id=job_id(ref),
        source=Upload(ref=ref, size_bytes=1),
        display_name=ref.name,
        pipeline=Pipeline(),
        created_at=now,
        updated_at=now,
        expires_at=expires_at,
    ).noted(now, "uploaded", "x" * 20_000)
    return job.failed(now, "truncated", "it ends too early")


def test_a_purge_ends_in_time_and_the_next_sweep_goes_on() -> None:
    world, _ = slow_world("jobs", "delete", seconds=1.0)
    expired(world, 50)
    purged = []
    while sum(purged) < 50:
        before = world.clock.now()
        purged.append(sweep(world.system, budget_s=10.0).purged)
        assert (world.clock.now() - before).total_seconds() <= 11.0
    assert purged == [10] * 5


def test_jobs_that_nobody_can_drive_do_not_keep_expired_ones_from_being_purged() -> None:
    world, _ = slow_world("publisher", "publish", seconds=60.0)
    for n in range(20):
        world.drop(f"denoise/{n}.jpg", small_jpeg(40))
    while world.broker.lease(world.clock.now(), limit=1):
        world.deliver(limit=20)
        for lost in world.broker.lease(world.clock.now(), limit=100):
            world.broker.ack(lost)
    world.clock.advance(7200)
    expired(world, 5)
    swept = sweep(world.system, budget_s=180.0)
    assert 0 < swept.driven < 20
    assert swept.purged == 5


@pytest.mark.parametrize("make", [lambda _: memory_world(), local_world], ids=["memory", "local"])
def test_the_memory_of_a_purge_does_not_grow_with_the_expired_jobs(
    tmp_path: Path, make: Callable[[Path], World]
) -> None:
    peaks = []
    for count in (200, 1000):
        world = make(tmp_path / str(count))
        expired(world, count)
        tracemalloc.start()
        assert sweep(world.system).purged == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000_000, "800 jobs more, which are 16 MB more"


def test_every_upload_is_looked_up_once_when_it_is_new_and_once_a_day_with_all_others() -> None:
    world, jobs = slow_world("jobs", "nothing", seconds=0.0)
    for n in range(96):
        upload_with_job(world, f"{n}.jpg")
        for _ in range(3):
            sweep(world.system)
            world.clock.advance(300)
    for _ in range(288):
        sweep(world.system)
        world.clock.advance(300)
    assert 96 <= jobs.calls["absent"] <= 2 * 96


def test_the_bucket_is_listed_once_an_hour() -> None:
    world, objects = slow_world("objects", "nothing", seconds=0.0)
    for _ in range(288):
        sweep(world.system)
        world.clock.advance(300)
    assert objects.calls["list"] == 24


def test_a_look_through_the_uploads_that_takes_too_long_goes_on_in_the_next_sweep() -> None:
    world, jobs = slow_world("jobs", "absent", seconds=100.0)
    orphan = world.drop("zebra.jpg", PHOTOGRAPH.data)
    for n in range(3500):
        upload_with_job(world, f"{n}.jpg")
    while world.broker.lease(world.clock.now(), limit=10_000):
        pass
    world.clock.advance(600)
    adopted = [sweep(world.system, budget_s=100.0).adopted for _ in range(4)]
    assert adopted == [0, 0, 0, 1]
    assert world.job(orphan).status == "pending"
    assert jobs.calls["absent"] == 3501


def test_an_upload_whose_event_was_lost_is_adopted_within_the_hour_at_any_time_of_day() -> None:
    world = memory_world()
    sweep(world.system)
    for _ in range(30):
        world.clock.advance(3000)
        orphan = world.drop("a.jpg", small_jpeg(40))
        for lost in world.broker.lease(world.clock.now(), limit=10):
            world.broker.ack(lost)
        waited = 0
        while not sweep(world.system).adopted:
            waited += 300
            world.clock.advance(300)
        assert waited <= 300 + 3600 + 300
        assert world.job(orphan).status == "pending"
