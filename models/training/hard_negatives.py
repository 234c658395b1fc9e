"""Draws undamaged content that resembles damage: hard negatives for the repair network.

Thin bright and dark structures: wires, masts, branches, whiskers, letters, pages, stars, glints, rims, grids, frames.
Small single objects before an even background: moons, trunks, distant objects.
Each function draws some of them into a photograph (H, W, 3), float32, RGB, [0, 1], and leaves its argument alone. They
differ from damage as real things do: their colours are mostly the photograph's own, they are as sharp or as soft as it
is, they are even, and they come in bundles or rows.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.picture import Image, Plane
from models.training.damage import Course, Layer, Size, spots, stroke, wander
from models.training.degradations import gaussian_noise

_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:-    "))
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)


def wires(image: Image, rng: np.random.Generator) -> Image:
    """One to five even, smooth lines, nearly parallel: cables, ropes, masts, stalks."""
    size = image.shape[0], image.shape[1]
    heading, curl = rng.uniform(0, np.pi), float(rng.normal(0, 0.006))
    width, coverage = float(rng.choice([0.5, 1, 1, 1.5, 2, 3])), np.zeros(size, np.float32)
    for _ in range(int(rng.integers(1, 6))):
        along = heading + rng.normal(0, 0.1)
        path = wander(size, rng, Course(heading=along, length=3.0 * max(size), curl=curl))
        coverage = np.maximum(coverage, stroke(size, path, width))
    return _drawn(image, coverage, rng)


def masts(image: Image, rng: np.random.Generator) -> Image:
    """Poles and lattice towers: more or less upright, one side lit, one in shadow, with struts between."""
    size = image.shape[0], image.shape[1]
    heading, reach = rng.normal(np.pi / 2, 0.1), float(rng.uniform(0.3, 1.5)) * max(size)
    foot, across, width = rng.uniform(0, 1, 2) * size[::-1], float(rng.uniform(3, 24)), float(rng.uniform(0.5, 4))
    sides, struts = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for place in np.arange(int(rng.integers(1, 5))) * across:
        length = reach * rng.uniform(0.8, 1)
        start = foot + np.array([place, rng.normal(0, 2)])
        path = wander(size, rng, Course(heading=heading + rng.normal(0, 0.03), length=length, start=start))
        sides = np.maximum(sides, stroke(size, path, width))
        steps = np.arange(0.0, length, across)
        zigzag = np.stack([place + across * (np.arange(len(steps)) % 2), steps], axis=1)
        struts = np.maximum(struts, stroke(size, foot + zigzag, max(0.5, width / 2)))
    shaded = _drawn(image, np.roll(sides, max(1, round(width)), axis=1), rng)
    return _drawn(_drawn(shaded, struts, rng) if rng.random() < 0.6 else shaded, sides, rng)


def branches(image: Image, rng: np.random.Generator) -> Image:
    """Twigs and stalks that fork and taper: dark, or light, of one colour, smooth, in bundles."""
    size, coverage = (image.shape[0], image.shape[1]), np.zeros(image.shape[:2], np.float32)
    growing = [(rng.uniform(0, 1, 2) * size[::-1], rng.uniform(0, 7), float(rng.uniform(1, 5))) for _ in range(3)]
    for _ in range(int(rng.integers(5, 30))):
        start, heading, width = growing.pop(0)
        length = float(rng.uniform(6, 20)) * (1 + width)
        path = wander(size, rng, Course(heading=heading, length=length, bend=0.06, start=start))
        coverage = np.maximum(coverage, stroke(size, path, width))
        growing += [(path[-1], heading + rng.normal(turn, 0.2), max(0.5, width * 0.7)) for turn in (-0.35, 0.35)]
    return _drawn(image, coverage, rng)


def whiskers(image: Image, rng: np.random.Generator) -> Image:
    """Hairs or blades of grass from one place: smooth, thin, spread like a fan, of one colour."""
    size = image.shape[0], image.shape[1]
    root, heading = rng.uniform(0, 1, 2) * size[::-1], rng.uniform(0, 2 * np.pi)
    coverage = np.zeros(size, np.float32)
    for _ in range(int(rng.integers(3, 25))):
        length, curl = float(rng.uniform(20, 90)), float(rng.normal(0, 0.03))
        start = root + rng.normal(0, 6, 2)
        path = wander(size, rng, Course(heading=heading + rng.normal(0, 0.4), length=length, curl=curl, start=start))
        coverage = np.maximum(coverage, stroke(size, path, float(rng.choice([0.5, 1, 1.5]))))
    return _drawn(image, coverage, rng)


def letters(image: Image, rng: np.random.Generator) -> Image:
    """One to six lines of printed letters, sometimes on a plain ground, as on labels and pages."""
    canvas = np.zeros(image.shape[:2], np.uint8)
    font, scale = int(rng.choice(_FONTS)), float(rng.uniform(0.3, 1.1))
    row, pitch = int(rng.integers(5, image.shape[0])), int(scale * rng.uniform(26, 40))
    for line in range(int(rng.integers(1, 7))):
        words = "".join(rng.choice(_LETTERS, 30))
        place = int(rng.integers(-60, 60)), row + line * pitch
        cv2.putText(canvas, words, place, font, scale, 255, int(rng.choice([1, 1, 2])), cv2.LINE_AA)
    if rng.random() < 0.4:
        image = image + (_own_colour(image, rng) - image) * np.float32(rng.uniform(0.7, 1))
    return _drawn(image, canvas.astype(np.float32) / np.float32(255), rng)


def page(image: Image, rng: np.random.Generator) -> Image:
    """Small print all over: dark on light paper, unevenly lit, more or less sharp; seldom light on dark."""
    canvas = np.zeros(image.shape[:2], np.uint8)
    font, scale = int(rng.choice(_FONTS)), float(rng.uniform(0.25, 0.7))
    pitch = max(7, int(scale * rng.uniform(22, 34)))
    for row in range(int(rng.integers(pitch)), canvas.shape[0] + pitch, pitch):
        words = "".join(rng.choice(_LETTERS, 60))
        cv2.putText(canvas, words, (int(rng.integers(-40, 10)), row), font, scale, 255, 1, cv2.LINE_AA)
    light = cv2.GaussianBlur(image, (0, 0), 24.0).mean(axis=2, keepdims=True)
    ground = np.clip(light + rng.uniform(0.1, 0.5), 0, 1) * np.array([1, 1, rng.uniform(0.85, 1)], np.float32)
    ink = cv2.GaussianBlur(canvas.astype(np.float32) / np.float32(255), (0, 0), float(rng.uniform(0.2, 0.9)))
    shown = ground * (1 - ink * np.float32(rng.uniform(0.5, 1)))[..., np.newaxis]
    return shown if rng.random() < 0.8 else 1 - shown


def glints(image: Image, rng: np.random.Generator) -> Image:
    """Highlights on metal, glass and wet things: short soft streaks, nearly white, of one direction."""
    size = image.shape[0], image.shape[1]
    coverage, heading = np.zeros(size, np.float32), rng.uniform(0, 7)
    middle, reach = rng.uniform(0, 1, 2) * size[::-1], rng.uniform(5, 60)
    for _ in range(int(rng.integers(2, 20))):
        start, curl = middle + rng.normal(0, reach, 2), float(rng.normal(0, 0.1))
        path = wander(size, rng, Course(heading=heading, length=float(rng.uniform(8, 40)), curl=curl, start=start))
        coverage = np.maximum(coverage, stroke(size, path, float(rng.choice([0.5, 1, 1.5, 2.5]))))
    soft = cv2.GaussianBlur(coverage, (0, 0), float(rng.uniform(0.5, 1.5)))
    return Layer(coverage=soft * np.float32(rng.uniform(0.5, 1)), colour=np.float32([0.98, 0.98, 0.96])).over(image)


def rims(image: Image, rng: np.random.Generator) -> Image:
    """Edges of cups, plates, coins, wheels: ellipses, thin, light beside dark, one within the other."""
    canvas = np.zeros(image.shape[:2], np.uint8)
    middle, radii = rng.integers(canvas.shape[::-1]), rng.uniform(6, 90, 2)
    first, turn = float(rng.uniform(0, 360)), float(rng.uniform(0, 180))
    for inwards in range(int(rng.integers(1, 4))):
        axes = [max(2, int(radius - 4 * inwards)) for radius in radii]
        reach, width = float(rng.uniform(90, 360)), int(rng.choice([1, 1, 2, 3]))
        cv2.ellipse(canvas, middle.tolist(), axes, turn, first, first + reach, 255, width, cv2.LINE_AA)
    coverage = canvas.astype(np.float32) / np.float32(255)
    return _drawn(_drawn(image, np.roll(coverage, 2, axis=0), rng), coverage, rng)


def stars(image: Image, rng: np.random.Generator) -> Image:
    """Points of light on a darkened picture: night skies, lamps, glints. Round and soft, as lenses draw points."""
    size = image.shape[0], image.shape[1]
    points = np.zeros(size, np.float32)
    count = int(2 ** rng.uniform(2, 7))
    points[rng.integers(size[0], size=count), rng.integers(size[1], size=count)] = rng.random(count) ** 2
    sigma = float(rng.uniform(0.5, 1.6))
    light = cv2.GaussianBlur(points, (0, 0), sigma) * np.float32(2 * np.pi * sigma**2 * rng.uniform(0.5, 1.5))
    dark = image * np.float32(rng.uniform(0.05, 0.5))
    return np.clip(dark + light[..., np.newaxis], 0, 1)


def grid(image: Image, rng: np.random.Generator) -> Image:
    """Parallel lines at equal distances, one way or both: fences, tiles, blinds, window bars."""
    size = image.shape[0], image.shape[1]
    heading, pitch, width = rng.uniform(0, np.pi), float(rng.uniform(5, 40)), float(rng.choice([0.5, 1, 1.5, 2, 3]))
    coverage = np.zeros(size, np.float32)
    for turned in (0.0, np.pi / 2)[: int(rng.integers(1, 3))]:
        along = np.array([np.cos(heading + turned), np.sin(heading + turned)])
        across = np.array([-along[1], along[0]])
        for offset in np.arange(-max(size), max(size), pitch):
            middle = np.array(size[::-1]) / 2 + offset * across
            ends = np.stack([middle - 2 * max(size) * along, middle + 2 * max(size) * along])
            coverage = np.maximum(coverage, stroke(size, ends, width))
    return _drawn(image, coverage, rng)


def frame(image: Image, rng: np.random.Generator) -> Image:
    """The straight border of a print, or a thing's edge: one side is plain white, black or grey."""
    side, depth = int(rng.integers(4)), int(rng.integers(2, image.shape[0] // 3))
    turned = np.rot90(image, side).copy()
    turned[:depth] = rng.choice([0.0, 1.0, 0.95, rng.random()])
    return np.rot90(turned, -side)


def moons(image: Image, rng: np.random.Generator) -> Image:
    """One to three round things before an even ground, one side lit: the moon, lamps, balls, berries, buttons."""
    shown = _even(image, rng)
    for _ in range(int(rng.integers(1, 4))):
        radii = float(2 ** rng.uniform(1, 4)) * rng.uniform(0.85, 1.15, 2)
        middle = rng.uniform(0, 1, 2) * shown.shape[1::-1]
        lit, whole = (_disc(shown.shape[:2], middle + aside * rng.normal(0, 0.4, 2) * radii, radii) for aside in (1, 0))
        shade = np.maximum(lit, np.float32(rng.uniform(0, 1)))[..., np.newaxis]
        colour = (
            _surface(image, rng) if rng.random() < 0.5 else rng.uniform(0.7, 1) * np.array([1, 1, rng.uniform(0.8, 1)])
        )
        shown = Layer(coverage=_as_sharp(whole, rng), colour=(colour * shade).astype(np.float32)).over(shown)
    return shown


def trunks(image: Image, rng: np.random.Generator) -> Image:
    """One to three stems, poles or sticks before an even ground, thinner towards their end: trees, legs, skis, pins."""
    shown = _even(image, rng)
    size, upright = shown.shape[:2], rng.random() < 0.7
    for _ in range(int(rng.integers(1, 4))):
        heading = rng.normal(-np.pi / 2, 0.15) if upright else rng.uniform(0, 2 * np.pi)
        start = rng.uniform(0, 1, 2) * size[::-1]
        course = Course(heading=heading, length=float(rng.uniform(12, 100)), bend=0.08 * rng.random(), start=start)
        path = wander(size, rng, course)
        foot = float(2 ** rng.uniform(0, 3.3))
        widths = np.linspace(foot, foot * rng.uniform(0.3, 1), len(path))
        stem, twigs = np.zeros(size, np.float32), np.zeros(size, np.float32)
        for here, width in enumerate(widths[:-1]):
            stem = np.maximum(stem, stroke(size, path[here : here + 2], float(width)))
        for _ in range(int(rng.integers(0, 25)) if rng.random() < 0.5 else 0):
            twig = Course(
                heading=rng.uniform(0, 7),
                length=float(rng.uniform(5, 5 + 3 * foot)),
                start=path[rng.integers(len(path))],
            )
            twigs = np.maximum(twigs, stroke(size, wander(size, rng, twig), max(0.5, foot / 3)))
        colour = _surface(image, rng) * np.float32(rng.uniform(0.1, 1))
        side = np.roll(stem, max(1, round(foot / 2)), axis=1)[..., np.newaxis] * np.float32(rng.uniform(0, 0.7))
        shown = Layer(coverage=_as_sharp(np.maximum(stem, twigs), rng), colour=colour * (1 - side)).over(shown)
    return shown


def scraps(image: Image, rng: np.random.Generator) -> Image:
    """One to three small pieces of the photograph before an even ground: birds, boats, people and beasts far away."""
    shown = _even(image, rng)
    radii = 2 ** rng.uniform(1.5, 4, int(rng.integers(1, 4)))
    return Layer(coverage=_as_sharp(spots(shown.shape[:2], radii, rng), rng), colour=_surface(image, rng)).over(shown)


#: Every kind of hard negative.
KINDS: tuple[Callable[[Image, np.random.Generator], Image], ...] = (
    wires,
    masts,
    branches,
    whiskers,
    letters,
    page,
    stars,
    glints,
    rims,
    grid,
    frame,
    moons,
    trunks,
    scraps,
)


def cluttered(image: Image, rng: np.random.Generator) -> Image:
    """The photograph with one kind of hard negative in it."""
    return KINDS[rng.integers(len(KINDS))](image, rng).astype(np.float32, copy=False)


def _even(image: Image, rng: np.random.Generator) -> Image:
    """The photograph under sky, wall or water, at least down to a horizon: its own colours, smooth, a little grainy."""
    far = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(8, 60)))
    tone = _own_colour(image, rng)
    ground = far + (tone - far) * np.float32(rng.uniform(0, 1))
    ground = gaussian_noise(ground, float(rng.uniform(0, 3)), rng)
    horizon = np.full(image.shape[1], image.shape[0] * rng.uniform(0.3, 1.5)) + np.cumsum(
        rng.normal(0, 0.7, image.shape[1])
    )
    above = np.clip(horizon - np.arange(image.shape[0])[:, np.newaxis], 0, 1).astype(np.float32)
    return Layer(coverage=above, colour=ground.clip(0, 1)).over(image)


def _surface(image: Image, rng: np.random.Generator) -> Image:
    """The texture of the objects: another part of the photograph, (H, W, 3), lighter or darker."""
    moved = np.roll(image, rng.integers(0, image.shape[:2]).tolist(), axis=(0, 1))
    return np.clip(moved * np.float32(rng.uniform(0.4, 1.8)), 0, 1)


def _disc(size: Size, middle: NDArray[np.float64], radii: NDArray[np.float64]) -> Plane:
    """The (H, W) coverage of an ellipse along rows and columns."""
    rows, columns = np.indices(size)
    away = np.hypot((columns - middle[0]) / radii[0], (rows - middle[1]) / radii[1])
    return np.clip((1 - away) * radii.mean() + 0.5, 0, 1).astype(np.float32)


def _drawn(image: Image, coverage: Plane, rng: np.random.Generator) -> Image:
    """`coverage` in one colour, as soft as a lens draws it."""
    shown = _as_sharp(coverage, rng) * np.float32(rng.uniform(0.6, 1))
    return Layer(coverage=shown, colour=_own_colour(image, rng)).over(image)


def _as_sharp(coverage: Plane, rng: np.random.Generator) -> Plane:
    """The edges as soft as a lens draws them, more often than not."""
    return cv2.GaussianBlur(coverage, (0, 0), float(rng.uniform(0.4, 1.0))) if rng.random() < 0.6 else coverage


def _own_colour(image: Image, rng: np.random.Generator) -> Image:
    """A colour of the photograph, lighter or darker; seldom black or white."""
    if rng.random() < 0.2:
        return np.full(3, rng.choice([0.03, 0.97]), np.float32)
    own = image[rng.integers(image.shape[0]), rng.integers(image.shape[1])]
    return np.clip(own * np.float32(rng.uniform(0.5, 1.6)), 0, 1)
