"""Reasons for which a person must look at a result before it is approved.

Pure, and the only place that decides: the verdict of a job, the manifest, `darkroom run` and the answers of the API
all read their reasons here.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

from darkroom.domain.messages import Record, Report, StepRecord

ReviewCode = Literal["low_score", "degraded", "uncertain", "painted_over"]


class ReviewReason(Record):
    """One reason; a result without any is approved."""

    #: Stable and machine-readable.
    code: ReviewCode
    #: A sentence for the person who decides.
    message: str


def review_reasons(records: Iterable[StepRecord], after: Report | None, threshold: float) -> tuple[ReviewReason, ...]:
    """All reasons, those of the score first.

    Parameters
    ----------
    records : iterable of StepRecord
        What each step did.
    after : Report or None
        The report of the result; a result without one has a score of 0.
    threshold : float
        The score, 0 to 100, above which a result may be approved.
    """
    return (*_of_score(after, threshold), *step_reasons(records))


def step_reasons(records: Iterable[StepRecord]) -> tuple[ReviewReason, ...]:
    """The reasons that the steps alone give, for a result that was not scored."""
    return tuple(reason for record in records for reason in _of_step(record))


def _of_score(after: Report | None, threshold: float) -> Iterator[ReviewReason]:
    score = after.score if after else 0.0
    if score <= threshold:
        yield ReviewReason(code="low_score", message=f"score {score:.1f} is not above {threshold:g}")


def _of_step(record: StepRecord) -> Iterator[ReviewReason]:
    if record.degraded:
        yield ReviewReason(code="degraded", message=f"{record.stage} ran without its model")
    share = painted_share(record)
    if share > 0.0:
        message = f"{record.stage} painted over {percentage(share)} of the picture"
        yield ReviewReason(code="painted_over", message=message)
    if record.doubtful:
        message = ": ".join([f"{record.stage} is not sure of its result", *record.notes])
        yield ReviewReason(code="uncertain", message=message)


def painted_share(record: StepRecord) -> float:
    """Share of the picture, 0 to 1, that a step replaced by invented pixels."""
    share = record.values.get("damaged_share", 0.0)
    return float(share) if isinstance(share, (int, float)) else 0.0


def percentage(share: float) -> str:
    """A share of 0 to 1 in per cent, with two decimals below 1 %."""
    if share < 0.0001:
        return "less than 0.01 %"
    return f"{share:.2%}".replace("%", " %") if share < 0.01 else f"{share:.0%}".replace("%", " %")
