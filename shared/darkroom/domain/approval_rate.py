"""Bounds the rate of false approvals by what was counted."""

import math
from collections.abc import Sequence

#: Probability that the true rate is below the bound.
CONFIDENCE = 0.95
#: Largest bound of the rate of false approvals that is certified.
MOST_FALSE = 0.05
#: Approvals that are needed for this bound without a bad one.
LEAST_APPROVALS = 59
#: Thresholds of the probability, the strictest first.
THRESHOLDS = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5)
#: Halvings of the interval in which the bound is searched: an error below 1e-12.
HALVINGS = 40


def upper_bound(bad: int, total: int) -> float:
    """Clopper-Pearson bound, one-sided, of the rate behind `bad` of `total` independent cases.

    Returns
    -------
    float
        From 0 to 1; 1 if all cases are bad, or if there is none.

    References
    ----------
    Clopper, Pearson: The use of confidence or fiducial limits illustrated in the case of the binomial, 1934,
    DOI 10.1093/biomet/26.4.404.

    Examples
    --------
    >>> [round(upper_bound(bad, total), 3) for bad, total in ((0, 59), (4, 200), (5, 200))]
    [0.05, 0.045, 0.052]
    """
    if bad >= total:
        return 1.0
    low, high = bad / total, 1.0
    for _ in range(HALVINGS):
        rate = (low + high) / 2
        low, high = (rate, high) if _at_most(bad, total, rate) > 1 - CONFIDENCE else (low, rate)
    return high


def certified_threshold(results: Sequence[tuple[float, bool]]) -> float | None:
    """The least probability from which approvals are certified; None if there is none.

    The strictest threshold with enough approvals is tested first. It is loosened while the bound of the false
    approvals is at most 5 %; the first that fails ends the search.

    Parameters
    ----------
    results : sequence of (probability, whether the result is acceptable)
        Results that the probabilities were not fitted on.

    References
    ----------
    Angelopoulos, Bates, Candes, Jordan, Lei: Learn then Test, 2021, arXiv 2110.01052 (fixed sequence testing).

    Examples
    --------
    >>> certified_threshold([(0.97, True)] * 60 + [(0.82, True)] * 60 + [(0.72, False)] * 60)
    0.8
    """
    found = None
    for threshold in THRESHOLDS:
        approved = [acceptable for probability, acceptable in results if probability >= threshold]
        if len(approved) < LEAST_APPROVALS:
            continue
        if upper_bound(approved.count(False), len(approved)) > MOST_FALSE:
            break
        found = threshold
    return found


def _at_most(bad: int, total: int, rate: float) -> float:
    """Probability of at most `bad` bad cases of `total`, at a rate between 0 and 1."""
    return sum(
        math.exp(_log_choices(total, k) + k * math.log(rate) + (total - k) * math.log(1 - rate)) for k in range(bad + 1)
    )


def _log_choices(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
