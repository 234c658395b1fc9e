"""Measures what a whole pipeline changed in a picture."""

from dataclasses import dataclass

import numpy as np

from darkroom.domain.sizes import within
from darkroom.imaging.color import lab_from_image
from darkroom.imaging.filters import Floats, gradient, resized
from darkroom.imaging.picture import Picture, to_float

#: Longer side in pixels at which two pictures are compared.
SIDE = 256
#: Side in pixels of the blocks of the comparison.
BLOCK = 16
#: Gradient of lightness (CIE Lab units a pixel) that belongs to an edge.
EDGE = 4.0
#: Largest relative difference between the aspect ratios of two pictures of one shape.
SAME_SHAPE = 0.02
#: Luma, range [0, 1], from which a pixel counts as blown out.
BLOWN_OUT = 0.985


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference between an upload and its result, at a reduced size."""

    #: Mean difference of the pixels in CIE Lab units.
    mean: float
    #: Largest mean difference of a block in CIE Lab units, beyond the median of the blocks.
    local: float
    #: Share of the upload's edges that the result does not have, 0 to 1, in the block where most are missing.
    lost: float
    #: Edges of the result that the upload does not have, relative to all edges of the upload.
    added: float
    #: Growth of the share of blown-out pixels, -1 to 1.
    blown_out: float


def reduced(picture: Picture) -> Picture:
    """The opaque picture at the size at which pictures are compared."""
    return Picture(pixels=resized(picture.pixels, *within(picture.height, picture.width, SIDE)))


def change(before: Picture, after: Picture) -> Change | None:
    """Compare a result with its upload; None if they have different shapes, as after a crop.

    Both are reduced to 256 pixels on the longer side, so that the numbers mean the same for every size. About 10 ms.
    """
    if abs(before.height * after.width / (before.width * after.height) - 1.0) > SAME_SHAPE:
        return None
    first = to_float(reduced(before).pixels)
    second = to_float(resized(after.pixels, *first.shape[:2]))
    old, new = lab_from_image(first), lab_from_image(second)
    difference = _blocks(np.sqrt(np.square(new - old).sum(axis=2)))
    old_edges, new_edges = _edges(old[..., 0]), _edges(new[..., 0])
    return Change(
        mean=float(difference.mean()),
        local=float(difference.max() - np.median(difference)),
        lost=float((_blocks(np.maximum(old_edges - new_edges, 0)) / (_blocks(old_edges) + 1.0)).max()),
        added=float(np.maximum(new_edges - old_edges, 0).mean() / (old_edges.mean() + 0.1)),
        blown_out=_blown_out(second) - _blown_out(first),
    )


def _edges(lightness: Floats) -> Floats:
    steepness = np.hypot(*gradient(np.ascontiguousarray(lightness)))
    return np.where(steepness > EDGE, steepness, np.float32(0)).astype(np.float32)


def _blocks(plane: Floats) -> Floats:
    return resized(plane.astype(np.float32), *(max(1, round(side / BLOCK)) for side in plane.shape))


def _blown_out(image: Floats) -> float:
    return float((image.min(axis=2) > BLOWN_OUT).mean())
