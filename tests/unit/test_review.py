"""One place says for which reasons a person must look at a result."""

import pytest

from darkroom.domain.messages import StepRecord
from darkroom.domain.places import Place
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
    assert [reason.code for reason in reasons] == ["uncertain", "degraded"]
    assert reasons[0].message.endswith("is not sure of its result: its edge is open")


@pytest.mark.parametrize(
    ("share", "text"), [(1e-7, "less than 0.01 %"), (0.0042, "0.42 %"), (0.01, "1 %"), (0.25, "25 %")]
)
def test_small_shares_are_not_rounded_to_nothing(share: float, text: str) -> None:
    assert percentage(share) == text


def test_the_worst_reason_comes_first() -> None:
    doubtful = step(doubtful=True, values={"matte_doubt": 0.9})
    painted = step(values={"damaged_share": 0.01}, degraded=True)
    assert codes(painted, doubtful, score=10.0) == ["uncertain", "painted_over", "low_score", "degraded"]
    assert codes(painted, step(doubtful=True), score=10.0)[:2] == ["painted_over", "uncertain"]


def test_a_reason_names_the_position_of_its_most_important_place() -> None:
    boxes = [
        {"top": 0.0, "left": 0.1, "height": 0.2, "width": 0.1},
        {"top": 0.9, "left": 0.9, "height": 0.1, "width": 0.1},
    ]
    (reason,) = step_reasons([step(values={"damaged_share": 0.01, "places": boxes})])
    assert reason.message == "repair painted over 1 % of the picture, at the top left"
    assert [place.model_dump() for place in reason.places] == boxes


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((0.1, 0.7, 0.1, 0.2), "at the top right"),
        ((0.4, 0.0, 0.2, 0.2), "at the left"),
        ((0.8, 0.0, 0.2, 1.0), "at the bottom"),
        ((0.4, 0.4, 0.1, 0.1), "in the middle"),
        ((0.0, 0.4, 1.0, 0.1), "in the middle"),
        ((0.0, 0.1, 0.9, 0.9), ""),
    ],
)
def test_a_place_has_words_for_its_position(box: tuple[float, ...], words: str) -> None:
    assert Place(**dict(zip(("top", "left", "height", "width"), box, strict=True))).words == words
