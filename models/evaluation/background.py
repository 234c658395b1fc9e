"""The subject's matte against GrabCut, and against doing nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.parameters import BackgroundParameters
from darkroom.imaging.picture import Picture, Pixels, Plane, to_float, to_pixels
from darkroom.inference.registry import Registry
from darkroom.inference.session import Model, ModelStore
from darkroom.runtime.settings import DEFAULT_REGISTRY
from darkroom.stages import StageOutput
from darkroom.stages.restore import restore
from models.training.mattes import photographs_with_matte, read_pair
from models.training.photographs import is_validation

#: Weight of recall against precision that salient object detection has settled on (Achanta, Hemami, Estrada,
#: Susstrunk: Frequency-tuned salient region detection, 2009, https://doi.org/10.1109/CVPR.2009.5206596).
BETA_SQUARED = 0.3
#: Least intersection over union of a good cut-out.
GOOD = 0.9
#: Largest number of pairs that are evaluated: GrabCut needs a third of a second for each.
PAIRS = 150

HEADER = (
    "| | max F | F, cut at one half | mean absolute error | mean IoU | IoU of 0.9 and more | no subject found |",
    "| --- | --- | --- | --- | --- | --- | --- |",
)

#: From a photograph to its matte as 0-255; None: no subject found.
Method = Callable[[Pixels], Pixels | None]


@dataclass(slots=True)
class Tally:
    """Errors of one method, summed over pictures."""

    pictures: int = 0
    not_found: int = 0
    error: float = 0.0
    #: Intersection over union of each matte, cut at one half, with what is wanted.
    overlaps: list[float] = field(default_factory=list)
    #: Sums of precision and recall for the cuts at 0, 1 … 255.
    precision: NDArray[np.float64] = field(default_factory=lambda: np.zeros(256))
    recall: NDArray[np.float64] = field(default_factory=lambda: np.zeros(256))

    def add(self, answer: Pixels | None, wanted: NDArray[np.bool_]) -> None:
        """Score one result; a picture without a subject stays opaque and is scored as such."""
        self.pictures += 1
        self.not_found += answer is None
        matte = np.full(wanted.shape, 255, np.uint8) if answer is None else answer
        self.error += float(np.abs(to_float(matte) - wanted).mean())
        self.overlaps.append(float(((matte > 127) & wanted).sum() / max(((matte > 127) | wanted).sum(), 1)))
        precision, recall = precision_and_recall(matte, wanted)
        self.precision += precision
        self.recall += recall

    @property
    def mean_error(self) -> float:
        """Mean absolute error of the mattes."""
        return self.error / self.pictures

    def f_measure(self) -> NDArray[np.float64]:
        """F-measure of the mean precision and the mean recall, for each cut."""
        precision, recall = self.precision / self.pictures, self.recall / self.pictures
        return (1 + BETA_SQUARED) * precision * recall / np.maximum(BETA_SQUARED * precision + recall, 1e-9)


def precision_and_recall(matte: Pixels, wanted: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of what is at or above each of the 256 levels, the share that is wanted; of what is wanted, the share that is."""
    right = np.bincount(matte[wanted], minlength=256)[::-1].cumsum()[::-1]
    found = np.bincount(matte.ravel(), minlength=256)[::-1].cumsum()[::-1]
    return right / np.maximum(found, 1), right / max(int(wanted.sum()), 1)


def table(folder: Path, model: Model) -> str:
    """Largest and mean F-measure and mean absolute error on the pairs of `folder` that are kept for validation."""
    pairs = [read_pair(path) for path in validation_paths(folder)]
    compared = {**beside(model), **methods(model)}
    tallies = {name: judged(pairs, method) for name, method in compared.items()}
    return "\n".join([*HEADER, *(_row(_cells(*each)) for each in tallies.items())])


def validation_paths(folder: Path) -> list[Path]:
    """Evenly spaced ones of the photographs that were not trained on."""
    paths = [path for path in photographs_with_matte(folder) if is_validation(path.name)]
    return paths[:: -(-len(paths) // PAIRS)]


def methods(model: Model) -> Mapping[str, Method]:
    """What is compared."""
    return {
        "ellipse in the middle": ellipse,
        "grabcut": lambda pixels: alpha_of(cut_out(pixels, "grabcut", None)),
        "network alone, enlarged": lambda pixels: enlarged(model, pixels),
        "model": lambda pixels: alpha_of(cut_out(pixels, "model", model)),
    }


def beside(model: Model) -> Mapping[str, Method]:
    """The built-in network, where another one is judged."""
    registry = Registry.load(DEFAULT_REGISTRY)
    entry = registry.default("background")
    if entry is None or entry.ref.id == model.ref.id:
        return {}
    built_in = ModelStore(registry, threads=2).open("background", entry.ref.id)
    return {f"built-in {entry.ref.id}": lambda pixels: alpha_of(cut_out(pixels, "model", built_in))}


def judged(pairs: Iterable[Pixels], method: Method) -> Tally:
    """One method on photographs and mattes (H, W, 4)."""
    tally = Tally()
    for pair in pairs:
        tally.add(method(pair[..., :3].copy()), pair[..., 3] > 127)
    return tally


def cut_out(pixels: Pixels, method: str, model: Model | None) -> StageOutput:
    """The stage as it runs by default."""
    return restore("background", Picture(pixels=pixels), BackgroundParameters(), method, model)


def alpha_of(output: StageOutput) -> Pixels | None:
    """The matte, None where no subject was found."""
    return output.picture.alpha if output.values["subject_found"] else None


def enlarged(model: Model, pixels: Pixels) -> Pixels:
    """The matte of the network, without the refinement of the stage."""
    matte: Plane = next(iter(model.read(pixels).values()))[0]
    full = cv2.resize(matte, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return to_pixels(np.asarray(full, np.float32), np.dtype(np.uint8))


def ellipse(pixels: Pixels) -> Pixels:
    """The mean position of subjects, independent of the picture: the baseline of every method."""
    height, width = pixels.shape[:2]
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    return to_pixels(np.exp(-1.5 * (rows**2 + columns**2)).astype(np.float32), np.dtype(np.uint8))


def _cells(name: str, tally: Tally) -> list[str]:
    curve = tally.f_measure()
    numbers = [f"{value:.3f}" for value in (curve[1:].max(), curve[128], tally.mean_error)]
    good = sum(overlap >= GOOD for overlap in tally.overlaps) / tally.pictures
    numbers += [f"{np.mean(tally.overlaps):.3f}", f"{good:.0%}"]
    return [name, *numbers, f"{tally.not_found} of {tally.pictures}"]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
