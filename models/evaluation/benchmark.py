"""Compares several methods on the same degraded photographs and prints a table of scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from skimage.metrics import structural_similarity

from darkroom.imaging.picture import Pixels

#: A method: from the degraded photograph and the sigma of its noise (0 for none) to the restored one.
Method = Callable[[Pixels, float], Pixels]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One way of degrading a photograph."""

    name: str
    #: From a clean photograph, uint8, to (degraded input, reference).
    degrade: Callable[[Pixels, np.random.Generator], tuple[Pixels, Pixels]]
    #: Sigma of the noise (0-255 scale) that the methods receive.
    sigma: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How near an answer is to the clean photograph."""

    psnr_db: float
    ssim: float


#: A score of (restored photograph, reference).
Scorer = Callable[[Pixels, Pixels], Score]


def benchmark(
    photographs: Sequence[Pixels], conditions: Sequence[Condition], methods: Mapping[str, Method], scorer: Scorer
) -> str:
    """A Markdown table of mean PSNR in dB and mean SSIM: a row for each condition, a column for each method."""
    lines = [_row(["", *methods]), _row(["---"] * (1 + len(methods)))]
    for condition in conditions:
        scores = [_mean(photographs, condition, method, scorer) for method in methods.values()]
        lines.append(_row([condition.name, *(f"{score.psnr_db:.2f} / {score.ssim:.4f}" for score in scores)]))
    return "\n".join(lines)


def rgb_score(answer: Pixels, clean: Pixels) -> Score:
    """Over all three channels of uint8 pictures."""
    ssim = structural_similarity(answer, clean, channel_axis=2, data_range=255)
    return Score(psnr_db=psnr_db(answer, clean), ssim=float(ssim))


def luma_score(border: int) -> Scorer:
    """On BT.601 studio luma without a border of that many pixels: the scale, as upscaling is scored in print."""

    def score(answer: Pixels, clean: Pixels) -> Score:
        answer_luma, clean_luma = (_studio_luma(each)[border:-border, border:-border] for each in (answer, clean))
        ssim = structural_similarity(answer_luma, clean_luma, data_range=255)
        return Score(psnr_db=psnr_db(answer_luma, clean_luma), ssim=float(ssim))

    return score


def psnr_db(answer: np.ndarray, clean: np.ndarray) -> float:
    """Peak signal-to-noise ratio for a peak of 255; at most 99 dB, the value for equal pictures."""
    squared = float(np.square(answer.astype(np.float64) - clean).mean())
    return float(min(99.0, 10 * np.log10(255**2 / max(squared, 1e-12))))


def _studio_luma(pixels: Pixels) -> np.ndarray:
    return 16 + pixels.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255


def _mean(photographs: Sequence[Pixels], condition: Condition, method: Method, scorer: Scorer) -> Score:
    scores = []
    for number, photograph in enumerate(photographs):
        given, clean = condition.degrade(photograph, np.random.default_rng(number))
        scores.append(scorer(method(given, condition.sigma), clean))
    return Score(
        psnr_db=float(np.mean([score.psnr_db for score in scores])),
        ssim=float(np.mean([score.ssim for score in scores])),
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
