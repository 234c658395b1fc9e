"""Which photograph is measured with?"""

import math
from functools import cache

import cv2

from shared.cli.degrade import Damage, degrade
from tests.photographs import photograph

#: Both ends of each scratch, row and column as shares of the sides; and their width in pixels, whatever the size.
SCRATCHES = (((0.0, 0.3), (1.0, 0.35)), ((0.1, 0.7), (0.8, 0.62)))
SCRATCH_WIDTH = 4


@cache
def damaged_jpeg(megapixels: float) -> bytes:
    """A cat of 3:2, from scikit-image's package, enlarged, then scratched, blurred, tinted, made noisy, compressed.

    The noise comes after the enlargement, so that there is detail in every pixel. `restore` has work for five stages:
    repair, denoise, deblur, white_balance, and upscale, which doubles both sides.
    """
    cat = photograph("chelsea")
    factor = math.sqrt(megapixels * 1e6 / (cat.shape[0] * cat.shape[1]))
    size = round(cat.shape[1] * factor), round(cat.shape[0] * factor)
    large = cv2.resize(cat, size, interpolation=cv2.INTER_LANCZOS4)
    for start, end in SCRATCHES:
        points = [(round(size[0] * column), round(size[1] * row)) for row, column in (start, end)]
        cv2.line(large, *points, (255, 255, 255), SCRATCH_WIDTH, cv2.LINE_AA)
    return degrade(large, Damage())
