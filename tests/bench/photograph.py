"""Which photograph is measured with?"""

import math
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.cli.support.degrade import Damage, degrade
from tests.photographs import photograph

#: Both ends of each scratch, row and column as shares of the sides; and their width in pixels, whatever the size.
SCRATCHES = (((0.0, 0.3), (1.0, 0.35)), ((0.1, 0.7), (0.8, 0.62)))
SCRATCH_WIDTH = 4
#: Deviation in pixels of the Gaussian of a soft picture.
SOFTNESS = 2.0
#: How many times less light a dark picture has, as it is stored.
DARKNESS = 6
#: What blue, green and red of a tinted picture are multiplied by: a cast beyond doubt.
TINT = (1.0, 0.75, 0.45)
#: Level of the ground that a subject lies on.
GROUND = 215
#: JPEG quality that adds nothing to be seen.
LIGHTLY = 95


@cache
def damaged_jpeg(megapixels: float) -> bytes:
    """A cat of 3:2, from scikit-image's package, enlarged, then scratched, blurred, tinted, made noisy, compressed.

    The noise comes after the enlargement, so that there is detail in every pixel. `restore` has work for four stages:
    denoise, deblur, white_balance, and upscale, which doubles both sides. The scratches are blurred along, and the
    network that repairs finds little that is no sharper than its surroundings: see `as_found_by`.
    """
    cat = photograph("chelsea")
    factor = math.sqrt(megapixels * 1e6 / (cat.shape[0] * cat.shape[1]))
    size = round(cat.shape[1] * factor), round(cat.shape[0] * factor)
    large = cv2.resize(cat, size, interpolation=cv2.INTER_LANCZOS4)
    _scratch(large)
    return degrade(large, Damage())


def as_found_by(stage: str, jpeg: bytes) -> bytes:
    """The file in the state in which the stage has most to do.

    What a network repairs best is sharp, and the scratches are blurred along, so there are new ones; and noise hides
    from the network that deblurs what is to be undone, so the file is blurred once more, after it. The cast of the file
    is not beyond doubt for the network, so it is tinted once more. The cat fills the
    frame; where a subject is looked for there is but its face on plain ground.
    """
    spoil = {
        "repair": _scratch,
        "deblur": _soften,
        "low_light": _darken,
        "background": _isolate,
        "white_balance": _tint,
    }.get(stage)
    if spoil is None:
        return jpeg
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    spoil(image)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, LIGHTLY])[1].tobytes()


def _tint(image: NDArray[np.uint8]) -> None:
    image[...] = (image * np.array(TINT)).astype(np.uint8)


def _soften(image: NDArray[np.uint8]) -> None:
    image[...] = cv2.GaussianBlur(image, (0, 0), SOFTNESS)


def _darken(image: NDArray[np.uint8]) -> None:
    image //= DARKNESS


def _isolate(image: NDArray[np.uint8]) -> None:
    height, width = image.shape[:2]
    subject = np.zeros((height, width), np.uint8)
    cv2.ellipse(subject, (width // 2, height // 2), (width // 4, height * 2 // 5), 0, 0, 360, (255,), -1)
    image[subject == 0] = GROUND


def _scratch(image: NDArray[np.uint8]) -> None:
    for start, end in SCRATCHES:
        points = [(round(image.shape[1] * column), round(image.shape[0] * row)) for row, column in (start, end)]
        cv2.line(image, *points, (255, 255, 255), SCRATCH_WIDTH, cv2.LINE_AA)
