"""The decisions of reviewers shift a calibration, and certify a threshold if they suffice."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from darkroom.cli.commands.verdict import verdict
from darkroom.cli.support.service import Service
from darkroom.domain.acceptance import Acceptance, Calibration, logistic
from darkroom.domain.recalibration import LEAST_DECISIONS, Decision, recalibrated
from darkroom.runtime.calibrations import read_calibrations
from tests.jobs import NOW, new_job
from tests.world import World, memory_world

BEFORE = Calibration(intercept=1.0, weights={"score": 2.0}, threshold=0.5)


def decided(*groups: tuple[float, bool, int]) -> list[Decision]:
    return [Decision(probability=p, accepted=accepted) for p, accepted, count in groups for _ in range(count)]


def test_few_decisions_change_nothing() -> None:
    assert recalibrated(BEFORE, decided((0.9, False, LEAST_DECISIONS - 1))).after == BEFORE


def test_the_intercept_moves_until_the_probabilities_are_what_people_decide() -> None:
    found = recalibrated(BEFORE, decided((0.5, True, 180), (0.5, False, 20)))
    assert logistic(found.after.intercept - BEFORE.intercept) == pytest.approx(0.9, abs=0.02)
    assert found.after.weights == BEFORE.weights


def test_decisions_that_agree_change_next_to_nothing() -> None:
    found = recalibrated(BEFORE, decided((0.8, True, 80), (0.8, False, 20)))
    assert found.after.intercept == pytest.approx(BEFORE.intercept, abs=0.01)
    assert (found.after.threshold, found.after.certified) == (0.5, False)


def test_enough_good_decisions_certify_a_threshold_and_bad_ones_do_not() -> None:
    told = decided((0.95, True, 200), (0.6, False, 20))
    found = recalibrated(BEFORE, told)
    assert found.after.certified
    assert 0.5 < found.after.threshold <= 0.95
    assert found.false_approvals[:2] == (20, 220)
    assert found.agreement == pytest.approx(200 / 220)


@pytest.fixture
def world() -> World:
    """Forty jobs with a decision, one in four rejected, and one that nobody decided."""
    world = memory_world()
    for number in range(41):
        job = new_job({"preset": "restore"}, name=f"{number}.jpg", generation=number + 1)
        done = job.completed(NOW).model_copy(update={"acceptance": Acceptance(probability=0.6, threshold=0.5)})
        if number:
            done = done.reviewed(NOW, approved=number % 4 != 0, who="anna")
        world.raw_jobs.create(done)
    return world


def test_the_command_reports_each_preset_and_writes_what_the_service_reads(world: World, tmp_path: Path) -> None:
    output = tmp_path / "acceptance.json"
    told = CliRunner().invoke(verdict, ["calibrate", "-o", str(output)], obj=Service(system=world.system))
    assert told.exit_code == 0, told.output
    (line,) = [line for line in told.output.splitlines() if line.startswith("restore")]
    assert line.split()[1:4] == ["40", "30", "75%"]
    assert "10 of 40" in line
    written = json.loads(output.read_text())
    built_in = read_calibrations("")
    assert written["restore"]["intercept"] > built_in["restore"].intercept
    assert written["auto"] == built_in["auto"].model_dump(mode="json")
    assert read_calibrations(str(output))["restore"].intercept == written["restore"]["intercept"]
