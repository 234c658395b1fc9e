"""What a person waits for reads as much as changed, not as much as there is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from darkroom.cli.support.service import Service, find_job
from darkroom.cli.support.wait import READ_ALL_S, wait_for
from darkroom.domain.products.batches import Batch, Refusal, RowTotals, Selection
from darkroom.domain.products.messages import Member
from darkroom.domain.topology import STAGES, SUBSCRIPTIONS
from darkroom.handlers.batches import progress_of, record_refusal, refusals, start_batch
from tests.contract.jobs import START, make_job
from tests.growth import Counted
from tests.photographs import small_jpeg
from tests.world import World, memory_world

FEW, MANY = 30, 300
ID = "b" * 24


def _import(size: int) -> tuple[World, Batch]:
    """An import all of whose rows were refused, each told twice."""
    world = memory_world()
    totals = RowTotals(accepted=size, duplicates=0, rejected=0)
    batch = Batch(id=ID, kind="import", owner="anna", created_at=START, rows=totals)
    for number in (*range(size), *range(size)):
        record_refusal(world.system, ID, Refusal(what=str(number), code="url_failed", message="404"))
    return world, batch


def test_a_view_of_a_batch_reads_none_of_what_was_refused() -> None:
    read = []
    for size in (FEW, MANY):
        world, batch = _import(size)
        objects = Counted(world.raw_objects)
        progress = progress_of(replace(world.system, objects=objects), batch)
        assert (progress.refused, progress.state) == (size, "completed")
        read.append((objects.calls, objects.returned))
    assert read[0] == read[1]


def test_the_first_refusals_are_read_and_no_more() -> None:
    world, _ = _import(MANY)
    objects = Counted(world.raw_objects)
    assert len(refusals(replace(world.system, objects=objects), ID, FEW)) == FEW
    assert objects.returned == FEW


@pytest.mark.parametrize("budget", [1000, 250])
def test_a_view_of_a_batch_reads_none_of_its_pages_once_all_is_chosen(budget: int) -> None:
    read = []
    for size in (FEW, 900):
        world = memory_world()
        members = tuple(Member(kind="job", name=f"{number:024x}") for number in range(size))
        selection = Selection(members=members, owner=None)
        batch = Batch(id=ID, kind="rework", owner="anna", created_at=START, selection=selection, budget=budget)
        start_batch(world.system, batch)
        world.deliver_all()
        objects = Counted(world.raw_objects)
        assert progress_of(replace(world.system, objects=objects), batch).total == min(size, budget)
        read.append((objects.calls, objects.returned))
    assert read[0] == read[1]


def _steps_of(world: World, job_ids: list[str], jobs: Counted) -> tuple[Callable[[float], None], list[int]]:
    """What happens at each pause: one job ends, until all have; and how much had been read by then."""
    read: list[int] = []
    waiting = list(job_ids)

    def pause(_: float) -> None:
        read.append(jobs.returned)
        world.clock.advance(5)
        for job_id in waiting[:1] if len(read) < 10 else waiting[:]:
            job = world.raw_jobs.get(job_id)
            world.raw_jobs.save(job.failed(world.clock.now(), "bad_image", "no picture"))
            waiting.remove(job_id)

    return pause, read


def test_a_look_at_jobs_that_are_waited_for_reads_those_that_changed(capsys: pytest.CaptureFixture[str]) -> None:
    taken = []
    for size in (FEW, MANY):
        world = memory_world()
        old = world.clock.now() - timedelta(days=1)
        ids = [f"{number:024x}" for number in range(size)]
        for job_id in ids:
            world.raw_jobs.create(make_job(job_id, created_at=old, updated_at=old))
        jobs = Counted(world.raw_jobs)
        pause, read = _steps_of(world, ids, jobs)
        service = Service(system=replace(world.system, jobs=jobs), pause=pause)
        ended = wait_for(service, ids, timeout_s=None)
        assert {job.status for job in ended.values()} == {"failed"}
        taken.append([after - before for before, after in pairwise(read[:9])])
    assert taken[0] == taken[1]
    assert max(taken[0]) <= 12
    assert capsys.readouterr().err.count("bad_image") == FEW + MANY


def test_a_change_that_a_wrong_clock_hid_is_found_later() -> None:
    world = memory_world()
    job = world.raw_jobs.create(make_job("a" * 24))
    long_ago = world.clock.now() - timedelta(days=1)
    pauses = 0

    def pause(_: float) -> None:
        nonlocal pauses
        pauses += 1
        assert pauses < 10
        if pauses == 1:
            world.raw_jobs.save(job.failed(long_ago, "bad_image", "no picture"))
        world.clock.advance(READ_ALL_S / 4)

    assert wait_for(Service(system=world.system, pause=pause), [job.id], timeout_s=None)[job.id].status == "failed"


def test_a_job_is_found_by_its_short_id_with_one_read() -> None:
    world = memory_world()
    for number in range(MANY):
        world.raw_jobs.create(make_job(f"{number:012x}{0:012x}"))
    jobs = Counted(world.raw_jobs)
    assert find_job(replace(world.system, jobs=jobs), f"{7:012x}").id == f"{7:012x}{0:012x}"
    assert jobs.calls == 1


def _deliveries_until_first_result(uploads: int) -> tuple[int, int]:
    """Deliveries and stored artifacts until the first upload has its result, with one worker for each kind of function.

    As in the local cloud, the dispatcher and the stages lease from their own subscriptions.
    """
    world = memory_world()
    photograph = small_jpeg(40)
    first, *_ = [world.drop(f"{number}.jpg", photograph, pipeline="denoise") for number in range(uploads)]
    stages = {each.name for each in SUBSCRIPTIONS if each.function in STAGES}
    kinds = ({each.name for each in SUBSCRIPTIONS} - stages, stages)
    while world.raw_jobs.absent([first]) or world.job(first).result is None:
        for kind in kinds:
            world.deliver(limit=1, subscriptions=kind)
    artifacts = world.raw_objects.list(world.system.settings.artifacts_bucket)
    return len(world.delivered), len(list(artifacts))


def test_the_first_result_needs_as_many_deliveries_however_many_uploads_wait() -> None:
    assert _deliveries_until_first_result(FEW) == _deliveries_until_first_result(MANY) == (8, 3)
