"""A landscape drawn by arithmetic: the photograph of the demo where no other is at hand.

It has what restoration works on: an even sky, fine texture, sharp edges, neutral greys and strong colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.picture import Image, Plane, to_pixels

#: Side of the finished square picture in pixels.
SIDE = 512
#: The scene is drawn this many times larger and reduced, so that its edges are as soft as a lens makes them.
_OVERSAMPLING = 2
#: Seed of the random numbers: the scene is the same every time.
_SEED = 1826
#: Finest and coarsest structure of noise in periods per picture, as powers of two.
_COARSEST, _FINEST = 1, 8

Colour = tuple[float, float, float]
_ZENITH: Colour = (0.38, 0.50, 0.68)
_HAZE: Colour = (0.93, 0.88, 0.82)
_CLOUD: Colour = (0.97, 0.97, 0.97)
_SNOW: Colour = (0.95, 0.95, 0.96)
_WALL: Colour = (0.90, 0.90, 0.88)
_ROOF: Colour = (0.66, 0.20, 0.14)
_WINDOW: Colour = (0.14, 0.16, 0.19)
_STONE: Colour = (0.52, 0.52, 0.51)
_FIR: Colour = (0.10, 0.20, 0.11)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ridge:
    """A range of hills or mountains before the sky. Heights are shares of the picture's height, from the top."""

    crest: float
    relief: float
    colour: Colour
    #: Contrast of its texture, 0 to 1.
    texture: float
    #: Share of haze in its colour, 0 to 1.
    haze: float
    #: Height above which there is snow; 0 for none.
    snow: float = 0.0


_RIDGES = (
    _Ridge(crest=0.36, relief=0.22, colour=(0.40, 0.38, 0.37), texture=0.9, haze=0.35, snow=0.40),
    _Ridge(crest=0.52, relief=0.12, colour=(0.36, 0.32, 0.24), texture=0.8, haze=0.20),
    _Ridge(crest=0.66, relief=0.06, colour=(0.50, 0.42, 0.27), texture=0.7, haze=0.0),
)


def landscape() -> NDArray[np.uint8]:
    """Mountains, firs and a white house under clouds: RGB (512, 512, 3) uint8, the same every time."""
    rng = np.random.default_rng(_SEED)
    size = SIDE * _OVERSAMPLING
    image = _sky(size, rng)
    for ridge in _RIDGES:
        image = _with_ridge(image, ridge, rng)
    image = _with_stones(image, rng)
    image = _with_firs(image, rng)
    image = _with_house(image)
    reduced = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    pixels: NDArray[np.uint8] = to_pixels(reduced, np.dtype(np.uint8))  # type: ignore[arg-type,assignment]
    return pixels


def _noise(size: int, rng: np.random.Generator, *, coarsest: int = _COARSEST, decay: float = 0.55) -> Plane:
    """Fractal noise (size, size) with mean 0 and standard deviation 1; a smaller `decay` is smoother."""
    total = np.zeros((size, size), np.float32)
    for octave in range(coarsest, _FINEST + 1):
        periods = 2**octave
        values = rng.normal(0.0, decay ** (octave - coarsest), (periods, periods)).astype(np.float32)
        total += cv2.resize(values, (size, size), interpolation=cv2.INTER_CUBIC)
    return (total - total.mean()) / total.std()  # type: ignore[no-any-return]


def _mixed(image: Image, colour: Colour | Image, share: Plane) -> Image:
    """`image` with `colour` laid over it; `share` (H, W) is how much of it, 0 to 1."""
    mixed: Image = image + (np.asarray(colour, np.float32) - image) * np.clip(share, 0, 1)[..., None]
    return mixed


def _sky(size: int, rng: np.random.Generator) -> Image:
    down = np.broadcast_to(np.linspace(0, 1.6, size, dtype=np.float32)[:, None], (size, size))
    blue = np.broadcast_to(np.asarray(_ZENITH, np.float32), (size, size, 3))
    clouds = _noise(size, rng, coarsest=2, decay=0.5) * 0.5 + 0.1
    return _mixed(_mixed(blue, _HAZE, down), _CLOUD, clouds)


def _with_ridge(image: Image, ridge: _Ridge, rng: np.random.Generator) -> Image:
    rows = np.arange(len(image), dtype=np.float32)[:, None]
    drift = _noise(len(image), rng, coarsest=2, decay=0.45)[len(image) // 2]
    line = np.float32(len(image)) * (np.float32(ridge.crest) - np.float32(0.4 * ridge.relief) * drift)
    return _mixed(image, _ground(ridge, rows, rng), rows - line)


def _ground(ridge: _Ridge, rows: Plane, rng: np.random.Generator) -> Image:
    """The rough surface of a ridge, lit from the upper left; `rows` (H, 1) numbers the rows."""
    size = len(rows)
    height = _noise(size, rng, coarsest=3, decay=0.7)
    light: Plane = cv2.GaussianBlur(height - _shifted(height), (0, 0), 1.0)  # type: ignore[assignment]
    shaded: Plane = 1.0 + np.float32(ridge.texture) * (0.25 * height + 0.9 * light)
    ground: Image = np.asarray(ridge.colour, np.float32) * np.clip(shaded, 0.15, 2.2)[..., None]
    if ridge.snow:
        above = (np.float32(size * ridge.snow) - rows) / np.float32(0.03 * size)
        ground = _mixed(ground, _SNOW, above + 1.5 * light + 0.6 * height)
    return _mixed(ground, _HAZE, np.full((size, size), ridge.haze, np.float32))


def _shifted(plane: Plane) -> Plane:
    """The plane two rows lower and three columns to the right, its edges repeated."""
    return np.pad(plane, ((2, 0), (3, 0)), "edge")[:-2, :-3]


def _filled(image: Image, points: Sequence[tuple[float, float]], colour: Colour) -> None:
    """Fill a polygon in place; points are shares of width and height."""
    corners = np.round(np.asarray(points) * len(image)).astype(np.int32)
    cv2.fillPoly(image, [corners], colour, cv2.LINE_AA)


def _with_stones(image: Image, rng: np.random.Generator) -> Image:
    size = len(image)
    grain = _noise(size, rng, coarsest=5, decay=0.9)
    for _ in range(26):
        x, y, across = rng.uniform(0, 1), rng.uniform(0.78, 1.0), rng.uniform(0.01, 0.035)
        mask = np.zeros((size, size), np.float32)
        center, axes = (int(x * size), int(y * size)), (int(across * size), int(0.6 * across * size))
        cv2.ellipse(mask, center, axes, rng.uniform(-20, 20), 0, 360, 1.0, -1, cv2.LINE_AA)
        lit = 1.15 - 0.5 * (np.arange(size, dtype=np.float32)[:, None] / size - y + across) / (2 * across)
        stone = np.asarray(_STONE, np.float32) * np.clip(lit + 0.12 * grain, 0.1, 1.8)[..., None]
        image = _mixed(image, stone, mask)
    return image


def _with_firs(image: Image, rng: np.random.Generator) -> Image:
    drawn = image.copy()
    for foot in sorted(rng.uniform(0.64, 0.80, 34)):
        x, tall = rng.uniform(0, 1), (foot - 0.5) * rng.uniform(0.5, 0.75)
        tint = rng.uniform(0.7, 1.5)
        for tier in np.linspace(0, 1, 9):
            y, half = foot - tall * tier * 0.9, 0.24 * tall * (1.02 - tier) * rng.uniform(0.8, 1.2)
            shade = tint * (0.7 + 0.6 * tier)
            red, green, blue = (channel * shade for channel in _FIR)
            _filled(drawn, [(x - half, y), (x + half, y), (x, y - tall * 0.22)], (red, green, blue))
    return drawn


def _with_house(image: Image) -> Image:
    drawn = image.copy()
    left, right, top, foot = 0.56, 0.76, 0.68, 0.82
    _filled(drawn, [(left, foot), (left, top), (right, top), (right, foot)], _WALL)
    _filled(
        drawn, [(left - 0.02, top), (left + 0.03, top - 0.09), (right - 0.03, top - 0.09), (right + 0.02, top)], _ROOF
    )
    for x in (0.60, 0.66, 0.72):
        _filled(drawn, [(x - 0.015, 0.76), (x - 0.015, 0.715), (x + 0.015, 0.715), (x + 0.015, 0.76)], _WINDOW)
    return drawn
