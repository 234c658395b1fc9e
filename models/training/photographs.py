"""Splits photographs into training and validation sets and cuts patches from them."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from darkroom.imaging.picture import Image, Pixels, to_float
from models.training.sources import source_of

#: One photograph in this many is kept for validation.
VALIDATION_SHARE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Decoded examples: photographs (H, W, 3) uint8, RGB, or the examples of a recipe."""

    training: Sequence[Any]
    #: Never trained on: chosen by a hash of the file name, so that the choice survives adding files.
    validation: Sequence[Any]


def permissive(folder: Path) -> Split:
    """All photographs of `folder` whose licences allow commercial use; about 0.4 GB for a thousand of 448 pixels."""
    return photographs(folder, lambda path: source_of(path.name).commercial_use)


def every(folder: Path) -> Split:
    """All photographs of `folder`, those for research only among them."""
    return photographs(folder, lambda path: bool(source_of(path.name)))


def photographs(folder: Path, usable: Callable[[Path], bool]) -> Split:
    """The `usable` ones of photos/*.jpg in `folder`, decoded; SystemExit if there are too few."""
    paths = [path for path in sorted(folder.glob("photos/*.jpg")) if usable(path)]
    return split((path.name, read_rgb(path)) for path in paths)


def split(examples: Iterator[tuple[str, Any]]) -> Split:
    """Named examples, divided by their names."""
    parts: dict[bool, list[Any]] = {False: [], True: []}
    for name, example in examples:
        parts[is_validation(name)].append(example)
    if not parts[False] or not parts[True]:
        raise SystemExit(f"{sum(map(len, parts.values()))} usable examples: too few to train and validate on")
    return Split(training=tuple(parts[False]), validation=tuple(parts[True]))


def is_validation(name: str) -> bool:
    """True if the file called `name` belongs to the validation split."""
    return hashlib.sha256(name.encode()).digest()[0] % VALIDATION_SHARE == 0


def read_rgb(path: Path) -> Pixels:
    """The file's pixels as (H, W, 3) uint8, RGB."""
    decoded = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
    if decoded is None:
        raise SystemExit(f"{path} cannot be decoded")
    return decoded.astype(np.uint8, copy=False)


def random_patch(photograph: Pixels, side: int, rng: np.random.Generator) -> Image:
    """A `side` x `side` cut of a photograph, in one of its eight orientations, as float32 in [0, 1].

    A photograph that is too small is enlarged first.
    """
    photograph = at_least(photograph, side)
    row, column = (int(rng.integers(extent - side + 1)) for extent in photograph.shape[:2])
    return to_float(turned(photograph[row : row + side, column : column + side], rng))


def turned(photograph: Pixels, rng: np.random.Generator) -> Pixels:
    """The photograph in one of its eight orientations."""
    upright = np.rot90(photograph, k=int(rng.integers(4)))
    return upright[:, ::-1] if rng.integers(2) else upright


def at_least(photograph: Pixels, side: int) -> Pixels:
    """The photograph, enlarged if its shorter side has fewer than `side` pixels."""
    factor = side / min(photograph.shape[:2])
    if factor <= 1:
        return photograph
    height, width = (max(side, round(extent * factor)) for extent in photograph.shape[:2])
    return cv2.resize(photograph, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)


def centre_patch(photograph: Pixels, side: int) -> Image:
    """The middle `side` x `side` pixels as float32 in [0, 1]."""
    row, column = ((extent - side) // 2 for extent in photograph.shape[:2])
    return to_float(photograph[row : row + side, column : column + side])
