"""Estimates how probably a person would accept a result.

A logistic regression for each preset combines what the measurements and the stages report. Its coefficients are data,
fitted on results whose truth is known (`python -m models.evaluation trust`) and adjusted to the decisions of reviewers
(`darkroom verdict calibrate`).
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, get_args

from pydantic import Field

from darkroom.domain.messages import Record, Report, StepRecord
from darkroom.domain.pipeline import Pipeline, Preset

Term = Literal["score", "gain", "painted", "suspected", "doubt", "changed", "local", "lost", "added"]
TERMS: tuple[Term, ...] = get_args(Term)

#: Prefix of the values in which the last `assess` reports what the pipeline changed.
CHANGE = "change_"
#: Smallest share of the picture that counts as more than none.
LEAST_SHARE = 1e-5
#: Probabilities closer to 0 and 1 than this are treated as this near.
LEAST_PROBABILITY = 0.001


class Calibration(Record):
    """The coefficients of one preset."""

    #: Constant term of the regression.
    intercept: float
    weights: dict[Term, float]
    #: Least probability of a result that is approved without a person.
    threshold: float = Field(ge=0.0, le=1.0)
    #: Whether the threshold keeps the false approvals at 5 % or less, with a confidence of 95 %.
    certified: bool = False


#: Calibrations by preset; a preset without one gets no probability.
Calibrations = Mapping[Preset, Calibration]
#: No preset is calibrated.
NO_CALIBRATIONS: Calibrations = MappingProxyType({})


class Acceptance(Record):
    """The probability that a person would accept the result, and the least one that is approved."""

    probability: float = Field(ge=0.0, le=1.0)
    threshold: float = Field(ge=0.0, le=1.0)


def acceptance(calibrations: Calibrations, pipeline: Pipeline, terms: Mapping[Term, float]) -> Acceptance | None:
    """The acceptance of a result with the evidence `terms`.

    None if the pipeline is no plain preset, which was not calibrated, or if a term is unknown.
    """
    # An empty list of stages is no preset: it asks for no stage at all.
    if pipeline.stages != {} or pipeline.output:
        return None
    calibration = calibrations.get(pipeline.preset)
    if calibration is None or not calibration.weights.keys() <= terms.keys():
        return None
    value = calibration.intercept + sum(weight * terms[term] for term, weight in calibration.weights.items())
    return Acceptance(probability=round(logistic(value), 3), threshold=calibration.threshold)


def evidence(records: Sequence[StepRecord], before: Report | None, after: Report | None) -> dict[Term, float]:
    """The known terms, each about 0 to 1."""
    if before is None or after is None:
        return {}
    values = _numbers(records)
    terms: dict[Term, float] = {
        "score": after.score / 100,
        "gain": (after.score - before.score) / 100,
        "painted": _share(values.get("damaged_share", 0.0)),
        "suspected": _share(values.get("suspected_share", 0.0)),
    }
    if "matte_doubt" in values:
        terms["doubt"] = log_odds(values["matte_doubt"]) / 5
    if f"{CHANGE}mean" in values:
        terms["changed"] = math.log1p(values[f"{CHANGE}mean"]) / 3
        terms["local"] = math.log1p(values[f"{CHANGE}local"]) / 3
        terms["lost"] = values[f"{CHANGE}lost"]
        terms["added"] = math.log1p(values[f"{CHANGE}added"])
    return terms


def logistic(value: float) -> float:
    """From log odds to a probability."""
    return 0.5 * (1.0 + math.tanh(0.5 * value))


def log_odds(probability: float) -> float:
    """The inverse of `logistic`, finite for 0 and 1 too."""
    bounded = min(max(probability, LEAST_PROBABILITY), 1.0 - LEAST_PROBABILITY)
    return math.log(bounded) - math.log1p(-bounded)


def _share(share: float) -> float:
    """0 for no pixel, 1 for all pixels, on a logarithmic scale."""
    return 1.0 + math.log10(max(share, LEAST_SHARE)) / 5


def _numbers(records: Sequence[StepRecord]) -> dict[str, float]:
    """The numbers among the values of all steps; a later step takes the place of an earlier one."""
    values = (item for record in records for item in record.values.items())
    return {name: float(value) for name, value in values if isinstance(value, (int, float))}
