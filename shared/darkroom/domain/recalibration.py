"""Adjusts the calibration of a preset to the decisions of reviewers."""

from collections.abc import Sequence
from dataclasses import dataclass

from darkroom.domain.acceptance import Calibration, log_odds, logistic
from darkroom.domain.approval_rate import certified_threshold, upper_bound

#: Fewest decisions by which a preset is adjusted.
LEAST_DECISIONS = 30
#: Newton steps of the fit; it has one unknown and converges in a few.
STEPS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision of a person on one result."""

    #: The estimated probability that the result is accepted, 0 to 1.
    probability: float
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalibration:
    """A calibration before and after, and the decisions behind it."""

    before: Calibration
    after: Calibration
    decisions: Sequence[Decision]

    @property
    def accepted(self) -> int:
        """Number of accepted results."""
        return sum(each.accepted for each in self.decisions)

    @property
    def agreement(self) -> float:
        """Share of the decisions, 0 to 1, that the threshold before would have taken alike."""
        alike = sum((each.probability >= self.before.threshold) == each.accepted for each in self.decisions)
        return alike / max(len(self.decisions), 1)

    @property
    def false_approvals(self) -> tuple[int, int, float]:
        """Rejected results at or above the threshold before, all results there, and the bound of their rate."""
        approved = [each for each in self.decisions if each.probability >= self.before.threshold]
        bad = sum(not each.accepted for each in approved)
        return bad, len(approved), upper_bound(bad, len(approved))


def recalibrated(before: Calibration, decisions: Sequence[Decision]) -> Recalibration:
    """Shift the intercept to the decisions, and certify a threshold if they suffice.

    The weights stay: the decisions of one deployment are too few for them. With fewer than 30 decisions the
    calibration stays as it is. If no threshold is certified, the threshold stays.
    """
    if len(decisions) < LEAST_DECISIONS:
        return Recalibration(before=before, after=before, decisions=decisions)
    shift = fitted_shift(decisions)
    shifted = [(logistic(log_odds(each.probability) + shift), each.accepted) for each in decisions]
    certified = certified_threshold(shifted)
    after = before.model_copy(
        update={
            "intercept": round(before.intercept + shift, 4),
            "threshold": before.threshold if certified is None else certified,
            "certified": certified is not None,
        }
    )
    return Recalibration(before=before, after=after, decisions=decisions)


def fitted_shift(decisions: Sequence[Decision]) -> float:
    """The shift of all log odds that makes the decisions most likely, with a standard normal prior around 0."""
    shift = 0.0
    for _ in range(STEPS):
        expected = [logistic(log_odds(each.probability) + shift) for each in decisions]
        slope = sum(each.accepted - p for each, p in zip(decisions, expected, strict=True)) - shift
        shift += slope / (sum(p * (1 - p) for p in expected) + 1.0)
    return shift
