"""Applies the EXIF orientation to the pixels."""

from darkroom.imaging.codec.intermediate import contiguous
from darkroom.imaging.picture import Pixels

UPRIGHT = 1


def apply_orientation(pixels: Pixels, orientation: int) -> Pixels:
    """Rotate and mirror stored pixels so that the picture is upright.

    Parameters
    ----------
    pixels
        (H, W) or (H, W, channels), uint8 or uint16.
    orientation
        The EXIF tag 0x0112, 1 to 8; anything else counts as 1, as viewers treat it.

    Returns
    -------
    The pixels, contiguous; (W, H, ...) for 5 to 8. Costs one copy, none for 1.

    Notes
    -----
    Exif 2.32 (CIPA DC-008-2019), section 4.6.4: the value names where row 0 and column 0 of the stored picture belong.

    Examples
    --------
    >>> import numpy as np
    >>> apply_orientation(np.array([[1, 2]], np.uint8), 6).tolist()
    [[1], [2]]
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return contiguous(pixels)
