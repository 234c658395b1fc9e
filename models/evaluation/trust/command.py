"""`python -m models.evaluation trust --data DIR`: runs the cases, prints the tables and draws the worst results."""

import argparse
import heapq
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from darkroom.imaging.picture import Pixels
from darkroom.runtime.bootstrap import build_local_runner
from darkroom.runtime.settings import read_settings
from models.evaluation.gallery import over_squares
from models.evaluation.sheet import Cell, sheet
from models.evaluation.trust.cases import (
    CUT_OUT_PRESETS,
    FAULTS_OF,
    Case,
    cut_out_cases,
    matte_paths,
    photograph_cases,
    photograph_paths,
    spread,
)
from models.evaluation.trust.outcome import Judged, judge, write_outcomes
from models.evaluation.trust.report import report

#: Photographs for each preset and fault; about 5 minutes on two processors.
PHOTOGRAPHS = 16
#: Photographs with a matte for each photograph of `PHOTOGRAPHS`, in `cutout`, which is fast.
CUT_OUTS = 4
#: Number of results on the sheet.
WORST = 20


def main(arguments: Sequence[str]) -> None:
    """Run the cases that were asked for."""
    asked = parse(arguments)
    runner = build_local_runner(read_settings(os.environ), asked.threads)
    outcomes, worst = [], Worst(WORST)
    for case in cases(asked):
        judged = judge(runner, case)
        outcomes.append(judged.outcome)
        worst.add(case, judged)
    print(report(outcomes))
    if asked.outcomes:
        write_outcomes(asked.outcomes, outcomes)
    if asked.sheet:
        sheet("the worst results by truth", list(worst.rows())).save(asked.sheet, quality=85)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    presets = [*FAULTS_OF, *CUT_OUT_PRESETS]
    parser = argparse.ArgumentParser(prog="python -m models.evaluation trust", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with photos/ and mattes/")
    parser.add_argument("--limit", type=int, default=PHOTOGRAPHS, help="photographs for each preset and fault")
    parser.add_argument("--presets", nargs="+", choices=presets, default=presets, help="only these presets")
    parser.add_argument("--part", choices=("validation", "training"), default="validation", help="part of the split")
    parser.add_argument("--outcomes", type=Path, help="write every outcome to this file, one JSON object a line")
    parser.add_argument("--sheet", type=Path, help=f"draw the {WORST} worst results by truth to this JPEG")
    parser.add_argument("--threads", type=int, default=2, help="threads of onnxruntime")
    return parser.parse_args(arguments)


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    """The cases of the photographs, then the cut-outs; `product` is slow and gets fewer."""
    validation = asked.part == "validation"
    photographs = spread(photograph_paths(asked.data, validation=validation), asked.limit)
    mattes = matte_paths(asked.data, validation=validation)
    counts = {"cutout": CUT_OUTS * asked.limit, "product": asked.limit}
    chosen = [preset for preset in CUT_OUT_PRESETS if preset in asked.presets]
    cut_outs = (cut_out_cases(spread(mattes, counts[preset]), [preset]) for preset in chosen)
    return chain(photograph_cases(photographs, asked.presets), *cut_outs)


class Worst:
    """The worst results so far, with their pictures; all others are forgotten."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[float, int, Case, Judged]] = []
        self._count = 0

    def add(self, case: Case, judged: Judged) -> None:
        """Keep the result if it is among the worst."""
        self._count += 1
        entry = (judged.outcome.badness, self._count, case, judged)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def rows(self) -> Iterator[list[Cell]]:
        """One row for each result, the worst first."""
        for _, _, case, judged in sorted(self._heap, reverse=True):
            yield _row(case, judged)


def _row(case: Case, judged: Judged) -> list[Cell]:
    outcome = judged.outcome
    reasons = ", ".join(outcome.reasons)
    verdict = "APPROVED" if outcome.approved else f"to review: {reasons}"
    score = judged.job.after.score if judged.job.after else 0.0
    return [
        Cell(title=f"{case.preset}: {case.fault}", pixels=case.given, caption=case.photograph),
        Cell(title=verdict, pixels=over_squares(judged.result), caption=_figures(judged, score)),
        Cell(title="truth", pixels=_truth(case), caption=""),
    ]


def _figures(judged: Judged, score: float) -> str:
    outcome = judged.outcome
    if outcome.iou is not None:
        return f"IoU {outcome.iou:.2f}, score {score:.0f}"
    left = "" if outcome.left is None else f", {outcome.left:.0%} of the damage left"
    error = f"colour error {outcome.before:.1f} to {outcome.after:.1f}, worst block {outcome.worst_block:+.1f}"
    return f"{error}{left}, score {score:.0f}"


def _truth(case: Case) -> Pixels:
    if case.subject is None:
        return case.wanted
    return np.where(case.subject[..., np.newaxis], case.wanted, np.uint8(220)).astype(np.uint8)
