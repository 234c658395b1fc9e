"""Draws printed text as it appears on labels, signs and screens.

Photographs contain little of it, but viewers notice it first.
"""

import string

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from darkroom.imaging.picture import Image, Plane, to_float

#: Smallest height of the letters in pixels.
SMALLEST = 9
#: Largest height of the letters in pixels.
LARGEST = 34
#: Letters are drawn this many times as large, then averaged.
_FINENESS = 3
_CHARACTERS = string.ascii_letters + string.digits + "    .,:-%&/()"
_STROKES = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)


def lettered(image: Image, rng: np.random.Generator) -> Image:
    """The image (H, W, 3), float32, [0, 1] with lines of random letters, slightly turned; half of them on a label."""
    ground = image
    if rng.random() < 0.6:
        ground = np.broadcast_to(rng.random(3, np.float32), image.shape)
    ink = rng.random(3, np.float32) if rng.random() < 0.6 else np.float32(rng.integers(2))
    cover = _letters(image.shape[:2], rng)[..., np.newaxis]
    page: Image = ground * (1 - cover) + ink * cover
    return page.astype(np.float32, copy=False)


def _letters(size: tuple[int, int], rng: np.random.Generator) -> Plane:
    """How much of each pixel ink covers."""
    canvas = np.zeros([_FINENESS * side for side in size], np.uint8)
    top, writer = 0, _outlined if rng.random() < 0.5 else _stroked
    while top < canvas.shape[0]:
        height = int(_FINENESS * rng.integers(SMALLEST, LARGEST))
        text = "".join(rng.choice(list(_CHARACTERS), size=40))
        canvas = writer(canvas, text, (top, height), rng)
        top += int(1.4 * height)
    turn = cv2.getRotationMatrix2D((canvas.shape[1] / 2, canvas.shape[0] / 2), float(rng.normal(0, 6)), 1.0)
    turned = cv2.warpAffine(canvas, turn, canvas.shape[::-1])
    return to_float(cv2.resize(turned, size[::-1], interpolation=cv2.INTER_AREA))


def _outlined(canvas: np.ndarray, text: str, line: tuple[int, int], rng: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    top, height = line
    page = PillowImage.fromarray(canvas)
    ImageDraw.Draw(page).text((0, top), text, fill=255, font=ImageFont.load_default(height))
    return np.array(page)


def _stroked(canvas: np.ndarray, text: str, line: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    top, height = line
    font, thickness = int(rng.choice(_STROKES)), max(1, round(height * rng.uniform(0.03, 0.14)))
    # Capitals of Hershey's letters are 22 units high at scale 1.
    cv2.putText(canvas, text, (0, top + height), font, height / 28, 255, thickness, cv2.LINE_AA)
    return canvas
