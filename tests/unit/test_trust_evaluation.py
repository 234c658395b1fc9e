"""What the evaluation of the verdict counts as harm, as a wrong cut-out, and as a false approval."""

import os
from typing import get_args

import numpy as np
import pytest

from darkroom.domain.approval_rate import upper_bound
from darkroom.domain.pipeline import Preset
from darkroom.imaging.picture import Picture
from darkroom.runtime.bootstrap import build_local_runner
from darkroom.runtime.settings import read_settings
from models.evaluation.trust.cases import CUT_OUT_PRESETS, DAMAGE, FAULTS_OF, SPOIL, bounded, spoilt, spread
from models.evaluation.trust.command import Worst
from models.evaluation.trust.outcome import BLOCK, Outcome, block_means, judge, overlap
from models.evaluation.trust.report import report
from tests.photographs import photograph


def outcome(*, approved: bool = True, fault: str = "noise", **truths: float) -> Outcome:
    return Outcome(preset="auto", photograph="a.jpg", fault=fault, approved=approved, **truths)  # type: ignore[arg-type]


def test_every_preset_has_cases() -> None:
    assert {*FAULTS_OF, *CUT_OUT_PRESETS} == {*get_args(Preset)}
    assert {fault for faults in FAULTS_OF.values() for fault in faults} == {*SPOIL}


@pytest.mark.parametrize("fault", sorted(SPOIL))
def test_a_fault_is_the_same_in_each_run_and_keeps_the_size(fault: str) -> None:
    small = bounded(photograph()[:96, :128])
    cases = [spoilt("auto", "a.jpg", small, fault, np.random.default_rng(3)) for _ in range(2)]
    assert (cases[0].given == cases[1].given).all()
    assert cases[0].given.shape == (small.shape if fault != "half size" else (48, 64, 3))
    assert (cases[0].damaged is not None) == (fault in DAMAGE)


def test_a_large_photograph_is_reduced_to_even_sides() -> None:
    assert bounded(photograph()[:401, :512]).shape == (352, 450, 3)
    assert bounded(photograph()[:101, :33]).shape == (100, 32, 3)


def test_a_spread_of_paths_takes_the_first_and_the_last() -> None:
    paths = [*range(10)]
    assert spread(paths, 4) == [0, 3, 6, 9]  # type: ignore[arg-type, comparison-overlap]
    assert spread(paths, 20) == paths  # type: ignore[arg-type, comparison-overlap]


def test_a_result_that_is_worse_in_one_block_is_not_acceptable() -> None:
    assert outcome(before=9.0, after=4.0, worst_block=2.9).acceptable
    assert not outcome(before=9.0, after=4.0, worst_block=3.1).acceptable


def test_a_restoration_must_be_nearer_to_the_truth_than_its_input_or_very_near() -> None:
    assert not outcome(before=5.0, after=5.0).acceptable
    assert outcome(before=1.0, after=1.5).acceptable
    assert outcome(fault="clean", before=0.0, after=2.5, worst_block=2.5).acceptable


def test_damage_must_be_gone_and_colours_must_not_be_the_opposite() -> None:
    assert not outcome(before=3.0, after=2.0, left=0.5).acceptable
    assert outcome(before=3.0, after=2.0, left=0.3).acceptable
    assert not outcome(before=9.0, after=5.0, wrong_hue=0.2).acceptable


def test_a_cut_out_between_the_limits_is_neither_wrong_nor_good() -> None:
    middling = outcome(iou=0.85)
    assert middling.acceptable
    assert not middling.good
    assert not outcome(iou=0.79).acceptable


def test_harm_in_one_block_shows_in_that_block_alone() -> None:
    plane = np.zeros((3 * BLOCK, 2 * BLOCK), np.float32)
    plane[BLOCK : 2 * BLOCK, :BLOCK] = 6.0
    assert block_means(plane).tolist() == [[0.0, 0.0], [6.0, 0.0], [0.0, 0.0]]


def test_an_opaque_picture_overlaps_the_subject_by_its_share() -> None:
    subject = np.zeros((8, 8), bool)
    subject[:4] = True
    opaque = Picture(pixels=np.zeros((8, 8, 3), np.uint8))
    assert overlap(opaque, subject) == 0.5
    exact = Picture(pixels=opaque.pixels, alpha=subject.astype(np.uint8) * np.uint8(255))
    assert overlap(exact, subject) == 1.0


def test_a_bound_needs_fifty_nine_approvals_without_a_bad_one_for_five_per_cent() -> None:
    assert upper_bound(0, 59) < 0.05 < upper_bound(0, 58)
    assert upper_bound(4, 200) < 0.05 < upper_bound(5, 200)
    assert upper_bound(0, 0) == upper_bound(3, 3) == 1.0


def test_the_report_counts_bad_results_among_the_approved_only() -> None:
    outcomes = [
        outcome(before=9.0, after=4.0),
        outcome(before=9.0, after=4.0, worst_block=5.0),
        outcome(before=9.0, after=4.0, worst_block=5.0, approved=False),
    ]
    assert "| auto | 3 | 2 | 1 | 50.0% |" in report(outcomes)
    assert "| auto | noise | 3 | 9.00 | 4.00 | 0.0% | 66.7% | 1 |" in report(outcomes)


def test_a_clean_photograph_comes_back_unharmed_and_only_the_worst_results_are_kept() -> None:
    small = bounded(photograph("chelsea")[:128, :160])
    case = spoilt("optimize", "chelsea", small, "clean", np.random.default_rng(0))
    judged = judge(build_local_runner(read_settings(os.environ), 1), case)
    assert judged.outcome.worst_block == 0.0
    assert judged.outcome.acceptable
    worst = Worst(1)
    for _ in range(2):
        worst.add(case, judged)
    assert [len(row) for row in worst.rows()] == [3]
