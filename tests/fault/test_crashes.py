"""A process may die just before or just after any call to the outside; delivering again must heal everything.

A successful run is recorded as its sequence of port calls. For each call the run is repeated with a crash just before
and just after it, everything is delivered again, and the objects and the job must be those of the undisturbed run.
"""

from collections.abc import Callable
from functools import cache

import pytest

from darkroom.domain.job import Job
from darkroom.domain.pipeline import preset_pipeline
from darkroom.handlers.job_commands import replay_job, rework_job
from tests.photographs import small_jpeg
from tests.world import Crash, Faults, World, memory_world

Scenario = Callable[[World], str]


def restores_a_photograph(world: World) -> str:
    return world.drop("restore/wedding.jpg", small_jpeg(40, noise=25))


def makes_a_catalogue_picture(world: World) -> str:
    pipeline = '{"preset": "product", "output": {"min_side": 80}, "stages": {"upscale": {"min_side": 80}}}'
    return world.drop("shop/shoe.jpg", small_jpeg(40), pipeline=pipeline)


def rejects_what_is_no_picture(world: World) -> str:
    return world.drop("restore/notes.jpg", b"Dear diary, this is no photograph at all.")


def reworks_a_result(world: World) -> str:
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    deliver_with_restarts(world)
    survive(lambda: rework_job(world.system, job_id, preset_pipeline("sharpen"), who="ann"), world, job_id)
    return job_id


def replays_a_failed_job(world: World) -> str:
    job_id = world.drop("auto/text.jpg", b"no picture")
    deliver_with_restarts(world)
    survive(lambda: replay_job(world.system, job_id), world, job_id)
    return job_id


def replays_a_job_that_could_not_be_planned(world: World) -> str:
    job_id = world.drop("a.jpg", small_jpeg(40), pipeline='{"stages": [{"stage": "upscale", "width": 16000}]}')
    deliver_with_restarts(world)
    survive(lambda: replay_job(world.system, job_id), world, job_id)
    return job_id


SCENARIOS: tuple[Scenario, ...] = (
    restores_a_photograph,
    makes_a_catalogue_picture,
    rejects_what_is_no_picture,
    reworks_a_result,
    replays_a_failed_job,
    replays_a_job_that_could_not_be_planned,
)


#: The scenarios that end in a failed job, and with which code.
FAILURES: dict[Scenario, str] = {
    rejects_what_is_no_picture: "unsupported_format",
    replays_a_failed_job: "unsupported_format",
    replays_a_job_that_could_not_be_planned: "output_too_large",
}


def survive(action: Callable[[], object], world: World, job_id: str) -> None:
    """A person's command whose process dies is given again, unless it took effect."""
    before = world.job(job_id).revision
    try:
        action()
    except Crash:
        if world.job(job_id).revision == before:
            action()
        else:  # saved, but its message was not sent: the sweep drives the job
            from darkroom.handlers.job_updates import publish_next_step

            publish_next_step(world.system, world.job(job_id))


def deliver_with_restarts(world: World) -> None:
    """Deliver everything; a crashed process is started anew, and its deliveries are made again."""
    for _ in range(100):
        try:
            world.deliver_all()
        except Crash:
            world.broker.release_leases(world.clock.now())
        else:
            return
    raise AssertionError("the run did not come to an end")


def run(scenario: Scenario, faults: Faults) -> tuple[dict[str, bytes], Job, int]:
    """The objects, the job, and the number of calls until everything is delivered."""
    world = memory_world(wrap=faults.wrap)
    job_id = scenario(world)
    deliver_with_restarts(world)
    calls = len(faults.calls)
    # How often it was saved, and by which message, are not the same after a crash.
    return world.objects(), world.job(job_id).model_copy(update={"revision": 0, "answered_by": ""}), calls


@cache
def undisturbed(scenario: Scenario) -> tuple[dict[str, bytes], Job, int]:
    return run(scenario, Faults())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_crash_at_any_call_changes_nothing_in_the_end(scenario: Scenario, when: str) -> None:
    objects, job, calls = undisturbed(scenario)
    assert calls >= 7
    for at in range(calls):
        faults = Faults(at=at, when=when)
        found_objects, found_job, _ = run(scenario, faults)
        where = f"crash {when} call {at}: {faults.calls[at]}"
        assert faults.reached, where
        assert found_job == job, where
        assert found_objects == objects, where


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_undisturbed_run_ends_as_it_should(scenario: Scenario) -> None:
    objects, job, _ = undisturbed(scenario)
    results = [name for name in objects if name.startswith("results/")]
    if scenario in FAILURES:
        assert (job.status, results) == ("failed", [])
        assert job.error is not None
        assert job.error.code == FAILURES[scenario]
    else:
        runs = 2 if scenario is reworks_a_result else 1
        assert job.status == "completed"
        assert len(results) == 2 * runs, "one picture and one manifest for each run"
