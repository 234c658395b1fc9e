"""The scenarios of docs/delivery.md that need a stage of their own: one moment each, arranged by hand."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from darkroom.adapters.broker import Delivery
from darkroom.domain.envelope import decode
from darkroom.domain.errors import TransientError
from darkroom.domain.messages import EVENTS_TOPIC, ModelRef, StageCompleted, StageRequested, stage_topic
from darkroom.domain.parameters import Stage
from darkroom.domain.pipeline import Quality, build_pipeline, preset_pipeline
from darkroom.domain.planner import ModelRegistry
from darkroom.domain.topology import LOCAL_SUBSCRIPTIONS, RETENTION_S, SUBSCRIPTIONS, Subscription
from darkroom.handlers.job_commands import cancel_job, replay_job, rework_job
from darkroom.handlers.schedule import sweep
from darkroom.handlers.stages import RECORD_KEY, fitting_notes
from darkroom.runtime.logs import configure
from darkroom.runtime.ports import NewObject
from darkroom.runtime.settings import Settings
from tests.photographs import small_jpeg
from tests.world import World, memory_world

EVENTS = "dispatcher-stage-events"


class Before:
    """A port that does something else, once, just before a call of `method` whose arguments mention `part`."""

    def __init__(self, port: Any, method: str, part: str, action: Callable[[], object]) -> None:
        self._port, self._method, self._part, self._action = port, method, part, action
        self.done = False

    def __getattr__(self, name: str) -> Any:
        bound = getattr(self._port, name)
        return self._call(bound) if name == self._method else bound

    def _call(self, bound: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if not self.done and any(self._part in str(each) for each in args):
                self.done = True
                self._action()
            return bound(*args, **kwargs)

        return call


def world_with(
    port: str, method: str, part: str, action: Callable[[World], object]
) -> tuple[World, Callable[[], bool]]:
    """A world in which `action` happens just before one call, and whether that call was reached."""
    found: list[Any] = []

    def wrap(name: str, inner: Any) -> Any:
        if name != port:
            return inner
        found.append(Before(inner, method, part, lambda: action(world)))
        return found[0]

    world = memory_world(wrap=wrap)
    return world, lambda: bool(found[0].done)


def lose_next(world: World) -> Delivery:
    """Take a message out of the queue as if it had never been sent."""
    (delivery,) = world.broker.lease(world.clock.now())
    assert world.broker.ack(delivery)
    return delivery


def actions(world: World, job_id: str) -> list[str]:
    return [entry.action for entry in world.job(job_id).history]


def results(world: World) -> list[str]:
    return [name for name in world.objects() if name.startswith("results/")]


def recording(world: World) -> list[Delivery]:
    """The deliveries that the world makes from now on."""
    seen: list[Delivery] = []
    handle = world.handle

    def remember(delivery: Delivery) -> None:
        seen.append(delivery)
        handle(delivery)

    world.handle = remember  # type: ignore[method-assign]  # the transport's behaviour, not our code's
    return seen


def test_the_straight_way_takes_two_messages_a_stage() -> None:
    world = memory_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver_all()
    stages = ["assess", "denoise", "finish", "assess"]
    assert world.delivered == ["dispatcher-uploads", *(each for s in stages for each in (f"stage-{s}", EVENTS))]
    assert actions(world, job_id) == [
        "uploaded",
        "stage_completed",
        "planned",
        *["stage_completed"] * 3,
        "completed",
    ]
    job = world.job(job_id)
    assert job.result is not None
    assert job.result.name == f"denoise/cat.{job.short_id}.jpg"
    assert sorted(results(world)) == sorted([f"results/{job.result.name}", f"results/{job.manifest_name}"])


def test_an_upload_event_that_comes_again_early_or_late_begins_nothing_new() -> None:
    world = memory_world()
    seen = recording(world)
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver(limit=1)
    world.handle(seen[0])
    world.deliver(limit=4)
    world.handle(seen[0])
    world.deliver_all()
    assert world.job(job_id).status == "completed"
    assert actions(world, job_id).count("uploaded") == 1
    assert len(results(world)) == 2


def test_a_request_served_twice_at_the_same_moment_is_written_once_and_answered_twice() -> None:
    def serve_the_copy(world: World) -> None:
        request = next(each for each in seen if each.subscription == stage_topic("denoise"))
        world.handle(request)

    world, reached = world_with("objects", "create", "-denoise-", serve_the_copy)
    seen = recording(world)
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver_all()
    assert reached()
    messages = [decode(each.data) for each in seen if each.subscription == EVENTS]
    answers = [m for m in messages if isinstance(m, StageCompleted) and m.stage == "denoise"]
    assert len(answers) == 2
    assert answers[0] == answers[1], "the one that lost the race tells of the object that the other wrote"
    assert world.job(job_id).status == "completed"
    assert actions(world, job_id).count("stage_completed") == 4


def test_a_follow_up_that_could_not_be_published_is_published_when_the_event_comes_again() -> None:
    def unreachable(_: World) -> None:
        raise TransientError("the broker does not answer")

    world, reached = world_with("publisher", "publish", stage_topic("denoise"), unreachable)
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver()
    assert reached()
    assert len(world.job(job_id).records) == 1, "the job was saved before its next message was sent"
    world.deliver_all()
    assert world.job(job_id).status == "completed"


def test_an_event_ahead_of_its_job_is_refused_until_the_job_has_caught_up() -> None:
    data = small_jpeg(40, noise=20)
    other = memory_world()
    seen = recording(other)
    other.drop("denoise/cat.jpg", data)
    other.deliver_all()
    ahead = [each for each in seen if each.subscription == EVENTS][1]

    world = memory_world()
    job_id = world.drop("denoise/cat.jpg", data)
    world.deliver(limit=1)
    with pytest.raises(TransientError, match="is at step 0, the event is of step 1"):
        world.handle(ahead)
    world.deliver_all()
    assert world.job(job_id).status == "completed"


@pytest.mark.parametrize(
    ("subscriptions", "waits_s"),
    [
        (tuple(replace(each, max_attempts=each.max_attempts and 5) for each in SUBSCRIPTIONS), [10, 20, 40, 80]),
        (LOCAL_SUBSCRIPTIONS, [10, 40, 160, 640]),  # of which the local cloud waits a tenth
    ],
    ids=["cloud", "one machine"],
)
def test_a_failing_message_comes_again_after_growing_waits_and_then_never(
    subscriptions: tuple[Subscription, ...], waits_s: list[float]
) -> None:
    world = memory_world(subscriptions=subscriptions)
    tried: list[datetime] = []
    handle = world.handle

    def fail(delivery: Delivery) -> None:
        if delivery.subscription == stage_topic("denoise"):
            tried.append(world.clock.now())
            raise MemoryError("the instance has too little memory")
        handle(delivery)

    world.handle = fail  # type: ignore[method-assign]
    world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver_all()
    assert [(b - a).total_seconds() for a, b in pairwise(tried)] == waits_s


def test_an_answer_after_the_ack_deadline_counts_for_nothing_and_does_no_harm() -> None:
    world = memory_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver(limit=3)
    (slow,) = world.broker.lease(world.clock.now())
    assert slow.subscription == stage_topic("denoise")
    world.clock.advance(600)
    (again,) = world.broker.lease(world.clock.now(), subscriptions=[slow.subscription])
    assert (again.id, again.delivery_attempt) == (slow.id, 2)
    world.handle(again)
    world.handle(slow)
    assert world.broker.ack(slow) is False
    assert world.broker.ack(again) is True
    world.deliver_all()
    assert world.job(job_id).status == "completed"
    assert actions(world, job_id).count("stage_completed") == 4


def test_cancelling_while_a_stage_runs_lets_it_finish_and_ignores_its_answer() -> None:
    world, reached = world_with("objects", "create", "-denoise-", lambda world: cancel_job(world.system, job_id))
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver_all()
    job = world.job(job_id)
    assert reached()
    assert (job.status, len(job.records)) == ("cancelled", 1)
    assert any("-denoise-" in name for name in world.objects()), "the stage wrote what it was at"
    assert results(world) == []
    assert sum(world.broker.pending().values()) == 0


def test_a_rework_reuses_what_did_not_change_and_the_manifest_says_so() -> None:
    def pipeline(radius: float) -> dict[str, object]:
        return {"stages": ["denoise", {"stage": "deblur", "method": "unsharp", "radius": radius}]}

    world = memory_world()
    job_id = world.drop("cat.jpg", small_jpeg(40, noise=20), pipeline=json.dumps(pipeline(1.0)))
    world.deliver_all()
    first = world.job(job_id)
    objects = world.objects()

    rework_job(world.system, job_id, build_pipeline(pipeline(2.0)), who="ann", notes="too soft")
    world.deliver_all()
    second = world.job(job_id)
    assert (second.status, second.run) == ("completed", 2)
    manifest = json.loads(world.objects()[f"results/{second.manifest_name}"])
    assert {s["stage"]: s["reused"] for s in manifest["stages"][:-1]} == {
        "assess": True,
        "denoise": True,
        "deblur": False,
        "finish": False,
    }
    assert [a.output == b.output for a, b in zip(first.records, second.records, strict=True)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert objects.items() <= world.objects().items(), "nothing of the first run was overwritten"
    assert len(results(world)) == 4


def test_a_rework_says_who_rejected_the_result_and_why() -> None:
    world = memory_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver_all()
    rework_job(world.system, job_id, preset_pipeline("sharpen"), who="ann", notes="too soft")
    told = [(entry.action, entry.who, entry.text) for entry in world.job(job_id).history[-2:]]
    assert told == [("rejected", "ann", "too soft"), ("rework", "ann", "run 2 with preset sharpen")]


def test_the_sweep_drives_a_job_whose_message_was_lost() -> None:
    world = memory_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver(limit=1)
    lose_next(world)
    world.clock.advance(1800)
    assert sweep(world.system).driven == 0, "it has not stood still for longer than stall_after_s"
    world.clock.advance(1)
    assert sweep(world.system).driven == 1
    world.deliver_all()
    assert world.job(job_id).status == "completed"


def test_the_sweep_adopts_uploads_whose_event_was_lost_and_only_those() -> None:
    world = memory_world(settings=Settings(orphan_after_s=300, orphan_window_s=3600))
    too_old = world.drop("old.jpg", small_jpeg(40))
    lose_next(world)
    world.clock.advance(3301)
    orphan = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    lose_next(world)
    world.drop("restore/", b"")
    lose_next(world)
    world.clock.advance(300)
    too_young = world.drop("new.jpg", small_jpeg(40, seed=1))
    lose_next(world)
    assert sweep(world.system).adopted == 1
    world.deliver_all()
    assert world.job(orphan).status == "completed"
    assert world.system.jobs.absent([too_old, too_young, orphan]) == {too_old, too_young}


def test_the_sweep_purges_the_job_and_its_artifacts_but_neither_original_nor_results() -> None:
    world = memory_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver_all()
    before = world.objects()
    world.clock.advance(world.system.settings.retention_s)
    assert sweep(world.system).purged == 0
    world.clock.advance(1)
    swept = sweep(world.system)
    assert (swept.purged, swept.adopted) == (1, 0), "what was purged does not begin again"
    assert world.system.jobs.absent([job_id]) == {job_id}
    kept = {name: data for name, data in before.items() if not name.startswith("artifacts/")}
    assert world.objects() == kept
    assert len(kept) == 3


def test_an_answer_for_a_purged_job_is_acknowledged() -> None:
    world = memory_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver(limit=2)
    world.system.jobs.delete(job_id)
    world.deliver_all()
    assert sum(world.broker.pending().values()) == 0
    assert results(world) == []


def test_a_replay_goes_on_at_the_step_that_failed_and_repeats_none_before_it() -> None:
    world = memory_world(subscriptions=LOCAL_SUBSCRIPTIONS)
    handle, broken = world.handle, True

    def sometimes(delivery: Delivery) -> None:
        if broken and delivery.subscription == stage_topic("finish"):
            raise MemoryError("the instance has too little memory")
        handle(delivery)

    world.handle = sometimes  # type: ignore[method-assign]
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver_all()
    assert world.job(job_id).status == "failed"
    broken = False
    world.delivered.clear()
    replay_job(world.system, job_id)
    world.deliver_all()
    assert world.delivered == [stage_topic("finish"), EVENTS, stage_topic("assess"), EVENTS]
    assert world.job(job_id).status == "completed"


def test_a_message_that_came_to_the_wrong_topic_is_kept_and_harms_no_job() -> None:
    world = memory_world()
    job_id = world.drop("denoise/cat.jpg", small_jpeg(40, noise=20))
    world.deliver(limit=1)
    (request,) = world.broker.lease(world.clock.now())
    assert isinstance(decode(request.data), StageRequested)
    world.broker.publish(EVENTS_TOPIC, b"not a message", {})
    world.broker.ack(request)
    world.deliver_all(rounds=200)
    assert [info.ref.name for info in world.system.objects.list("artifacts", "dead-letters/")] != []
    assert world.job(job_id).status == "pending"


def test_a_result_larger_than_an_upload_may_be_is_scored_all_the_same() -> None:
    world = memory_world(settings=Settings(max_pixels=40 * 40))
    job_id = world.drop("upscale/cat.jpg", small_jpeg(40))
    world.deliver_all()
    job = world.job(job_id)
    assert job.error is None
    assert job.after is not None
    assert job.after.measurements["height"] == 80


def test_the_sweep_drives_a_job_whose_messages_get_lost_after_waits_that_double() -> None:
    world = memory_world(settings=Settings(stall_after_s=600))
    world.drop("denoise/a.jpg", small_jpeg(40))
    world.deliver(limit=1)
    lose_next(world)
    driven = []
    for minute in range(100):
        world.clock.advance(60)
        if sweep(world.system).driven:
            lose_next(world)
            driven.append(minute + 1)
    assert driven == [11, 11 + 21, 11 + 21 + 41]


def test_a_failure_from_before_a_replay_does_not_fail_the_job_again() -> None:
    world = memory_world()
    job_id = world.drop("auto/notes.jpg", b"no picture")
    world.deliver(limit=2)
    (failure,) = world.broker.lease(world.clock.now())
    world.handle(failure)
    assert world.job(job_id).status == "failed"
    replay_job(world.system, job_id)
    world.handle(failure)
    assert world.job(job_id).status == "processing"


def test_a_manifest_that_could_not_be_written_is_written_when_its_event_is_given_up() -> None:
    refusing = [True]

    class NoManifests:
        def __init__(self, port: Any) -> None:
            self._port = port

        def __getattr__(self, name: str) -> Any:
            return getattr(self._port, name)

        def create(self, bucket: str, name: str, new: Any) -> Any:
            if refusing[0] and bucket == "results" and name.endswith(".json"):
                raise TransientError("the bucket does not answer")
            return self._port.create(bucket, name, new)

    world = memory_world(wrap=lambda name, port: NoManifests(port) if name == "objects" else port)
    job_id = world.drop("denoise/a.jpg", small_jpeg(40))
    while "dispatcher-dead-letters" not in world.delivered:
        world.deliver(limit=50)
        world.clock.advance(300)
    job = world.job(job_id)
    assert job.status == "completed"
    assert f"results/{job.manifest_name}" not in world.objects()
    refusing[0] = False
    world.deliver_all()
    assert f"results/{job.manifest_name}" in world.objects()


def test_a_job_refused_for_its_pipeline_can_be_reworked_with_another() -> None:
    world = memory_world()
    job_id = world.drop("a.jpg", small_jpeg(40), pipeline="sepia")
    world.deliver_all()
    rework_job(world.system, job_id, preset_pipeline("denoise"), who="ann")
    world.deliver_all()
    assert world.job(job_id).status == "completed"


def test_notes_that_do_not_fit_beside_an_object_are_counted_and_not_fatal() -> None:
    notes = ["Ω" * 300] * 20
    kept = fitting_notes(notes)
    assert sum(len(note.encode()) for note in kept) < 4100
    assert kept[-1] == f"{20 - (len(kept) - 1)} more notes are omitted"
    assert fitting_notes(notes[:3]) == notes[:3]


def test_an_output_with_a_record_of_the_first_release_is_reused() -> None:
    """That release left out of the record what a stage did not set."""
    world = memory_world()
    job_id = world.drop("denoise/a.jpg", small_jpeg(40, noise=20))
    world.deliver_all()
    objects = world.raw_objects
    for info in list(objects.list("artifacts", f"{job_id}/")):
        kept = {k: v for k, v in json.loads(info.metadata[RECORD_KEY]).items() if v not in (None, False, {}, [])}
        metadata = {RECORD_KEY: json.dumps({"parameters": {}, "notes": [], **kept})}
        content = NewObject(data=objects.read(info.ref), content_type=info.content_type, metadata=metadata)
        objects.put("artifacts", info.ref.name, content)
    rework_job(world.system, job_id, preset_pipeline("denoise"), who="ann")
    world.deliver_all()
    job = world.job(job_id)
    assert (job.status, [record.run for record in job.records]) == ("completed", [1, 1, 2, 2])


def test_a_job_that_could_not_be_planned_is_planned_anew_by_a_replay() -> None:
    """It names a model that is installed only later."""
    world = memory_world()
    job_id = world.drop("a.jpg", small_jpeg(40), pipeline='{"stages": [{"stage": "denoise", "model": "mine"}]}')
    world.deliver_all()
    assert _code(world, job_id) == "model_unknown"
    replay_job(world.system, job_id)
    world.deliver_all()
    assert _code(world, job_id) == "model_unknown", "the cause is still there"

    world.system = replace(world.system, model_registry=Renamed(model_registry=world.system.model_registry))
    replay_job(world.system, job_id)
    world.deliver_all()
    assert world.job(job_id).status == "completed"


@dataclass(frozen=True)
class Renamed:
    """A model registry that gives a stage's own model, whatever it is called."""

    model_registry: ModelRegistry

    def model_ref(
        self, stage: Stage, model_id: str | None, factor: float = 1.0, *, quality: Quality = "best"
    ) -> ModelRef | None:
        return self.model_registry.model_ref(stage, None, factor, quality=quality)

    def model_seconds(self, stage: Stage, model_id: str, megapixels: float) -> float | None:
        return self.model_registry.model_seconds(stage, model_id, megapixels)


def test_a_rework_near_the_jobs_expiry_is_not_purged_in_the_middle() -> None:
    world = memory_world(settings=Settings(retention_s=100_000))
    job_id = world.drop("denoise/a.jpg", small_jpeg(40))
    world.deliver_all()
    world.clock.advance(99_990)
    rework_job(world.system, job_id, preset_pipeline("sharpen"), who="ann")
    world.deliver(limit=3)
    world.clock.advance(60)
    assert sweep(world.system).purged == 0
    world.deliver_all()
    assert world.job(job_id).status == "completed"


def test_a_job_that_got_nowhere_until_messages_are_forgotten_is_given_up_by_the_sweep_and_logged() -> None:
    stream = io.StringIO()
    configure("INFO", stream)
    world = memory_world()
    job_id = world.drop("denoise/a.jpg", small_jpeg(40))
    world.deliver(limit=1)
    lose_next(world)
    began, failed = world.clock.now(), 0
    while not failed:
        world.clock.advance(3600)
        swept = sweep(world.system)
        failed = swept.failed
        if swept.driven:
            lose_next(world)
    assert _code(world, job_id) == "stalled"
    assert (world.clock.now() - began).total_seconds() > RETENTION_S
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = [(line["severity"], line["job_id"], line["stage"]) for line in lines if line["action"] == "job_failed"]
    assert told == [("ERROR", job_id, "assess")]
    assert [line["failed"] for line in lines if line["action"] == "swept"][-1] == 1


def _code(world: World, job_id: str) -> str | None:
    error = world.job(job_id).error
    return error.code if error else None
