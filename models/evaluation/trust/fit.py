"""`python -m models.evaluation.trust.fit TRAINING VALIDATION --out FILE`: fits the acceptance of each preset.

TRAINING and VALIDATION are files of `python -m models.evaluation trust --outcomes`. The threshold follows learn-then-
test: probabilities of the training part come from folds that did not see the photograph, and the threshold is loosened
from the strictest on while the bound of the false approvals stays at 5 %. The validation part is used for the report
alone. Cut-outs are fitted on the validation pairs, which the network was not trained on, and judged by the folds.

References
----------
Angelopoulos, Bates, Candès, Jordan, Lei: Learn then Test: Calibrating Predictive Algorithms to Achieve Risk Control,
2021, arXiv 2110.01052.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darkroom.domain.acceptance import Calibration, Term, acceptance
from darkroom.domain.approval_rate import certified_threshold, upper_bound
from darkroom.domain.pipeline import Pipeline
from models.evaluation.trust.cases import CLEAN, CUT_OUT_PRESETS
from models.evaluation.trust.outcome import Outcome, read_outcomes

#: Terms of a preset that cuts out: its result has another background, so that the change says nothing.
CUT_OUT_TERMS: tuple[Term, ...] = ("score", "gain", "doubt")
#: Terms of all other presets.
PICTURE_TERMS: tuple[Term, ...] = ("score", "gain", "painted", "suspected", "changed", "local", "lost", "added")
#: Strength of the ridge penalty on standardized terms.
RIDGE = 1.0
#: Assumed share of the uploads that have no fault; among the cases it is smaller, which would lower all probabilities.
CLEAN_SHARE = 0.5
#: Newton steps of the regression.
STEPS = 30
#: Number of folds by photograph.
FOLDS = 5
#: Least number of acceptable and of bad results to fit from.
LEAST_EACH = 8
#: Threshold of a preset for which none is certified: below it a result is more probably bad than acceptable.
UNCERTIFIED = 0.5
#: Upper edges of the classes of the reliability table.
CLASSES = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A calibration, with how it does on results that it was not fitted on."""

    preset: str
    calibration: Calibration
    training: int
    validation: Sequence[Outcome]
    probabilities: Floats


def main() -> None:
    """Fit, print the report and write the coefficients."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.trust.fit", description=__doc__)
    parser.add_argument("training", type=Path)
    parser.add_argument("validation", type=Path)
    parser.add_argument("--out", type=Path, help="file of the coefficients, by preset")
    arguments = parser.parse_args()
    fitted = fit_all([*read_outcomes(arguments.training)], [*read_outcomes(arguments.validation)])
    print(report(fitted))
    if arguments.out:
        written = {each.preset: each.calibration.model_dump(mode="json") for each in fitted}
        arguments.out.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


def fit_all(training: Sequence[Outcome], validation: Sequence[Outcome]) -> list[Fitted]:
    """Every preset that has enough results of both kinds."""
    presets = dict.fromkeys(outcome.preset for outcome in training)
    groups = ([each for each in training if each.preset == preset] for preset in presets)
    return [
        fit(group, [each for each in validation if each.preset == group[0].preset]) for group in groups if enough(group)
    ]


def enough(group: Sequence[Outcome]) -> bool:
    """Whether a preset can be fitted."""
    bad = sum(not each.acceptable for each in group)
    return min(bad, len(group) - bad) >= LEAST_EACH


def fit(training: Sequence[Outcome], validation: Sequence[Outcome]) -> Fitted:
    """Coefficients from all training results, the threshold from probabilities of the held-out folds.

    A preset without validation results is judged by the held-out folds.
    """
    preset = training[0].preset
    terms = CUT_OUT_TERMS if preset in CUT_OUT_PRESETS else PICTURE_TERMS
    usable = [each for each in training if {*terms} <= {*each.evidence}]
    folds = np.array([fold(each.photograph) for each in usable])
    held_out = np.zeros(len(usable))
    for number in range(FOLDS):
        rest = [each for each, of in zip(usable, folds, strict=True) if of != number]
        chosen = folds == number
        held_out[chosen] = probabilities(
            regression(rest, terms), [it for it, of in zip(usable, chosen, strict=True) if of]
        )
    unstopped = [not set(each.reasons) - {"unlikely"} for each in usable]
    threshold = certified_threshold(
        [(float(p), it.acceptable) for p, it, free in zip(held_out, usable, unstopped, strict=True) if free]
    )
    calibration = regression(usable, terms).model_copy(
        update={"threshold": UNCERTIFIED if threshold is None else threshold, "certified": threshold is not None}
    )
    known = [each for each in validation if {*terms} <= {*each.evidence}]
    return Fitted(
        preset=preset,
        calibration=calibration,
        training=len(usable),
        validation=known or usable,
        probabilities=probabilities(calibration, known) if known else held_out,
    )


def fold(photograph: str) -> int:
    """The fold of a photograph, by a hash of its name."""
    return sha256(photograph.encode()).digest()[1] % FOLDS


def regression(outcomes: Sequence[Outcome], terms: Sequence[Term]) -> Calibration:
    """Logistic regression with a ridge penalty, by Newton's method; threshold 0.5."""
    values = np.array([[each.evidence[term] for term in terms] for each in outcomes])
    good = np.array([each.acceptable for each in outcomes], float)
    centre, spread = values.mean(axis=0), values.std(axis=0) + 1e-6
    shares = case_weights(outcomes)
    design = np.c_[np.ones(len(values)), (values - centre) / spread]
    penalty = np.diag([1e-3, *[RIDGE] * len(terms)])
    weights = np.zeros(design.shape[1])
    for _ in range(STEPS):
        expected = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (shares * (expected - good)) + penalty @ weights
        curvature = (design * (shares * expected * (1 - expected))[:, np.newaxis]).T @ design + penalty
        weights -= np.linalg.solve(curvature, slope)
    scaled = weights[1:] / spread
    return Calibration(
        intercept=round(float(weights[0] - scaled @ centre), 4),
        weights={term: round(float(weight), 4) for term, weight in zip(terms, scaled, strict=True)},
        threshold=UNCERTIFIED,
    )


def case_weights(outcomes: Sequence[Outcome]) -> Floats:
    """A weight for each outcome, with a mean of 1: clean photographs weigh `CLEAN_SHARE` of all, if there are any."""
    clean = np.array([each.fault == CLEAN for each in outcomes], bool)
    share = clean.mean()
    if share in (0.0, 1.0):
        return np.ones(len(outcomes))
    return np.where(clean, CLEAN_SHARE / share, (1 - CLEAN_SHARE) / (1 - share))


def probabilities(calibration: Calibration, outcomes: Sequence[Outcome]) -> Floats:
    """The probability of each outcome."""
    pipeline = Pipeline()
    found = (acceptance({pipeline.preset: calibration}, pipeline, each.evidence) for each in outcomes)
    return np.array([each.probability if each else 0.0 for each in found])


def report(fitted: Sequence[Fitted]) -> str:
    """Approvals before and with the calibration, and the reliability of the probabilities, on the validation part."""
    return f"{_approvals(fitted)}\n\n{_reliability(fitted)}"


def _approvals(fitted: Sequence[Fitted]) -> str:
    head = [
        "preset",
        "fitted on",
        "judged on",
        "AUROC",
        "rule alone: approved, bad",
        "with the probability: approved, bad",
        "95 % bound",
        "good approved: rule alone, with it",
        "threshold",
    ]
    return "\n".join([_row(head), _row(["---"] * len(head)), *(_row(_approval(each)) for each in fitted)])


def _approval(fitted: Fitted) -> list[str]:
    ruled = np.array([not set(each.reasons) - {"unlikely"} for each in fitted.validation], bool)
    sure = ruled & (fitted.probabilities >= fitted.calibration.threshold)
    bad = np.array([not each.acceptable for each in fitted.validation], bool)
    good = np.array([each.good for each in fitted.validation], bool)
    certified = "certified" if fitted.calibration.certified else "not certified"
    return [
        fitted.preset,
        str(fitted.training),
        str(len(bad)),
        f"{auroc(fitted.probabilities, ~bad):.2f}",
        f"{ruled.sum()}, {(ruled & bad).sum()}",
        f"{sure.sum()}, {(sure & bad).sum()}",
        f"{upper_bound(int((sure & bad).sum()), int(sure.sum())):.1%}",
        f"{(ruled & good).sum() / max(good.sum(), 1):.0%}, {(sure & good).sum() / max(good.sum(), 1):.0%}",
        f"{fitted.calibration.threshold:.2f}, {certified}",
    ]


def _reliability(fitted: Sequence[Fitted]) -> str:
    """For each class of the probability: how many results, and by their weights the share that is acceptable."""
    estimated = np.concatenate([each.probabilities for each in fitted])
    shares = np.concatenate([case_weights(each.validation) for each in fitted])
    good = np.array([it.acceptable for each in fitted for it in each.validation], bool)
    lines = [_row(["probability", "results", "mean probability", "acceptable"]), _row(["---"] * 4)]
    for low, high in zip((0.0, *CLASSES), CLASSES, strict=False):
        chosen = (estimated >= low) & ((estimated < high) | (high == 1.0))
        if chosen.any():
            lines.append(
                _row(
                    [
                        f"{low:g} to {high:g}",
                        str(chosen.sum()),
                        f"{np.average(estimated[chosen], weights=shares[chosen]):.2f}",
                        f"{np.average(good[chosen], weights=shares[chosen]):.2f}",
                    ]
                )
            )
    return "\n".join(lines)


def auroc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Probability that a positive case has the larger score; nan without cases of both kinds."""
    if not positive.any() or positive.all():
        return float("nan")
    above = scores[positive][:, np.newaxis] - scores[~positive]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
