"""Draws scenes whose own colours look like a cast: hard negatives for the white balancer.

Every function takes a photograph (H, W, 3), float32, RGB, sRGB-encoded in [0, 1], and the coverage of its subject
(H, W), and returns a new photograph.
"""

import colorsys
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.picture import Image, Plane

#: Largest share of the picture that a subject before a wall may cover.
LARGEST_SUBJECT = 0.8


def some_colour(rng: np.random.Generator, *, least_saturation: float = 0.2) -> NDArray[np.float32]:
    """One colour of any hue, (3,), sRGB, mostly saturated."""
    saturation = least_saturation + (1 - least_saturation) * np.sqrt(rng.random())
    return np.array(colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.25, 1)), np.float32)


def wall(photograph: Image, subject: Plane, rng: np.random.Generator) -> Image:
    """The subject before a wall, a curtain or leaves of one colour."""
    colour = some_colour(rng, least_saturation=0.5)
    texture = cv2.GaussianBlur(photograph.mean(axis=2), (0, 0), float(rng.uniform(0.5, 8)))
    shade = _ramp(subject.shape, rng) * (1 - rng.uniform(0, 0.8) * texture)
    ground = colour * (shade / max(float(shade.max()), 1e-3))[..., np.newaxis]
    cover = subject[..., np.newaxis] if subject.mean() < LARGEST_SUBJECT else np.float32(0.0)
    return photograph * cover + ground * (1 - cover)


def dusk(photograph: Image, subject: Plane, rng: np.random.Generator) -> Image:
    """A sky between two saturated colours behind a silhouette: sunset, sunrise, the blue hour."""
    hue = rng.choice([rng.uniform(-0.06, 0.14), rng.uniform(0.55, 0.95)])
    low = colorsys.hsv_to_rgb(hue % 1, rng.uniform(0.5, 1), rng.uniform(0.6, 1))
    high = colorsys.hsv_to_rgb((hue + rng.uniform(-0.25, 0.25)) % 1, rng.uniform(0.2, 1), rng.uniform(0.1, 0.9))
    height, width = subject.shape
    share = np.linspace(1, 0, height, dtype=np.float32)[:, np.newaxis, np.newaxis] ** rng.uniform(0.5, 2)
    sky = np.array(high, np.float32) * share + np.array(low, np.float32) * (1 - share)
    sky = sky * (1 + rng.uniform(0, 0.5) * (cv2.GaussianBlur(photograph, (0, 0), 3.0) - 0.5))
    row = height * rng.uniform(0.5, 1.1) + np.cumsum(rng.normal(0, 0.7, width))
    ground = np.arange(height)[:, np.newaxis] > row
    cover = np.maximum(subject if subject.mean() < LARGEST_SUBJECT else 0.0, ground)[..., np.newaxis]
    dark = photograph * np.float32(rng.uniform(0.05, 0.6)) * (0.5 + 0.5 * sky.mean(axis=(0, 1)))
    return dark * cover + sky * (1 - cover)


def neon(photograph: Image, subject: Plane, rng: np.random.Generator) -> Image:  # noqa: ARG001
    """A dark scene with tubes and lamps of saturated colours and their glow; mostly of one or two hues."""
    result = photograph * np.float32(rng.uniform(0.05, 0.5))
    height, width = photograph.shape[:2]
    colours = [some_colour(rng, least_saturation=0.7) for _ in range(rng.integers(1, 4))]
    for number in range(int(rng.integers(1, 7))):
        canvas = np.zeros((height, width), np.float32)
        ends = (rng.random((2, 2)) * (width, height)).round().astype(int).tolist()
        cv2.line(canvas, ends[0], ends[1], 1.0, int(rng.integers(1, 5)))
        glow = cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(3, 20)))
        light = canvas + glow * np.float32(rng.uniform(0, 0.8) / max(float(glow.max()), 1e-3))
        result = result + light[..., np.newaxis] * colours[number % len(colours)]
    return result


def night(photograph: Image, subject: Plane, rng: np.random.Generator) -> Image:  # noqa: ARG001
    """A dark scene, more or less blue or orange, with small lights."""
    colour = some_colour(rng, least_saturation=0.2)
    tint = photograph.mean(axis=2, keepdims=True) * colour
    share = np.float32(rng.uniform(0, 1))
    result = (photograph * (1 - share) + tint * share) * np.float32(rng.uniform(0.1, 0.5))
    places = rng.integers(0, photograph.shape[:2], (int(rng.integers(0, 40)), 2))
    result[places[:, 0], places[:, 1]] = rng.uniform(0.6, 1, (len(places), 1)) * np.array([1, 0.95, 0.85])
    return result


#: Every kind of scene.
KINDS: tuple[Callable[[Image, Plane, np.random.Generator], Image], ...] = (wall, dusk, neon, night)


def coloured_scene(photograph: Image, subject: Plane, rng: np.random.Generator) -> Image:
    """One kind of scene, drawn from the photograph."""
    drawn = KINDS[rng.integers(len(KINDS))](photograph, subject, rng)
    return np.clip(drawn, 0, 1).astype(np.float32, copy=False)


def _ramp(shape: tuple[int, ...], rng: np.random.Generator) -> Plane:
    """Light that falls off in one direction, [0.3, 1]."""
    rows, columns = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    across = rows * np.sin(angle) + columns * np.cos(angle)
    return (1 - rng.uniform(0, 0.35) * (1 + across)).astype(np.float32)
