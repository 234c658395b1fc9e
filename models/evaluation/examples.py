"""`python -m models.evaluation.examples repair` draws the picture on a model's card: successes, then failures.

Parts of scenes as they were spoilt, as the stage's classical method and as the model restore them with default
parameters, and as they were before. The figures under them are those of the whole scene. For `assess`: pictures that
get worse from left to right, with their scores.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from darkroom.domain.parameters import Stage
from darkroom.domain.pipeline import build_pipeline
from darkroom.execution.runner import LocalRunner, open_score_model
from darkroom.imaging.picture import Pixels, to_float
from models.evaluation import scenes
from models.evaluation.assess import scored, scorers_with, truths
from models.evaluation.gallery import both, row
from models.evaluation.gallery_cases import STAGES
from models.evaluation.scenes import Scene, spoilt, untouched
from models.evaluation.sheet import Cell, sheet
from models.training import blur
from models.training.degradations import to_u8
from models.training.mixtures import Mixture, degraded

MODELS = Path(__file__).resolve().parents[1]
#: Width of a column in pixels.
WIDTH = 300
#: Grades of a fault from left to right.
GRADES = (0.0, 0.2, 0.5, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The part of a scene that shows the effect of the model; the whole scene by default."""

    scene: Scene
    #: Left, top and side of the part, as shares of the picture's width and height.
    left: float = 0.0
    top: float = 0.0
    side: float = 1.0

    def of(self, cell: Cell) -> Cell:
        """The same part of the cell's picture, of whatever size that is."""
        height, width = cell.pixels.shape[:2]
        top, left, extent = round(self.top * height), round(self.left * width), round(self.side * width)
        return replace(cell, pixels=np.ascontiguousarray(cell.pixels[top : top + extent, left : left + extent]))


def _repair() -> list[Example]:
    soft = replace(
        spoilt("the same damage, softened by 1 px", scenes.portrait(), scenes.scratched_and_softened(1.0), seed=1),
        wanted=None,
    )
    return [
        Example(scene=spoilt("damage", scenes.portrait(), scenes.scratched, seed=1), left=0.2, top=0.0, side=0.6),
        Example(
            scene=spoilt("damage", scenes.grey(scenes.cat()), scenes.scratched, seed=2), left=0.1, top=0.0, side=0.6
        ),
        Example(scene=spoilt("damage", scenes.table(), scenes.scratched, seed=5), left=0.2, top=0.1, side=0.5),
        Example(scene=untouched("undamaged", scenes.launch_pad()), left=0.35, top=0.0, side=0.4),
        Example(scene=soft, left=0.2, top=0.0, side=0.6),
    ]


def _denoise() -> list[Example]:
    return [
        Example(scene=spoilt("white noise, sigma 25", scenes.portrait(), scenes.noisy(25)), left=0.2, side=0.5),
        Example(scene=spoilt("JPEG, quality 10", scenes.table(), scenes.compressed(10)), left=0.2, side=0.6),
        Example(scene=spoilt("film grain, sigma 25", scenes.cat(), scenes.grained(25)), left=0.2, top=0.1, side=0.6),
        Example(scene=spoilt("white noise, sigma 50", scenes.launch_pad(), scenes.noisy(50)), left=0.35, side=0.4),
    ]


def _deblur() -> list[Example]:
    return [
        Example(
            scene=spoilt("motion, 9 px", scenes.portrait(), scenes.blurred(blur.straight_motion(9, 0.5))),
            left=0.25, top=0.05, side=0.4,
        ),
        Example(
            scene=spoilt("defocus, 4 px", scenes.cat(), scenes.blurred(blur.defocus(4))), left=0.3, top=0.1, side=0.5
        ),
        Example(
            scene=spoilt("print, defocus 2 px", scenes.label(), scenes.blurred(blur.defocus(2))),
            left=0.15, top=0.15, side=0.5,
        ),
        Example(
            scene=spoilt("shaken, 19 px", scenes.table(), scenes.blurred(blur.shaken(19, np.random.default_rng(3)))),
            left=0.2, top=0.1, side=0.5,
        ),
    ]  # fmt: skip


def _whole(stage: Stage) -> Callable[[], list[Example]]:
    return lambda: [Example(scene=scene) for scene in STAGES[stage]()]


def _enlarged(factor: int) -> Callable[[], list[Example]]:
    part = {2: "half", 4: "a quarter"}[factor]

    def examples() -> list[Example]:
        return [
            Example(
                scene=spoilt(f"print, {part}", scenes.label(), scenes.smaller(factor)), left=0.17, top=0.15, side=0.45
            ),
            Example(
                scene=spoilt(f"eyes and fur, {part}", scenes.cat(), scenes.smaller(factor)), left=0.3, top=0.1, side=0.4
            ),
            Example(
                scene=spoilt(f"{part}, JPEG of quality 40", scenes.portrait(), scenes.smaller(factor, 40)),
                left=0.25, top=0.05, side=0.35,
            ),
        ]  # fmt: skip

    return examples


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a model's picture shows."""

    stages: JsonValue
    examples: Callable[[], Sequence[Example]]


#: By the folder of the model.
CARDS = {
    "background": Card(stages=["background"], examples=_whole("background")),
    "white-balance": Card(stages=["white_balance"], examples=_whole("white_balance")),
    "repair": Card(stages=["repair"], examples=_repair),
    "denoise": Card(stages=["denoise"], examples=_denoise),
    "deblur": Card(stages=["deblur"], examples=_deblur),
    "upscale-x2": Card(stages=[{"stage": "upscale", "scale": 2}], examples=_enlarged(2)),
    "upscale-x4": Card(stages=[{"stage": "upscale", "scale": 4}], examples=_enlarged(4)),
}


def main() -> None:
    """Draw the requested pictures."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.examples", description=__doc__)
    parser.add_argument("model", nargs="+", choices=[*CARDS, "assess"])
    parser.add_argument("--out", type=Path, default=MODELS, help="folder that contains the models' folders")
    arguments = parser.parse_args()
    benches = both(1)
    for name in arguments.model:
        if name == "assess":
            rows = judgements(benches.model)
        else:
            card = CARDS[name]
            pipeline = build_pipeline({"stages": card.stages})
            rows = [[each.of(cell) for cell in row(each.scene, pipeline, benches)] for each in card.examples()]
        path = arguments.out / name / "examples.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet("", rows, width=WIDTH).save(path, quality=85, optimize=True)
        print(path, flush=True)


def judgements(bench: LocalRunner) -> list[list[Cell]]:
    """Scenes with one fault or two, stronger to the right, and their scores."""
    rows = (
        (scenes.portrait(), ("noise",)),
        (scenes.table(), ("blocking",)),
        (scenes.cat(), ("exposure", "cast")),
        (scenes.cat(), ("blur",)),
    )
    return [[_judgement(bench, photograph, faults, grade) for grade in GRADES] for photograph, faults in rows]


def _judgement(bench: LocalRunner, photograph: Pixels, faults: Sequence[str], grade: float) -> Cell:
    mixture = Mixture(grades=dict.fromkeys(faults, grade) if grade else {})
    shown = to_u8(degraded(to_float(photograph), mixture, np.random.default_rng(1)))
    scores = scored(shown, scorers_with(open_score_model(bench)))
    quality = 100 * truths(shown, photograph)["quality"]
    return Cell(
        title=f"{' and '.join(faults)}, grade {grade:g}" if grade else "as taken",
        pixels=shown,
        caption=f"network {scores['network'].value:.0f}, classical {scores['classical score'].value:.0f}, "
        f"true {quality:.0f}",
    )


if __name__ == "__main__":
    main()
