"""The model of the path keeps count, answers simple questions exactly, and moves its bottleneck where it should."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from darkroom.adapters.gcp.firestore_indexes import SHARDS, WRITES_PER_SHARD
from infra.simulation.path import Conditions, play
from infra.simulation.plot import draw
from infra.simulation.scenarios import Case, ladder, played, product_steps

#: Nothing but the work itself takes time.
FREE = Conditions(arrivals=1e6, message_s=0.0, cold_start_s=0.0, dispatch_s=0.0, most_writes=1e9, pushed_at_first=3000)
STEPS = (("denoise", 2.0), ("upscale", 3.0))


def test_one_picture_takes_the_sum_of_its_parts() -> None:
    at = Conditions(arrivals=1.0, message_s=0.25, cold_start_s=4.0, dispatch_s=0.5)
    run = play(1, STEPS, {"denoise": 1, "upscale": 1}, at=at)
    assert run.seconds == pytest.approx(3 * 0.5 + 4 * 0.25 + 2 * 4.0 + 2.0 + 3.0)
    assert run.cold_starts == 2


def test_a_line_is_as_fast_as_its_slowest_stage() -> None:
    run = play(1000, STEPS, {"denoise": 10, "upscale": 10}, at=FREE)
    assert run.seconds == pytest.approx(1000 * 3.0 / 10, rel=0.02)
    assert run.bottleneck == "upscale"


def test_every_picture_is_worked_on_once_by_every_stage() -> None:
    run = play(500, STEPS, {"denoise": 7, "upscale": 9}, at=FREE)
    assert run.instance_s == pytest.approx(500 * 5.0)
    assert run.busy["denoise"] * 7 * run.seconds == pytest.approx(1000.0)


def test_more_instances_of_the_bottleneck_move_it() -> None:
    run = play(1000, STEPS, {"denoise": 10, "upscale": 40}, at=FREE)
    assert run.bottleneck == "denoise"


def test_arrivals_hold_back_what_is_faster_than_they_are() -> None:
    at = Conditions(arrivals=2.0, message_s=0.0, cold_start_s=0.0, dispatch_s=0.0)
    run = play(200, STEPS, {"denoise": 100, "upscale": 100}, at=at)
    assert run.bottleneck == "arrivals"
    assert run.seconds == pytest.approx(100.0 + 5.0, rel=0.02)


def test_the_ramp_of_firestore_bounds_a_short_run() -> None:
    at = Conditions(arrivals=1e6, message_s=0.0, cold_start_s=0.0, dispatch_s=0.0)
    run = play(20_000, (("denoise", 0.001),), {"denoise": 1000}, at=at)
    assert run.bottleneck == "writes of Firestore"
    assert run.seconds == pytest.approx(40_000 / 500, rel=0.02)


def test_indexes_over_a_time_without_shards_hold_a_long_run_to_500_writes_a_second() -> None:
    at = Conditions(arrivals=1e6, message_s=0.0, cold_start_s=0.0, dispatch_s=0.0, most_writes=500)
    pictures = 500_000  # 1,000,000 writes: the ramp alone would have passed 2,500 writes a second at the end
    run = play(pictures, (("denoise", 0.001),), {"denoise": 1000}, at=at, parcel=100)
    assert run.bottleneck == "writes of Firestore"
    assert run.seconds == pytest.approx(2 * pictures / 500, rel=0.02)


def test_a_million_pictures_are_faster_with_the_shards_than_without_and_never_faster_than_the_shards_allow() -> None:
    case = Case(title="", pictures=1_000_000, instances=1000, arrivals=500)
    steps = product_steps()
    sharded, single = (played(replace(case, shards=shards), steps, parcel=100) for shards in (SHARDS, 1))
    writes = len(steps) + 1  # one at the upload, one for each answer
    assert single.pictures / single.seconds == pytest.approx(WRITES_PER_SHARD / writes, rel=0.02)
    assert single.seconds / sharded.seconds > 2
    assert sharded.pictures / sharded.seconds < SHARDS * WRITES_PER_SHARD / writes


def test_a_subscription_that_was_quiet_is_pushed_to_slowly_at_first() -> None:
    run = play(200, (("denoise", 1.0),), {"denoise": 100}, at=replace(FREE, pushed_at_first=3))
    # 3, 6, 12, 24, 48, 96 and the last eleven messages, a second each
    assert run.seconds == pytest.approx(7.0, abs=0.1)


def test_no_more_messages_are_under_way_than_a_subscription_may_have() -> None:
    run = play(200, (("denoise", 1.0),), {"denoise": 100}, at=replace(FREE, pushed_at_first=10, most_pushed=10))
    assert run.seconds == pytest.approx(20.0, abs=0.1)
    assert run.cold_starts == 10


def test_few_slots_of_the_dispatcher_hold_everything_back() -> None:
    at = Conditions(arrivals=1e6, message_s=0.0, cold_start_s=0.0, dispatch_s=0.5, dispatch_slots=2)
    run = play(100, (("denoise", 0.01),), {"denoise": 100}, at=at)
    assert run.bottleneck == "dispatcher"
    assert run.seconds == pytest.approx(200 * 0.5 / 2, rel=0.05)


def test_parcels_give_nearly_the_same_answer_as_single_pictures() -> None:
    steps = product_steps()
    case = Case(title="", pictures=20_000, instances=100, arrivals=500)
    single, parcels = played(case, steps, parcel=1), played(case, steps, parcel=2)
    assert parcels.seconds == pytest.approx(single.seconds, rel=0.05)
    assert parcels.bottleneck == single.bottleneck


def test_the_same_case_is_always_played_in_the_same_way() -> None:
    case = Case(title="", pictures=2000, instances=20, arrivals=500)
    steps = product_steps()
    assert played(case, steps, parcel=1) == played(case, steps, parcel=1)


def test_the_picture_is_well_formed_and_has_a_point_for_every_run() -> None:
    line = list(ladder(product_steps(), 20_000, (10, 100, 1000)))
    tree = ElementTree.fromstring(draw([("20,000 pictures", line), ("the same", line)]))
    circles = tree.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 6
    assert all(0 < float(each.get("cy", "0")) < 420 for each in circles)
