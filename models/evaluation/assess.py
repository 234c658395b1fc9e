"""The score network compared with the classical score and its measurements.

Every photograph kept for validation, whole, with graded mixtures of faults (`models.training.mixtures`, fixed seed) and
with each fault alone; the truth is full-reference: `models.training.fidelity.quality`, and for comparison SSIM on luma
(scikit-image's, Gaussian window) and PSNR over RGB alone. Judges see the degraded picture only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from skimage.metrics import structural_similarity

from darkroom.domain.measurements import Measurements, Score
from darkroom.execution.step import rate
from darkroom.imaging.measurement.measure import measure
from darkroom.imaging.picture import Picture, Pixels, to_float
from darkroom.inference.session import Model
from darkroom.stages import StageModel
from models.evaluation.benchmark import psnr_db
from models.training.degradations import to_u8
from models.training.fidelity import LUMA, quality
from models.training.mixtures import FAULTS, Mixture, degraded, random_mixture

#: Number of mixtures for each photograph.
MIXTURES = 8
#: Grades of each single fault, 0-1.
GRADES = (0.15, 0.35, 0.55, 0.75, 0.95)

Scorer = Callable[[Picture, Measurements], Score]


@dataclass(slots=True)
class Findings:
    """What was found on degraded pictures, in their order."""

    #: Full-reference measures by name.
    truths: dict[str, list[float]] = field(default_factory=dict)
    #: Scores by scorer, of the degraded pictures and of their originals.
    scores: dict[str, list[float]] = field(default_factory=dict)
    originals: dict[str, list[float]] = field(default_factory=dict)
    #: The network's parts, and the grades they should follow.
    parts: list[Mapping[str, float]] = field(default_factory=list)
    mixtures: list[Mixture] = field(default_factory=list)


def table(photographs: Sequence[Pixels], model: Model) -> str:
    """Spearman's correlation with the truth, and how often the original is ranked above its degraded copy."""
    scorers = scorers_with(model)
    mixed = examine(photographs, scorers, lambda rng: [random_faults(rng) for _ in range(MIXTURES)])
    single = examine(photographs, scorers, lambda _: [Mixture(grades={f: g}) for f in FAULTS for g in GRADES])
    return "\n\n".join(
        [_summary("graded mixtures", mixed), _summary("one fault", single), _alone(single), _parts(mixed)]
    )


def scorers_with(model: StageModel | None) -> Mapping[str, Scorer]:
    """The score without the network, and with it."""
    return {
        "classical score": lambda picture, measured: rate(picture, measured, None, None),
        "network": lambda picture, measured: rate(picture, measured, model, None),
    }


def random_faults(rng: np.random.Generator) -> Mixture:
    """A mixture with one fault at least."""
    while not (mixture := random_mixture(rng)).grades:
        pass
    return mixture


def examine(
    photographs: Sequence[Pixels],
    scorers: Mapping[str, Scorer],
    mixtures: Callable[[np.random.Generator], Sequence[Mixture]],
) -> Findings:
    """Degrade, compare with the original, and compute every score."""
    found = Findings()
    for number, photograph in enumerate(photographs):
        rng = np.random.default_rng(number)
        originals = scored(photograph, scorers)
        for mixture in mixtures(rng):
            seen = to_u8(degraded(to_float(photograph), mixture, rng))
            _note(found.truths, truths(seen, photograph))
            scores = scored(seen, scorers)
            _note(found.scores, {name: score.value for name, score in scores.items()})
            _note(found.originals, {name: score.value for name, score in originals.items()})
            found.parts.append(scores["network"].parts)
            found.mixtures.append(mixture)
    return found


def scored(pixels: Pixels, scorers: Mapping[str, Scorer]) -> dict[str, Score]:
    """The score of every scorer."""
    picture = Picture(pixels=pixels)
    measured = measure(picture)
    return {name: scorer(picture, measured) for name, scorer in scorers.items()}


def truths(seen: Pixels, original: Pixels) -> dict[str, float]:
    """How near the degraded picture is to its original, by three measures."""
    first, second = (to_float(each) @ LUMA for each in (seen, original))
    return {
        "quality": quality(to_float(seen), to_float(original)),
        "SSIM": float(structural_similarity(first, second, data_range=1.0, gaussian_weights=True, sigma=1.5)),
        "PSNR": psnr_db(seen, original),
    }


def _note(lists: dict[str, list[float]], values: Mapping[str, float]) -> None:
    for name, value in values.items():
        lists.setdefault(name, []).append(value)


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Correlation of the ranks, equal values sharing theirs."""
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: Sequence[float]) -> np.ndarray:
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]


def _summary(name: str, found: Findings) -> str:
    head = [
        f"{name}, {len(found.mixtures)} pictures",
        *(f"Spearman with {truth}" for truth in found.truths),
        "original above",
    ]
    rows = [
        [
            name,
            *(f"{spearman(scores, truth):.3f}" for truth in found.truths.values()),
            f"{100 * np.mean(np.greater(found.originals[name], scores)):.1f} %",
        ]
        for name, scores in found.scores.items()
    ]
    return _markdown(head, rows)


def _alone(found: Findings) -> str:
    """Each fault alone: Spearman with quality, and the share of originals above."""
    rows = []
    for fault in FAULTS:
        chosen = [number for number, mixture in enumerate(found.mixtures) if fault in mixture.grades]
        truth = np.array(found.truths["quality"])[chosen]
        cells = [fault]
        for name, scores in found.scores.items():
            own, originals = np.array(scores)[chosen], np.array(found.originals[name])[chosen]
            cells.append(f"{spearman(own, truth):.3f} / {100 * np.mean(originals > own):.0f} %")
        rows.append(cells)
    return _markdown(["one fault", *found.scores], rows)


def _parts(found: Findings) -> str:
    """How the network's parts follow the grades of their faults in the mixtures."""
    rows = []
    for number, fault in enumerate(FAULTS):
        truth = [mixture.parts()[number] for mixture in found.mixtures]
        reported = [parts[fault] for parts in found.parts]
        rows.append(
            [
                fault,
                f"{spearman(reported, truth):.3f}",
                f"{np.mean(np.abs(np.array(reported) - 100 * np.array(truth))):.1f}",
            ]
        )
    return _markdown(["part, in mixtures", "Spearman with the grade", "mean error in points"], rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
