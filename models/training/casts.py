"""Draws training samples of the white balancer: photographs under lights, under veils, and as they are."""

from pathlib import Path

import cv2
import numpy as np

from darkroom.imaging.color import linear_from_pixels
from darkroom.imaging.picture import Image, Pixels, to_float
from darkroom.imaging.tone.relight import encoded
from models.training.coloured_scenes import coloured_scene, some_colour
from models.training.degradations import jpeg, quantise, to_u8
from models.training.lighting import Light, exposed, mixed_light, some_light, water
from models.training.photographs import Split, read_rgb, split
from models.training.recipe import Sample

#: Side in pixels of the reduced picture.
SIDE = 64
#: Longest side in pixels of the stored training photographs.
LOADED_SIDE = 128
#: Step in pixels between those that enter the loss, in each direction.
JUDGED = 2
#: Opacity of veils.
OPACITY = (0.03, 0.65)
#: Natural logarithm of the largest gain of a free cast, and of its inverse.
LARGEST_LOG_GAIN = 0.7
#: Mean difference between the largest and the smallest channel from which a photograph counts as colourful.
COLOURFUL = 0.25
#: Share of the samples without a cast.
NEUTRAL_SHARE = 0.25
#: The same share of colourful photographs, which look most like a cast.
COLOURFUL_SHARE = 0.4
#: Share of the samples without a cast that are drawn scenes, and those that are small parts of a photograph.
SCENE_SHARE, PART_SHARE = 0.25, 0.2
#: The same share of scenes among the samples with a cast.
SCENE_UNDER_CAST_SHARE = 0.06


def load(folder: Path) -> Split:
    """All photographs, and those that belong to mattes, reduced, with the subject's coverage as a fourth channel.

    The coverage is 0 where it is not known. What colours things have takes many photographs.
    """
    paths = [*sorted(folder.glob("photos/*.jpg")), *sorted(folder.glob("mattes/*.jpg"))]
    return split((path.name, _with_subject(path)) for path in paths)


def _with_subject(path: Path) -> Pixels:
    photograph = read_rgb(path)
    mask = path.with_suffix(".png")
    subject = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) if mask.exists() else None
    if subject is None:
        subject = np.zeros(photograph.shape[:2], np.uint8)
    together = np.dstack([photograph, subject])
    factor = min(1.0, LOADED_SIDE / max(together.shape[:2]))
    height, width = (max(1, round(side * factor)) for side in together.shape[:2])
    return cv2.resize(together, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def training_sample(example: Pixels, rng: np.random.Generator) -> Sample:
    """A random part of a photograph, at least half its height and width, squeezed into the square."""
    return _sample(example, rng, least=0.5)


def validation_sample(example: Pixels, rng: np.random.Generator) -> Sample:
    """The whole photograph, squeezed into the square."""
    return _sample(example, rng, least=1.0)


def _sample(example: Pixels, rng: np.random.Generator, *, least: float) -> Sample:
    part = _cut(example, rng, least)
    some = part[::4, ::4, :3]
    chroma = float((some.max(axis=2) - some.min(axis=2)).mean()) / 255
    neutral = rng.random() < (COLOURFUL_SHARE if chroma > COLOURFUL else NEUTRAL_SHARE)
    if neutral and least < 1 and rng.random() < PART_SHARE:
        part = _cut(example, rng, 0.2)
    clean: Pixels = np.ascontiguousarray(part[..., :3]).astype(np.uint8, copy=False)
    if rng.random() < (SCENE_SHARE if neutral else SCENE_UNDER_CAST_SHARE):
        clean = to_u8(coloured_scene(to_float(clean), to_float(part[..., 3]), rng))
    return neutral_sample(clean, rng) if neutral else cast_sample(clean, rng)


def neutral_sample(clean: Pixels, rng: np.random.Generator) -> Sample:
    """The picture as it is."""
    return _as_sample(clean, to_float(clean), np.ones(3, np.float32), rng)


def cast_sample(clean: Pixels, rng: np.random.Generator) -> Sample:
    """The picture under a veil, under one light or two, under water, or faded."""
    if rng.random() < 0.42:
        opacity = np.float32(rng.uniform(*OPACITY))
        return _as_sample(clean, to_float(clean) * (1 - opacity) + some_colour(rng) * opacity, None, rng)
    light, veil = _light(linear_from_pixels(clean), rng)
    return _as_sample(clean, encoded(linear_from_pixels(clean) * light + veil), light, rng)


def _light(linear: Image, rng: np.random.Generator) -> tuple[Light, Light]:
    """What linear light is multiplied by, and what is added to it."""
    kind, none = rng.random(), np.zeros(3, np.float32)
    if kind < 0.17:
        return water(linear.shape, rng)
    if kind < 0.5:
        return np.exp(rng.uniform(-LARGEST_LOG_GAIN, LARGEST_LOG_GAIN, 3)).astype(np.float32), none
    light = some_light(rng)
    if kind < 0.7:
        second = some_light(rng) if rng.random() < 0.6 else np.ones(3, np.float32)
        light = mixed_light(light, second, linear.shape, rng)
    light = exposed(light, linear, rng)
    return light, light * np.float32(rng.uniform(0.01, 0.08)) if kind > 0.96 else none


def _as_sample(clean: Pixels, given: Image, light: Light | None, rng: np.random.Generator) -> Sample:
    """Target: the clean picture, the logarithms of the light, and 1 if there is a light (a veil has none)."""
    given = jpeg(given, int(rng.integers(75, 97))) if rng.random() < 0.1 else quantise(given)
    logs = np.broadcast_to(np.log(light if light is not None else np.ones(3, np.float32)), clean.shape)
    lit = np.full((*clean.shape[:2], 1), light is not None, np.float32)
    target = np.concatenate([to_float(clean), logs, lit], axis=2, dtype=np.float32)
    return Sample(inputs=(given,), target=target[::JUDGED, ::JUDGED])


def _cut(example: Pixels, rng: np.random.Generator, least: float) -> Pixels:
    height, width = (max(1, round(side * rng.uniform(least, 1))) for side in example.shape[:2])
    row, column = rng.integers(example.shape[0] - height + 1), rng.integers(example.shape[1] - width + 1)
    part = cv2.resize(example[row : row + height, column : column + width], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return (part[:, ::-1] if rng.integers(2) else part).astype(np.uint8, copy=False)
