"""Selects the photographs with a matte that are used for training."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from darkroom.imaging.picture import Pixels
from models.training.photographs import Split, read_rgb, split

#: Side in pixels to which every pair is resized, whatever its aspect ratio: the network's input and a margin.
STORED_SIDE = 208


def pairs(folder: Path) -> Split:
    """All pairs of mattes/*.jpg and *.png in `folder`, as (S, S, 4) uint8: RGB and matte; 2 GB for 11,500 pairs.

    No source of mattes allows commercial use, so there is no choice among them.
    """
    return split((path.name, squeezed(read_pair(path))) for path in photographs_with_matte(folder))


def photographs_with_matte(folder: Path) -> Iterator[Path]:
    """The photographs of mattes/ in `folder` that have a matte beside them, sorted."""
    return (path for path in sorted(folder.glob("mattes/*.jpg")) if path.with_suffix(".png").exists())


def read_pair(path: Path) -> Pixels:
    """A photograph and the matte beside it as (H, W, 4) uint8."""
    matte = cv2.imdecode(np.fromfile(path.with_suffix(".png"), np.uint8), cv2.IMREAD_GRAYSCALE)
    if matte is None:
        raise SystemExit(f"{path.with_suffix('.png')} cannot be decoded")
    return np.dstack([read_rgb(path), matte.astype(np.uint8, copy=False)])


def squeezed(pair: Pixels) -> Pixels:
    """The pair, squeezed to a square."""
    square = cv2.resize(pair, (STORED_SIDE, STORED_SIDE), interpolation=cv2.INTER_AREA)
    return square.astype(np.uint8, copy=False)
