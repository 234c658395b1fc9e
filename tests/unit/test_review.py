"""One place says for which reasons a person must look at a result."""

import pytest

from darkroom.domain.messages import StepRecord
from darkroom.domain.review import percentage, review_reasons, step_reasons
from tests.jobs import new_job, record, report

GOOD = report(99.0)


def step(**told: object) -> StepRecord:
    return record(new_job({"preset": "repair"}), **{"stage": "repair", **told})


def codes(*records: StepRecord, score: float = 99.0, threshold: float = 75.0) -> list[str]:
    return [reason.code for reason in review_reasons(records, report(score), threshold)]


def test_a_good_result_that_nothing_speaks_against_needs_no_review() -> None:
    assert codes(step(), step(values={"damaged_share": 0.0})) == []


@pytest.mark.parametrize("score", [75.0, 10.0])
def test_a_score_at_or_below_the_threshold_is_a_reason(score: float) -> None:
    assert codes(step(), score=score) == ["low_score"]


def test_a_result_without_a_score_needs_review() -> None:
    assert [reason.code for reason in review_reasons([step()], None, 0.0)] == ["low_score"]


@pytest.mark.parametrize("share", [1e-8, 0.0002, 0.3])
def test_one_painted_pixel_is_a_reason(share: float) -> None:
    assert codes(step(values={"damaged_share": share})) == ["painted_over"]


def test_every_reason_of_every_step_is_named_in_a_sentence() -> None:
    reasons = step_reasons([step(degraded=True), step(doubtful=True, notes=("its edge is open",))])
    assert [reason.code for reason in reasons] == ["degraded", "uncertain"]
    assert reasons[1].message.endswith("is not sure of its result: its edge is open")


@pytest.mark.parametrize(
    ("share", "text"), [(1e-7, "less than 0.01 %"), (0.0042, "0.42 %"), (0.01, "1 %"), (0.25, "25 %")]
)
def test_small_shares_are_not_rounded_to_nothing(share: float, text: str) -> None:
    assert percentage(share) == text
