"""How probably a person would accept a result is estimated in one place, and decides with the other reasons."""

from pathlib import Path

import numpy as np
import pytest

from darkroom.domain.acceptance import CHANGE, Acceptance, Calibration, acceptance, evidence
from darkroom.domain.approval_rate import certified_threshold
from darkroom.domain.errors import ConfigurationError
from darkroom.domain.manifest import build_manifest
from darkroom.domain.pipeline import Pipeline
from darkroom.domain.review import review_reasons
from darkroom.imaging.measurement.change import change, reduced
from darkroom.imaging.picture import Picture
from darkroom.runtime.calibrations import BUILT_IN, read_calibrations
from models.evaluation.trust.fit import LEAST_EACH, auroc, case_weights, enough, fit, regression
from models.evaluation.trust.outcome import Outcome
from tests.jobs import NOW, new_job, record, report
from tests.photographs import photograph

AUTO = Pipeline()
CALIBRATIONS = {"auto": Calibration(intercept=-2.0, weights={"score": 4.0}, threshold=0.8)}


def picture(scale: float = 1.0) -> Picture:
    return Picture(pixels=np.rint(photograph("chelsea")[::2, ::2] * scale).astype(np.uint8))


def test_the_terms_come_from_the_reports_and_from_all_steps() -> None:
    job = new_job({"preset": "repair"})
    steps = [
        record(job, values={"damaged_share": 0.01, "suspected_share": 0.0}),
        record(job, values={f"{CHANGE}{name}": 0.0 for name in ("mean", "local", "lost", "added")}),
    ]
    told = evidence(steps, report(60.0), report(90.0))
    assert told == pytest.approx(
        {
            "score": 0.9,
            "gain": 0.3,
            "painted": 0.6,
            "suspected": 0.0,
            "changed": 0.0,
            "local": 0.0,
            "lost": 0.0,
            "added": 0.0,
        }
    )
    assert evidence(steps, None, report(90.0)) == {}


def test_a_calibrated_preset_gets_the_probability_of_its_regression() -> None:
    assert acceptance(CALIBRATIONS, AUTO, {"score": 0.5}) == Acceptance(probability=0.5, threshold=0.8)
    assert acceptance(CALIBRATIONS, AUTO, {"score": 1.0}) == Acceptance(probability=0.881, threshold=0.8)


def test_what_was_not_calibrated_gets_no_probability() -> None:
    assert acceptance(CALIBRATIONS, Pipeline(preset="restore"), {"score": 0.5}) is None
    assert acceptance(CALIBRATIONS, Pipeline(stages={"denoise": True}), {"score": 0.5}) is None
    assert acceptance(CALIBRATIONS, Pipeline(stages=()), {"score": 0.5}) is None
    assert acceptance(CALIBRATIONS, AUTO, {"gain": 0.5}) is None


def test_an_unlikely_result_needs_a_person_and_a_likely_one_does_not() -> None:
    low, high = (Acceptance(probability=each, threshold=0.5) for each in (0.31, 0.5))
    (reason,) = review_reasons([], report(99.0), 75.0, low)
    assert (reason.code, reason.message) == ("unlikely", "of comparable results only 31 % were acceptable")
    assert review_reasons([], report(99.0), 75.0, high) == ()


def test_a_completed_job_keeps_its_acceptance_whatever_the_calibrations_become() -> None:
    job = new_job({"preset": "auto"}).model_copy(update={"before": report(40.0), "after": report(60.0)})
    done = job.completed(NOW, CALIBRATIONS)
    assert done.acceptance == Acceptance(probability=0.599, threshold=0.8)
    assert "unlikely" in [reason.code for reason in done.review_reasons]
    assert build_manifest(done)["acceptance"] == {"probability": 0.599, "threshold": 0.8}
    assert done.qc_status == "needs_review"


def test_an_unchanged_picture_has_no_change_at_any_size() -> None:
    found = change(reduced(picture()), picture())
    assert found is not None
    assert (found.mean, found.local, found.lost, found.added, found.blown_out) == (0.0, 0.0, 0.0, 0.0, 0.0)


def test_a_part_that_was_painted_over_is_a_local_loss_of_structure() -> None:
    painted = picture().pixels.copy()
    painted[40:80, 60:100] = 128
    found = change(picture(), Picture(pixels=painted))
    brighter = change(picture(), picture(1.1))
    assert found is not None
    assert brighter is not None
    assert found.lost > 0.8 > brighter.lost
    assert found.local > 2 * brighter.local


def test_pictures_of_different_shapes_are_not_compared() -> None:
    assert change(picture(), Picture(pixels=picture().pixels[:, :100])) is None


def test_a_threshold_is_loosened_until_the_bound_is_exceeded() -> None:
    sure, fair, poor = [(0.96, True)] * 59, [(0.91, True)] * 20, [(0.86, False)] * 9
    assert certified_threshold(sure + fair + poor) == 0.9
    assert certified_threshold(sure[1:]) is None
    assert certified_threshold([(0.96, False)] * 9 + sure + [(0.6, True)] * 999) is None


def test_the_built_in_calibrations_can_be_read_and_a_wrong_file_is_named(tmp_path: Path) -> None:
    assert read_calibrations("") == read_calibrations(str(BUILT_IN))
    assert {"auto", "restore", "cutout"} <= read_calibrations("").keys()
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"auto": {"intercept": "high"}}')
    for path in (wrong, tmp_path / "absent.json"):
        with pytest.raises(ConfigurationError, match=path.name):
            read_calibrations(str(path))


def outcomes(count: int = 200) -> list[Outcome]:
    """Results whose odds of being acceptable are known: they rise with the score."""
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.4, 1.0, count)
    good = rng.random(count) < 1 / (1 + np.exp(-(12 * scores - 8)))
    told = {"painted": 0.0, "suspected": 0.0, "changed": 0.0, "local": 0.0, "lost": 0.0, "added": 0.0, "gain": 0.0}
    return [
        Outcome(
            preset="auto",
            photograph=f"{number}.jpg",
            fault="noise",
            before=9.0,
            after=4.0 if ok else 12.0,
            approved=True,
            evidence={**told, "score": float(score)},  # type: ignore[dict-item]
        )
        for number, (score, ok) in enumerate(zip(scores, good, strict=True))
    ]


def test_a_regression_finds_the_odds_behind_the_results() -> None:
    found = regression(outcomes(2000), ("score",))
    assert found.weights["score"] == pytest.approx(12.0, abs=1.5)
    assert found.intercept == pytest.approx(-8.0, abs=1.0)


def test_probabilities_of_the_held_out_part_order_the_results() -> None:
    fitted = fit(outcomes(400), outcomes(200))
    assert auroc(fitted.probabilities, np.array([each.acceptable for each in fitted.validation])) > 0.8


def test_clean_photographs_weigh_half_and_too_few_results_are_not_fitted() -> None:
    told = outcomes(4)
    mixed = [*told[:3], Outcome(preset="auto", photograph="c.jpg", fault="clean", approved=True)]
    assert case_weights(mixed).tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2.0])
    assert case_weights(told).tolist() == [1.0] * 4
    assert not enough(told[: LEAST_EACH - 1])
