"""The repair network compared with its input, the classical method, and inpainting with the true mask."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import starmap

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.parameters import RepairParameters
from darkroom.imaging.picture import Image, Picture, Pixels, to_float
from darkroom.inference.session import Model
from darkroom.stages import repair
from models.training.damage import KINDS, Layer, Size, aged, damaged
from models.training.degradations import jpeg, to_u8
from models.training.hard_negatives import cluttered

Found = NDArray[np.bool_]
#: A photograph to it damaged, and as it was before.
Damage = Callable[[Image, np.random.Generator], tuple[Image, Image]]
#: From the damaged picture and the true mask, which only some methods use, to the result.
Method = Callable[[Pixels, Found], Pixels]

#: A change of any channel by more than this belongs to the mask, as in training.
VISIBLE = 8
#: Side of the median filter, the classical way to remove dust.
MEDIAN = 7
#: JPEG quality of the scans of old photographs.
QUALITY = 85
#: Deviation in pixels of the Gaussian that models a scanner's softness.
SOFTNESS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one method did on one photograph."""

    #: Pixels in both the true mask and what was changed, and in at least one of them.
    common: int
    either: int
    #: Over the pixels of the true mask.
    inside_db: float
    #: Share of the pixels that were changed.
    found: float

    @property
    def iou(self) -> float:
        """Intersection over union; 1 where there is nothing and nothing was found."""
        return self.common / self.either if self.either else 1.0


def table(photographs: Sequence[Pixels], model: Model) -> str:
    """Overlap of the found with the true mask, and PSNR inside the true mask; then what is found where nothing is."""
    methods: Mapping[str, Method] = {
        "input": lambda given, _: given,
        "median 7x7 with the true mask": _median,
        "Telea with the true mask": _telea,
        "telea": lambda given, _: repair.classical(Picture(pixels=given), RepairParameters(), "telea").picture.pixels,
        "model": lambda given, _: repair.with_model(Picture(pixels=given), RepairParameters(), model).picture.pixels,
    }
    return "\n\n".join([_on_damage(photographs, methods), _on_nothing(photographs, methods)])


def _on_damage(photographs: Sequence[Pixels], methods: Mapping[str, Method]) -> str:
    head = ["", "IoU telea", "IoU model", "IoU model, pooled", *(f"{name}, dB" for name in methods)]
    lines = [_row(head), _row(["---"] * len(head))]
    for name, damage in DAMAGES.items():
        outcomes = {method: _outcomes(photographs, damage, answer) for method, answer in methods.items()}
        overlaps = [*(_mean(outcomes[method], "iou") for method in ("telea", "model")), _pooled(outcomes["model"])]
        inside = [_mean(each, "inside_db") for each in outcomes.values()]
        lines.append(_row([name, *(f"{each:.3f}" for each in overlaps), *(f"{each:.2f}" for each in inside)]))
    return "\n".join(lines)


def _on_nothing(photographs: Sequence[Pixels], methods: Mapping[str, Method]) -> str:
    lines = [_row(["found where nothing is", "telea", "model"]), _row(["---"] * 3)]
    for name, damage in UNDAMAGED.items():
        shares = [_mean(_outcomes(photographs, damage, methods[each]), "found") for each in ("telea", "model")]
        lines.append(_row([name, *(f"{share:.3%}" for share in shares)]))
    return "\n".join(lines)


def _outcomes(photographs: Sequence[Pixels], damage: Damage, method: Method) -> list[Outcome]:
    """For each photograph; number N has the seed N."""
    numbered = ((photograph, damage, method, number) for number, photograph in enumerate(photographs))
    return list(starmap(_outcome, numbered))


def _outcome(photograph: Pixels, damage: Damage, method: Method, seed: int) -> Outcome:
    image, clean = damage(to_float(photograph), np.random.default_rng(seed))
    target = to_u8(clean)
    true = _differs(to_u8(image), target, VISIBLE)
    given = to_u8(jpeg(image, QUALITY)) if damage in SCANNED else to_u8(image)
    answer = method(given, true)
    found = _differs(answer, given, 0)
    return Outcome(
        common=int((found & true).sum()),
        either=int((found | true).sum()),
        inside_db=_inside_db(answer, target, true) if true.any() else np.nan,
        found=float(found.mean()),
    )


def _differs(one: Pixels, other: Pixels, by: int) -> Found:
    return (np.abs(one.astype(np.int16) - other) > by).any(axis=2)


def _inside_db(answer: Pixels, target: Pixels, inside: Found) -> float:
    squared = np.square(answer[inside].astype(np.float64) - target[inside]).mean()
    return float(10 * np.log10(255**2 / max(squared, 1e-2)))


def _mean(outcomes: Sequence[Outcome], name: str) -> float:
    return float(np.nanmean([getattr(outcome, name) for outcome in outcomes]))


def _pooled(outcomes: Sequence[Outcome]) -> float:
    """Intersection over union of the pixels of all photographs together."""
    return sum(each.common for each in outcomes) / max(sum(each.either for each in outcomes), 1)


def _median(given: Pixels, true: Found) -> Pixels:
    return np.where(true[..., np.newaxis], cv2.medianBlur(given, MEDIAN), given)


def _telea(given: Pixels, true: Found) -> Pixels:
    return cv2.inpaint(given, cv2.dilate(true.astype(np.uint8), None), 3, cv2.INPAINT_TELEA)


def _one(
    kind: Callable[[Size, np.random.Generator], Layer], image: Image, rng: np.random.Generator
) -> tuple[Image, Image]:
    return kind((image.shape[0], image.shape[1]), rng).over(image), image


def _mixed(image: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    return damaged(image, rng)[0], image


def _hard(image: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    return damaged(image, rng, hard=1.0)[0], image


def _old(image: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    return _mixed(aged(image, rng), rng)


def _soft(image: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """As a scanner or an enlargement shows it: damage and photograph are equally soft."""
    given, clean = (cv2.GaussianBlur(each, (0, 0), SOFTNESS) for each in _mixed(image, rng))
    return given, clean


#: Every kind of damage alone, then one to three kinds together.
DAMAGES: Mapping[str, Damage] = {
    **{kind.__name__: partial(_one, kind) for kind in KINDS},
    "mixed": _mixed,
    "mixed, hard edges": _hard,
    "mixed, four in ten old, JPEG 85": _old,
    "mixed, softened by 1 px": _soft,
}
#: What is stored as JPEG after it was damaged.
SCANNED: tuple[Damage, ...] = (_old,)
UNDAMAGED: Mapping[str, Damage] = {
    "photographs": lambda image, _: (image, image),
    "four in ten old": lambda image, rng: (old := aged(image, rng), old),
    "hard negatives drawn in": lambda image, rng: (drawn := cluttered(image, rng), drawn),
}


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
