"""Runs one case and judges the result by its truth."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from darkroom.domain.acceptance import Term, evidence
from darkroom.domain.job import Job
from darkroom.domain.messages import Step
from darkroom.domain.pipeline import build_pipeline
from darkroom.execution.runner import LocalRunner, run_pipeline
from darkroom.imaging.codec import Limits, decode
from darkroom.imaging.color import lab_from_image
from darkroom.imaging.filters import resized
from darkroom.imaging.picture import Picture, Pixels, to_float
from models.evaluation.gallery import png
from models.evaluation.trust.cases import CLEAN, Case, Mask

#: Side in pixels of the blocks in which local harm is searched.
BLOCK = 32
#: Increase of a block's CIEDE2000 error from which it is locally worse.
HARM = 3.0
#: Mean CIEDE2000 error of a picture that needs no further restoration.
CLOSE = 2.0
#: Largest share of the damage's contrast that may be left.
MOST_LEFT = 0.4
#: Smallest share of the picture that drawn damage covers to be judged; less is hardly seen.
LEAST_DAMAGE = 0.001
#: Least intersection over union of a cut-out that is not wrong.
LEAST_IOU = 0.8
#: Least intersection over union of a good cut-out.
GOOD_IOU = 0.9
#: Chroma (CIE Lab) above which a hue can be wrong.
COLOURED = 20.0
#: Largest share of the picture that may have the opposite hue (more than 90 degrees off).
MOST_WRONG_HUE = 0.1

UNLIMITED = Limits(max_bytes=2**31, max_pixels=2**31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one case, by its truth and by the verdict."""

    preset: str
    photograph: str
    fault: str
    #: Mean CIEDE2000 between the given picture and the truth, and between the result and the truth; 0 for a cut-out.
    before: float = 0.0
    after: float = 0.0
    #: Largest increase of a block's CIEDE2000 error.
    worst_block: float = 0.0
    #: Share of the damage's contrast that is left; None if no damage was drawn.
    left: float | None = None
    #: Share of the picture with the opposite hue; None if no colours were added.
    wrong_hue: float | None = None
    #: Intersection over union of the matte; None if the case is no cut-out.
    iou: float | None = None
    approved: bool
    #: The codes of the reasons for a review.
    reasons: tuple[str, ...] = ()
    #: The terms of `darkroom.domain.acceptance`.
    evidence: Mapping[Term, float] = field(default_factory=dict)

    @property
    def acceptable(self) -> bool:
        """Whether a person would accept the result, by the truth."""
        if self.iou is not None:
            return self.iou >= LEAST_IOU
        if self.wrong_hue is not None:
            return self.wrong_hue <= MOST_WRONG_HUE
        if self.worst_block > HARM:
            return False
        if self.left is not None:
            return self.left <= MOST_LEFT
        return self.fault == CLEAN or self.after < self.before or self.after <= CLOSE

    @property
    def good(self) -> bool:
        """Whether the result should be approved: a cut-out must be better than just acceptable."""
        return self.iou >= GOOD_IOU if self.iou is not None else self.acceptable

    @property
    def badness(self) -> float:
        """Orders results by the truth: 1 is the limit of what is acceptable, and larger is worse."""
        if self.iou is not None:
            return (1.0 - self.iou) / (1.0 - LEAST_IOU)
        worst = [self.worst_block / HARM]
        if self.left is not None:
            worst.append(self.left / MOST_LEFT)
        if self.wrong_hue is not None:
            worst = [self.wrong_hue / MOST_WRONG_HUE]
        return max(worst)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An outcome with its pictures."""

    outcome: Outcome
    result: Picture
    job: Job


def judge(runner: LocalRunner, case: Case) -> Judged:
    """Run the case through its preset as the service does, and judge the result."""
    seen: list[Picture] = []

    def watch(step: Step, picture: Picture) -> None:
        if step.stage == "finish":
            seen.append(picture)

    done = run_pipeline(runner, "case.png", png(case.given), build_pipeline({"preset": case.preset}), watch=watch)
    result = decode(done.data, UNLIMITED).picture
    outcome = Outcome(
        preset=case.preset,
        photograph=case.photograph,
        fault=case.fault,
        approved=done.job.qc_status == "auto_approved",
        reasons=tuple(reason.code for reason in done.job.review_reasons),
        evidence=evidence(done.job.records, done.job.before, done.job.after),
    )
    if case.subject is not None:
        return Judged(outcome=replace(outcome, iou=overlap(seen[-1], case.subject)), result=seen[-1], job=done.job)
    return Judged(outcome=_restored(outcome, case, result.pixels), result=result, job=done.job)


def overlap(cut: Picture, subject: Mask) -> float:
    """Intersection over union of the picture's matte and the subject (H, W); an opaque picture has all as its matte."""
    matte = np.ones(subject.shape, bool) if cut.alpha is None else resized(cut.alpha, *subject.shape[:2]) > 127
    return float((matte & subject).sum() / max((matte | subject).sum(), 1))


def _restored(outcome: Outcome, case: Case, result: Pixels) -> Outcome:
    """The outcome with the truth of a restoration; a result of another size is brought to the truth's."""
    size = case.wanted.shape[0], case.wanted.shape[1]
    given, answer = (resized(each, *size) for each in (case.given, result))
    before, after = (error_map(each, case.wanted) for each in (given, answer))
    has_damage = case.damaged is not None and case.damaged.mean() >= LEAST_DAMAGE
    return replace(
        outcome,
        before=float(before.mean()),
        after=float(after.mean()),
        worst_block=float((block_means(after) - block_means(before)).max()),
        left=damage_left(answer, case) if has_damage else None,
        wrong_hue=wrong_hue(answer, case.wanted) if case.fault == "grey" else None,
    )


def error_map(answer: Pixels, wanted: Pixels) -> NDArray[np.float32]:
    """CIEDE2000 of each pixel, (H, W)."""
    first, second = (lab_from_image(to_float(each)) for each in (answer, wanted))
    return np.asarray(deltaE_ciede2000(first, second), np.float32)


def block_means(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over blocks of `BLOCK` pixels; a rest at the lower and the right border joins no block if it is small."""
    rows, columns = (max(1, round(side / BLOCK)) for side in plane.shape)
    return np.asarray(cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def damage_left(result: Pixels, case: Case) -> float:
    """Mean difference to the truth inside the damage, as a share of what it was in the given picture."""
    damaged: Mask = case.damaged if case.damaged is not None else np.zeros(result.shape[:2], bool)
    given, answer = (np.abs(each.astype(np.float32) - case.wanted)[damaged].mean() for each in (case.given, result))
    return float(answer / given)


def wrong_hue(answer: Pixels, wanted: Pixels) -> float:
    """Share of the pixels whose hue is more than 90 degrees off, among those with visible chroma in both."""
    first, second = (lab_from_image(to_float(each))[..., 1:] for each in (answer, wanted))
    coloured = (np.hypot(*np.moveaxis(first, 2, 0)) > COLOURED) & (np.hypot(*np.moveaxis(second, 2, 0)) > COLOURED)
    return float((((first * second).sum(axis=2) < 0) & coloured).mean())


def write_outcomes(path: Path, outcomes: Iterable[Outcome]) -> None:
    """One JSON object a line."""
    path.write_text("".join(f"{json.dumps(asdict(each))}\n" for each in outcomes), encoding="utf-8")


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """The outcomes of a file of `write_outcomes`."""
    for line in path.read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        yield Outcome(**{**values, "reasons": tuple(values["reasons"])})
