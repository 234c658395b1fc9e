"""Reads a mask picture: which pixels are marked white, and which black."""

import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import luma
from darkroom.imaging.picture import Picture, to_float

#: Luma, range [0, 1], from which a pixel of a mask is white. JPEG compression and soft brushes leave values near it.
WHITE = 0.75
#: Luma, range [0, 1], up to which a pixel of a mask is black.
BLACK = 0.25
#: Alpha, range [0, 1], below which a pixel of a mask marks nothing.
VISIBLE = 0.5

Marked = NDArray[np.bool_]


def marked(mask: Picture) -> tuple[Marked, Marked]:
    """The white and the black pixels of a mask, each (H, W). Grey and transparent pixels are neither."""
    light = luma(mask.pixels)
    visible = np.ones(light.shape, np.bool_) if mask.alpha is None else to_float(mask.alpha) >= VISIBLE
    return (light >= WHITE) & visible, (light <= BLACK) & visible
