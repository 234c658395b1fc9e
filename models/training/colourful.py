"""Selects the photographs from which the colorizer learns the colours of things."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from darkroom.imaging.color import lab_from_image
from darkroom.imaging.picture import Pixels, to_float
from models.training.photographs import Split, read_rgb, split

#: Least mean chroma of a training photograph, in CIE Lab units.
LEAST_CHROMA = 4.0
#: Longest side in pixels of the stored photographs.
KEPT_SIDE = 288


def colourful(folder: Path) -> Split:
    """All photographs of photos/ and mattes/ in `folder` that have colour, those for research only among them.

    1.6 GB for 13,000 of them. Learning the colours of objects needs many photographs, more than the permissive ones.
    """
    return split((name, pixels) for name, pixels in _named(folder) if mean_chroma(pixels) >= LEAST_CHROMA)


def _named(folder: Path) -> Iterator[tuple[str, Pixels]]:
    """In the order of their file names read backwards, which mixes the sources."""
    paths = [*folder.glob("photos/*.jpg"), *folder.glob("mattes/*.jpg")]
    for path in sorted(paths, key=lambda path: (path.name[::-1], path.parent)):
        yield path.name, _kept(read_rgb(path))


def _kept(photograph: Pixels) -> Pixels:
    factor = min(1.0, KEPT_SIDE / max(photograph.shape[:2]))
    size = round(photograph.shape[1] * factor), round(photograph.shape[0] * factor)
    return cv2.resize(photograph, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def mean_chroma(photograph: Pixels) -> float:
    """Mean distance from grey in CIE Lab units, on a reduction."""
    small = cv2.resize(photograph, (32, 32), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    lab = lab_from_image(to_float(small))
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())
