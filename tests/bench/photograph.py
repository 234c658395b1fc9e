"""Which photograph is measured with?"""

import math
from functools import cache

import cv2

from shared.cli.degrade import Damage, degrade
from tests.photographs import photograph


@cache
def damaged_jpeg(megapixels: float) -> bytes:
    """A cat of 3:2, from scikit-image's package, enlarged to that size, then blurred, tinted, made noisy, compressed.

    The noise comes after the enlargement, so that there is detail in every pixel. `restore` has work for four stages:
    denoise, deblur, white_balance, and upscale, which doubles both sides.
    """
    cat = photograph("chelsea")
    factor = math.sqrt(megapixels * 1e6 / (cat.shape[0] * cat.shape[1]))
    size = round(cat.shape[1] * factor), round(cat.shape[0] * factor)
    return degrade(cv2.resize(cat, size, interpolation=cv2.INTER_LANCZOS4), Damage())
