"""Bounds the rate of false approvals by what was counted."""

import math

#: Probability that the true rate is below the bound.
CONFIDENCE = 0.95
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


def _at_most(bad: int, total: int, rate: float) -> float:
    """Probability of at most `bad` bad cases of `total`, at a rate between 0 and 1."""
    return sum(
        math.exp(_log_choices(total, k) + k * math.log(rate) + (total - k) * math.log(1 - rate)) for k in range(bad + 1)
    )


def _log_choices(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
