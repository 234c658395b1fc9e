"""Reasons for which a person must look at a result before it is approved.

Pure, and the only place that decides: the verdict of a job, the manifest, `darkroom run` and the answers of the API
all read their reasons here.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from darkroom.domain.acceptance import Acceptance
from darkroom.domain.messages import Record, Report, StepRecord
from darkroom.domain.places import Place, places_of

ReviewCode = Literal["unlikely", "low_score", "degraded", "uncertain", "painted_over"]

#: How probably a result with a reason is bad, 0 to 1: the order of the reasons. Source: `python -m models.evaluation
#: trust` on 1,038 results of all presets, 393 of them with a reason; `degraded` was not measured and comes last.
#: `unlikely` has the probability of its own result.
SEVERITY: Mapping[ReviewCode, float] = {"painted_over": 0.51, "uncertain": 0.40, "low_score": 0.35, "degraded": 0.0}


class ReviewReason(Record):
    """One reason; a result without any is approved."""

    #: Stable and machine-readable.
    code: ReviewCode
    #: A sentence for the person who decides.
    message: str
    #: Where to look, the most important first; empty if the reason concerns the whole picture or no place is known.
    places: tuple[Place, ...] = ()


def review_reasons(
    records: Iterable[StepRecord], after: Report | None, threshold: float, estimated: Acceptance | None = None
) -> tuple[ReviewReason, ...]:
    """All reasons, the worst first.

    Parameters
    ----------
    records : iterable of StepRecord
        What each step did.
    after : Report or None
        The report of the result; a result without one has a score of 0.
    threshold : float
        The score, 0 to 100, above which a result may be approved.
    estimated : Acceptance or None
        How probably a person would accept the result, if that is known.
    """
    return _worst_first([*_of_acceptance(estimated), *_of_score(after, threshold), *_of_steps(records)])


def step_reasons(records: Iterable[StepRecord]) -> tuple[ReviewReason, ...]:
    """The reasons that the steps alone give, the worst first, for a result that was not scored."""
    return _worst_first(_of_steps(records))


#: A reason with its severity.
Weighed = tuple[float, ReviewReason]


def _worst_first(weighed: Iterable[Weighed]) -> tuple[ReviewReason, ...]:
    return tuple(reason for _, reason in sorted(weighed, key=lambda pair: -pair[0]))


def _of_acceptance(estimated: Acceptance | None) -> Iterator[Weighed]:
    if estimated and estimated.probability < estimated.threshold:
        message = f"of comparable results only {estimated.probability:.0%} were acceptable".replace("%", " %")
        yield 1.0 - estimated.probability, ReviewReason(code="unlikely", message=message)


def _of_score(after: Report | None, threshold: float) -> Iterator[Weighed]:
    score = after.score if after else 0.0
    if score <= threshold:
        yield _weighed(ReviewReason(code="low_score", message=f"score {score:.1f} is not above {threshold:g}"))


def _of_steps(records: Iterable[StepRecord]) -> Iterator[Weighed]:
    for record in records:
        yield from _of_step(record)


def _of_step(record: StepRecord) -> Iterator[Weighed]:
    places = places_of(record.values)
    share = painted_share(record)
    if share > 0.0:
        message = _placed(f"{record.stage} painted over {percentage(share)} of the picture", places)
        yield _weighed(ReviewReason(code="painted_over", message=message, places=places))
    if record.doubtful:
        message = _placed(": ".join([f"{record.stage} is not sure of its result", *record.notes]), places)
        reason = ReviewReason(code="uncertain", message=message, places=places)
        yield _number(record, "matte_doubt", SEVERITY["uncertain"]), reason
    if record.degraded:
        yield _weighed(ReviewReason(code="degraded", message=f"{record.stage} ran without its model"))


def _weighed(reason: ReviewReason) -> Weighed:
    return SEVERITY[reason.code], reason


def _placed(sentence: str, places: tuple[Place, ...]) -> str:
    """The sentence with the position of the most important place."""
    words = places[0].words if places else ""
    return f"{sentence}, {words}" if words else sentence


def painted_share(record: StepRecord) -> float:
    """Share of the picture, 0 to 1, that a step replaced by invented pixels."""
    return _number(record, "damaged_share", 0.0)


def _number(record: StepRecord, name: str, otherwise: float) -> float:
    value = record.values.get(name, otherwise)
    return float(value) if isinstance(value, (int, float)) else otherwise


def percentage(share: float) -> str:
    """A share of 0 to 1 in per cent, with two decimals below 1 %."""
    if share < 0.0001:
        return "less than 0.01 %"
    return f"{share:.2%}".replace("%", " %") if share < 0.01 else f"{share:.0%}".replace("%", " %")
