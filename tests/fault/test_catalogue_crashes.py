"""Imports and batches, too, survive the death of a process just before or just after any call to the outside."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from darkroom.domain.errors import PermanentError
from darkroom.domain.pipeline import build_pipeline
from darkroom.domain.products.batches import Batch, RowTotals, Selection
from darkroom.domain.products.messages import Member
from darkroom.domain.products.rows import Numbered, Row
from darkroom.handlers.batches import cancel_batch, progress_of, refusals, start_batch
from darkroom.handlers.imports import start_import
from darkroom.runtime.ports import JobQuery
from tests.contract.jobs import START, make_job
from tests.world import Crash, Faults, World, memory_world

Scenario = Callable[[World], str]
NOTHING = build_pipeline({"stages": []})
ID = "b" * 24


def fetch(url: str) -> bytes:
    """What is no picture costs no time; one URL leads nowhere."""
    if url.endswith("gone"):
        raise PermanentError("shop.example answered 404", code="url_failed")
    return b"no picture"


def imports_three_rows(world: World) -> str:
    """Two that can be fetched, and one that cannot."""
    pictures = [Row(sku_id=name, image_url=f"https://shop.example/{name}") for name in ("a", "gone", "c")]
    rows = [Numbered(row=number, picture=picture) for number, picture in enumerate(pictures, start=1)]
    totals = RowTotals(accepted=3, duplicates=0, rejected=0)
    batch = Batch(id=ID, kind="import", owner="anna", created_at=START, rows=totals, pipeline=NOTHING)
    survive(world, lambda: start_import(world.system, batch, rows))
    return ID


def imports_and_cancels(world: World) -> str:
    imports_three_rows(world)
    batch = Batch(id=ID, kind="import", owner="anna", created_at=START)
    survive(world, lambda: cancel_batch(world.system, batch, who="anna"))
    return ID


def reworks_what_is_named(world: World) -> str:
    """One job that has ended, one that is nobody's, and an upload without a job."""
    world.raw_jobs.create(make_job("0" * 24, status="failed"))
    world.drop("late.jpg", b"no picture")
    (lost,) = world.broker.lease(world.clock.now())
    world.broker.ack(lost)
    members = [Member(kind="job", name="0" * 24), Member(kind="job", name="1" * 24)]
    return _batch(world, Selection(members=(*members, Member(kind="object", name="late.jpg")), owner=None), 10)


def reworks_within_a_budget(world: World) -> str:
    """Two of three jobs, of which those that have not changed for longest come first."""
    for number in range(3):
        world.raw_jobs.create(make_job(f"{number:024x}", minutes=number, status="failed", labels={"sku_id": "A"}))
    return _batch(world, Selection(label=("sku_id", "A"), owner=None), 2)


def _batch(world: World, selection: Selection, budget: int) -> str:
    world.clock.advance(3600)
    now = world.clock.now()
    batch = Batch(id=ID, kind="rework", owner="", created_at=now, pipeline=NOTHING, budget=budget, selection=selection)
    survive(world, lambda: start_batch(world.system, batch))
    return ID


def survive(world: World, action: Callable[[], object]) -> None:
    """Somebody whose request ended in an error sends it again."""
    try:
        action()
    except Crash:
        action()


def deliver_with_restarts(world: World) -> None:
    """Deliver everything; a death leaves the message leased, and it comes again when the lease has run out."""
    for _ in range(50):
        try:
            world.deliver_all()
            return
        except Crash:
            continue
    raise AssertionError("the world never comes to rest")


def outcome(world: World) -> dict[str, Any]:
    """What somebody who looks at the batch in the end finds."""
    jobs = world.raw_jobs.query(JobQuery(limit=1000)).jobs
    batch = Batch(id=ID, kind="rework", owner="", created_at=START)
    progress = progress_of(world.system, batch)
    return {
        # By name: the generation of an upload, and so its job's id, follows from the order of all writes.
        "jobs": sorted((job.source.ref.name, job.status, job.run, job.batches, len(job.records)) for job in jobs),
        "counts": progress.jobs,
        "refusals": [(each.what, each.code) for each in refusals(world.system, ID, 100)],
        "objects": sorted(world.objects()),
        "waiting": sum(world.broker.pending().values()),
        "lost": len(world.broker.dead_letters()),
    }


def run(scenario: Scenario, faults: Faults) -> World:
    world = memory_world(wrap=faults.wrap)
    world.fetch = fetch
    scenario(world)
    deliver_with_restarts(world)
    return world


@cache
def undisturbed(scenario: Scenario) -> tuple[tuple[str, ...], dict[str, Any]]:
    faults = Faults()
    world = run(scenario, faults)
    calls = tuple(faults.calls)
    return calls, outcome(world)


def moments(*scenarios: Scenario) -> list[Any]:
    return [
        pytest.param(scenario, when, id=f"{scenario.__name__} {when} each call")
        for scenario in scenarios
        for when in ("before", "after")
    ]


def every_crash_heals(scenario: Scenario, when: str) -> None:
    calls, expected = undisturbed(scenario)
    for index, call in enumerate(calls):
        faults = Faults(at=index, when=when)
        world = run(scenario, faults)
        assert faults.reached
        assert outcome(world) == expected, f"{when} call {index}, {call}"


@pytest.mark.parametrize(("scenario", "when"), moments(imports_three_rows, imports_and_cancels))
def test_a_crash_at_any_call_of_an_import_changes_nothing_in_the_end(scenario: Scenario, when: str) -> None:
    every_crash_heals(scenario, when)


@pytest.mark.parametrize(("scenario", "when"), moments(reworks_what_is_named, reworks_within_a_budget))
def test_a_crash_at_any_call_of_a_batch_changes_nothing_in_the_end(scenario: Scenario, when: str) -> None:
    every_crash_heals(scenario, when)


def test_the_undisturbed_runs_end_as_they_should() -> None:
    _, imported = undisturbed(imports_three_rows)
    assert (imported["counts"]["failed"], imported["refusals"]) == (2, [("2", "url_failed")])
    _, cancelled = undisturbed(imports_and_cancels)
    assert (sum(cancelled["counts"].values()), len(cancelled["refusals"])) == (0, 3)
    _, named = undisturbed(reworks_what_is_named)
    assert (named["counts"]["failed"], named["refusals"]) == (2, [("1" * 24, "job_not_found")])
    _, within = undisturbed(reworks_within_a_budget)
    assert [run for _, _, run, _, _ in within["jobs"]] == [2, 2, 1]
    assert all(found["waiting"] == found["lost"] == 0 for found in (imported, cancelled, named, within))
