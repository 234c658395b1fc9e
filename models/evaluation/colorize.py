"""The colorizer against grey, against a tint, and against itself with hints.

Photographs kept for validation are converted to grey by luma (BT.601, rounded to 8 bits) and coloured by the stage with
its defaults. PSNR is that of RGB; all of the error of a grey picture is colour, so its PSNR says how colourful the
photographs are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from darkroom.domain.parameters import ColorizeParameters, Hint
from darkroom.imaging.color import lab_from_image
from darkroom.imaging.picture import Picture, Pixels, to_float
from darkroom.imaging.tone.chroma import fit
from darkroom.inference.session import Model
from darkroom.stages.restore import restore
from models.evaluation.benchmark import psnr_db
from models.training.colourful import LEAST_CHROMA, mean_chroma
from models.training.photographs import is_validation, read_rgb

#: Most photographs of each folder.
PHOTOGRAPHS = 60
#: a* and b* of the tint: the mean colour of the photographs that are trained on.
TINT = (3.0, 8.0)
#: Confidence is counted in so many steps.
STEPS = 5

HEADER = ("", "PSNR, dB", "over grey, dB", "photographs better than grey", "chroma / real chroma", "mean ΔE2000")

#: From a photograph and its grey version to the coloured one.
Method = Callable[[Pixels, Pixels], Pixels]


@dataclass(slots=True)
class Tally:
    """What one method reached, a number for each photograph."""

    psnr_db: list[float] = field(default_factory=list)
    gain_db: list[float] = field(default_factory=list)
    chroma: list[float] = field(default_factory=list)
    real_chroma: list[float] = field(default_factory=list)
    delta_e: list[float] = field(default_factory=list)

    def add(self, answer: Pixels, photograph: Pixels, grey: Pixels) -> None:
        """Score one result."""
        found, wanted = (lab_from_image(to_float(each)) for each in (answer, photograph))
        self.psnr_db.append(psnr_db(answer, photograph))
        self.gain_db.append(self.psnr_db[-1] - psnr_db(grey, photograph))
        self.chroma.append(_chroma(found))
        self.real_chroma.append(_chroma(wanted))
        self.delta_e.append(float(deltaE_ciede2000(found, wanted).mean()))

    def cells(self) -> list[str]:
        """The numbers under HEADER."""
        return [
            f"{np.mean(self.psnr_db):.2f}",
            f"{np.mean(self.gain_db):+.2f}",
            f"{100 * np.mean(np.array(self.gain_db) > 0):.0f} %",
            f"{100 * np.sum(self.chroma) / np.sum(self.real_chroma):.0f} %",
            f"{np.mean(self.delta_e):.2f}",
        ]


def table(folder: Path, model: Model) -> str:
    """A table for photos/, one for mattes/, and how often the network is right where it is confident."""
    parts = []
    for name in ("photos", "mattes"):
        photographs = validation_photographs(folder / name)
        parts += [f"{len(photographs)} photographs of {name}/", benchmark(photographs, methods(model))]
    return "\n\n".join([*parts, "confidence, photographs of photos/", calibration(folder / "photos", model)])


def validation_photographs(folder: Path) -> list[Pixels]:
    """Evenly spaced ones of those that were not trained on and have colour."""
    paths = [path for path in sorted(folder.glob("*.jpg")) if is_validation(path.name)]
    photographs = [read_rgb(path) for path in paths[:: -(-len(paths) // PHOTOGRAPHS)]]
    return [each for each in photographs if mean_chroma(each) >= LEAST_CHROMA]


def benchmark(photographs: Sequence[Pixels], methods_by_name: Mapping[str, Method]) -> str:
    """A Markdown table, a row for each method."""
    tallies = {name: Tally() for name in methods_by_name}
    for photograph in photographs:
        grey = greyed(photograph)
        for name, method in methods_by_name.items():
            tallies[name].add(method(photograph, grey), photograph, grey)
    return _markdown([HEADER, *((name, *tally.cells()) for name, tally in tallies.items())])


def methods(model: Model) -> Mapping[str, Method]:
    """What is compared."""
    return {
        "grey": lambda _, grey: grey,
        "tint": lambda _, grey: fit(grey, np.full((4, 4, 2), TINT, np.float32)).on(grey),
        "network alone, enlarged": lambda _, grey: enlarged(model, grey),
        "model": lambda _, grey: coloured(grey, model),
        **{
            f"model, {number} {'hint' if number == 1 else 'hints'}": _hinted(model, number)
            for number in ((1, 5, 20) if "hints" in model.extra else ())
        },
        "the real colours, as small": real_but_small,
    }


def greyed(photograph: Pixels) -> Pixels:
    """Luma in all three channels."""
    return cv2.cvtColor(cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def coloured(grey: Pixels, model: Model, hints: tuple[Hint, ...] = ()) -> Pixels:
    """The result of the stage with its defaults."""
    return restore("colorize", Picture(pixels=grey), ColorizeParameters(hints=hints), "model", model).picture.pixels


def enlarged(model: Model, grey: Pixels) -> Pixels:
    """The network's colours, enlarged without regard to edges or confidence."""
    without_hints = {name: np.zeros((3, *model.reduced(*grey.shape[:2])), np.float32) for name in model.extra}
    chroma = next(iter(model.read(grey, without_hints).values()))
    lab = lab_from_image(to_float(grey))
    lab[..., 1:] = cv2.resize(chroma.transpose(1, 2, 0), grey.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.rint(255 * cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)).astype(np.uint8)


def real_but_small(photograph: Pixels, grey: Pixels) -> Pixels:
    """The true colours at the size of the network's answer, brought to full size as its answer is: the ceiling."""
    chroma = lab_from_image(to_float(photograph))[..., 1:]
    return fit(grey, cv2.resize(chroma, (32, 32), interpolation=cv2.INTER_AREA)).on(grey)


def _hinted(model: Model, number: int) -> Method:
    return lambda photograph, grey: coloured(grey, model, true_hints(photograph, number))


def true_hints(photograph: Pixels, number: int) -> tuple[Hint, ...]:
    """The true colours of random places, the same ones every time."""
    rng = np.random.default_rng(0)
    smooth = cv2.blur(photograph, (7, 7))
    places = rng.uniform(0, 1, (number, 2))
    colours = (smooth[int(y * smooth.shape[0]), int(x * smooth.shape[1])] for x, y in places)
    return tuple(
        Hint(x=float(x), y=float(y), color=f"#{bytes(colour).hex()}")
        for (x, y), colour in zip(places, colours, strict=True)
    )


def calibration(folder: Path, model: Model) -> str:
    """For steps of confidence: their share of the pixels, and how many of these miss by less than 15 Lab units."""
    confidence, right = [], []
    for photograph in validation_photographs(folder):
        grey = greyed(photograph)
        none = {name: np.zeros((3, *model.reduced(*grey.shape[:2])), np.float32) for name in model.extra}
        maps = model.read(grey, none)
        if "confidence" not in maps:
            return "the model reports none"
        size = maps["chroma"].shape[:0:-1]
        wanted = cv2.resize(lab_from_image(to_float(photograph))[..., 1:], size, interpolation=cv2.INTER_AREA)
        missed = np.hypot(*(maps["chroma"] - wanted.transpose(2, 0, 1)))
        confidence.append(maps["confidence"].ravel())
        right.append((missed < 15).ravel())
    return _reliability(np.concatenate(confidence), np.concatenate(right))


def _reliability(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> str:
    rows: list[Sequence[str]] = [("confidence", "share of pixels", "within 15 Lab units")]
    step = np.minimum((confidence * STEPS).astype(int), STEPS - 1)
    for number in range(STEPS):
        chosen = step == number
        share = f"{100 * right[chosen].mean():.0f} %" if chosen.any() else "-"
        rows.append((f"{number / STEPS:g} to {(number + 1) / STEPS:g}", f"{100 * chosen.mean():.0f} %", share))
    return _markdown(rows)


def _chroma(lab: NDArray[np.float32]) -> float:
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *body])
