"""Which photographs are trained on, which are kept for validation, and how are patches cut from them?"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.training.sources import source_of
from shared.imaging.picture import Image, Pixels, to_float

#: One photograph in this many is kept for validation.
VALIDATION_SHARE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Photographs:
    """Decoded photographs: (H, W, 3) uint8, RGB."""

    training: tuple[Pixels, ...]
    #: Never trained on: chosen by a hash of the file name, so that the choice survives adding files.
    validation: tuple[Pixels, ...]

    @classmethod
    def load(cls, folder: Path, *, min_side: int = 1) -> "Photographs":
        """All commercially usable photographs of `folder` with at least `min_side` pixels a side, in memory.

        About 0.4 GB for a thousand photographs of 448 pixels.
        """
        paths = [path for path in sorted(folder.glob("*.jpg")) if source_of(path.name).commercial_use]
        parts: dict[bool, list[Pixels]] = {False: [], True: []}
        for path in paths:
            image_u8 = read_rgb(path)
            if min(image_u8.shape[:2]) >= min_side:
                parts[is_validation(path.name)].append(image_u8)
        if not parts[False] or not parts[True]:
            raise SystemExit(f"{folder} holds {len(paths)} usable photographs: too few to train and validate on")
        return cls(training=tuple(parts[False]), validation=tuple(parts[True]))


def is_validation(name: str) -> bool:
    """True if the file called `name` belongs to the validation split."""
    return hashlib.sha256(name.encode()).digest()[0] % VALIDATION_SHARE == 0


def read_rgb(path: Path) -> Pixels:
    """The file's pixels as (H, W, 3) uint8, RGB."""
    decoded = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
    if decoded is None:
        raise SystemExit(f"{path} cannot be decoded")
    return decoded.astype(np.uint8, copy=False)


def random_patch(photographs: tuple[Pixels, ...], side: int, rng: np.random.Generator) -> Image:
    """A `side` x `side` cut of a random photograph, in one of its eight orientations, as float32 in [0, 1]."""
    photograph = photographs[rng.integers(len(photographs))]
    row, column = (int(rng.integers(extent - side + 1)) for extent in photograph.shape[:2])
    patch = np.rot90(photograph[row : row + side, column : column + side], k=rng.integers(4))
    if rng.integers(2):
        patch = patch[:, ::-1]
    return to_float(patch)


def centre_patch(photograph: Pixels, side: int) -> Image:
    """The middle `side` x `side` pixels as float32 in [0, 1]."""
    row, column = ((extent - side) // 2 for extent in photograph.shape[:2])
    return to_float(photograph[row : row + side, column : column + side])
