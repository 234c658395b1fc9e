"""Summarizes a map as a few rectangles."""

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.places import Place
from darkroom.domain.sizes import within
from darkroom.imaging.filters import resized
from darkroom.imaging.picture import Plane

#: Longer side in pixels to which a map is reduced first.
SIDE = 240
#: Distance as a share of the longer side within which marked pixels belong to one place.
NEAR = 0.04
#: Largest number of places.
MOST = 3
#: A place with less than this share of the largest place's weight is skipped.
LEAST = 0.1


def places(weights: Plane | NDArray[np.bool_]) -> tuple[Place, ...]:
    """Rectangles around the marked parts of a map, the one with the largest sum first.

    Parameters
    ----------
    weights : (H, W), at least 0; a pixel above 0 is marked

    Returns
    -------
    tuple of Place
        At most three, with edges rounded to thousandths of the picture. About 1 ms.

    Examples
    --------
    >>> weights = np.zeros((100, 200), np.float32)
    >>> weights[10:20, 150:180] = 1.0
    >>> places(weights)
    (Place(top=0.1, left=0.75, height=0.1, width=0.15),)
    """
    small = resized(weights.astype(np.float32), *within(weights.shape[0], weights.shape[1], SIDE))
    marked = small > 0.0
    reach = 2 * max(1, round(NEAR * max(small.shape) / 2)) + 1
    joined = cv2.dilate(marked.astype(np.uint8), np.ones((reach, reach), np.uint8))
    count, labels = cv2.connectedComponents(joined)
    sums = np.bincount(labels.ravel(), weights=small.ravel(), minlength=count)[1:]
    order = [int(each) for each in np.argsort(-sums, kind="stable")[:MOST] if sums[each] >= LEAST * sums.max()]
    return tuple(_box(marked & (labels == number + 1)) for number in order)


def _box(part: NDArray[np.bool_]) -> Place:
    rows, columns = (np.flatnonzero(part.any(axis=axis)) for axis in (1, 0))
    height, width = part.shape
    return Place(
        top=round(float(rows[0]) / height, 3),
        left=round(float(columns[0]) / width, 3),
        height=round(float(rows[-1] + 1 - rows[0]) / height, 3),
        width=round(float(columns[-1] + 1 - columns[0]) / width, 3),
    )
