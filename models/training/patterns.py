"""What repeats itself: facades, fabrics, grilles, ripples in sand.

Few photographs contain them, so a network trained only on photographs removes faint stripes as noise. A method that
searches for similar patches keeps them. The limits are our own choice.
"""

import cv2
import numpy as np

from darkroom.imaging.picture import Image, Plane
from models.training.degradations import half_plane

#: Shortest and longest distance in pixels from one stripe to the next, in the middle.
PERIODS = (2.5, 14.0)
#: How many times as long it is at one end of the picture as in the middle, at most.
PERSPECTIVE = 1.8
#: Furthest that stripes wander from straight ones, in periods.
BENT = 1.5
#: How much lighter or darker than the picture stripes are, at least and at most.
CONTRASTS = (0.02, 0.4)
#: From sine waves to bars.
STEEPNESS = (0.3, 8.0)
#: They are drawn so many times larger and averaged, so that bars have the edges that a camera gives them.
_ZOOM = 3


def patterned(image: Image, rng: np.random.Generator) -> Image:
    """The image (H, W, 3) in [0, 1] with stripes or a grid over all or a part of it, bent or in perspective."""
    angle = float(rng.uniform(0, np.pi) if rng.random() < 0.7 else rng.choice([0, np.pi / 2]))
    drawn = stripes(image.shape[:2], angle, rng)
    if rng.random() < 0.5:
        turned = angle + (np.pi / 2 if rng.random() < 0.7 else float(rng.uniform(0, np.pi)))
        other = stripes(image.shape[:2], turned, rng)
        drawn = np.minimum(drawn, other) if rng.random() < 0.5 else (drawn + other) / 2
    tint = 1 + rng.normal(0, 0.2, 3)
    contrast = float(np.exp(rng.uniform(*np.log(CONTRASTS)))) * tint.astype(np.float32)
    if rng.random() < 0.5:
        drawn = drawn * half_plane(image.shape, rng)[..., 0]
    return np.clip(image + drawn[..., np.newaxis] * contrast, 0, 1)


def stripes(shape: tuple[int, ...], angle: float, rng: np.random.Generator) -> Plane:
    """(H, W) in [-1, 1]: waves that follow each other at `angle` (radians), as sharp or soft, narrow or wide as any."""
    height, width = (side * _ZOOM for side in shape[:2])
    longest = max(height, width)
    rows, columns = ((np.arange(side, dtype=np.float32) - side / 2) / longest for side in (height, width))
    along, across = (
        rows[:, np.newaxis] * np.float32(np.sin(each)) + columns * np.float32(np.cos(each))
        for each in (angle + np.pi / 2, angle)
    )
    count = longest / _ZOOM / np.exp(rng.uniform(*np.log(PERIODS)))
    growth = rng.uniform(-1, 1) * np.log(PERSPECTIVE)
    bent = BENT * rng.uniform(0, 1) ** 3 * np.sin(float(rng.uniform(2, 12)) * along + float(rng.uniform(0, 6)))
    turns = float(count) * (across + float(growth) * across**2 / 2) + bent.astype(np.float32)
    wave = np.cos(2 * np.float32(np.pi) * (turns + np.float32(rng.uniform(0, 1)))) + np.float32(rng.uniform(-0.5, 0.5))
    drawn = np.tanh(np.float32(np.exp(rng.uniform(*np.log(STEEPNESS)))) * wave)
    return cv2.resize(drawn / np.abs(drawn).max(), shape[1::-1], interpolation=cv2.INTER_AREA)
