"""Does the built-in white balancer remove casts and veils, and keep the colours of scenes that have few neutral ones?

The photographs are scikit-image's, which were not trained on. The margins are stated above what was measured, by a
fifth or more.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from darkroom.inference.registry import Registry
from darkroom.inference.session import ModelStore
from models.evaluation.white_balance import balanced, delta_e
from tests.degradations import U8, in_light
from tests.photographs import photograph

MODEL = ModelStore(Registry.load(Path(__file__).parents[2] / "models" / "registry.toml"), threads=1).open(
    "white_balance", "white_balance"
)
NAMES = ("astronaut", "chelsea", "coffee", "rocket")
SIDE = 160
VIOLET, MAGENTA, GREEN, ORANGE = (0.55, 0.2, 0.9), (0.9, 0.15, 0.7), (0.2, 0.8, 0.3), (0.95, 0.6, 0.15)


def small(name: str) -> U8:
    return cv2.resize(photograph(name), (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def under(pixels: U8, colour: tuple[float, float, float], opacity: float) -> U8:
    """A colour laid over the whole picture in sRGB."""
    return np.rint(pixels * (1 - opacity) + 255 * opacity * np.array(colour)).astype(np.uint8)


def answer(pixels: U8) -> U8:
    result = balanced(pixels, "model", MODEL).picture.pixels
    assert result.dtype == np.uint8
    return result.astype(np.uint8, copy=False)


def noise(rng: np.random.Generator, sigma: float) -> NDArray[np.float64]:
    """A smooth texture of mean 0 and deviation 1, (SIDE, SIDE, 1)."""
    texture = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE)), (0, 0), sigma)
    return (texture / texture.std())[..., np.newaxis]


def sunset() -> U8:
    """A sky from violet to orange, a low sun and black hills."""
    height = np.linspace(0, 1, SIDE)[:, np.newaxis, np.newaxis]
    sky = np.array([90.0, 50, 110]) * (1 - height) + np.array([250.0, 130, 30]) * height
    rows, columns = np.mgrid[:SIDE, :SIDE]
    sky = np.where(np.hypot(rows - 105, columns - 70)[..., np.newaxis] < 9, [255.0, 235, 150], sky)
    hills = rows > 120 + 8 * np.sin(columns / 17.0)
    return np.where(hills[..., np.newaxis], [18.0, 9, 8], sky).round().astype(np.uint8)


def neon() -> U8:
    """Pink and blue tubes with their glow in a dark street."""
    scene = np.full((SIDE, SIDE, 3), (14.0, 10, 22))
    for column, colour in ((30, (255, 30, 140)), (80, (40, 90, 255)), (125, (255, 40, 160))):
        tube = np.zeros((SIDE, SIDE), np.float32)
        tube[30:120, column : column + 3] = 1.0
        glow = tube + 9 * cv2.GaussianBlur(tube, (0, 0), 14)
        scene += glow[..., np.newaxis] * np.array(colour, np.float32)
    return scene.clip(0, 255).round().astype(np.uint8)


def night_sky() -> U8:
    """Stars in a deep blue sky over a dark ridge."""
    rng, height = np.random.default_rng(3), np.linspace(0, 1, SIDE)[:, np.newaxis, np.newaxis]
    sky = np.array([8.0, 14, 42]) * (1 - height) + np.array([26.0, 48, 96]) * height + np.zeros((SIDE, SIDE, 3))
    sky[rng.integers(0, 120, 90), rng.integers(0, SIDE, 90)] = rng.uniform(120, 255, (90, 1))
    sky[135:] = (5.0, 6, 9)
    return sky.clip(0, 255).round().astype(np.uint8)


def forest() -> U8:
    """Leaves in light and shade, and brown trunks."""
    rng = np.random.default_rng(5)
    light = (0.45 + 0.2 * noise(rng, 6) + 0.12 * noise(rng, 1.5)).clip(0.04, 1)
    leaves = light * np.array([105.0, 165, 45]) + 8 * noise(rng, 3) * np.array([1.0, 0.3, -0.5])
    for column in (25, 90, 131):
        leaves[:, column : column + 7] = np.array([70.0, 52, 38]) * (0.5 + light[:, column : column + 7])
    return leaves.clip(0, 255).round().astype(np.uint8)


def red_wall() -> U8:
    """A person before a red wall."""
    person = cv2.resize(photograph("astronaut")[0:300, 90:390], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    cover = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(cover, (72, 68), (34, 46), 0, 0, 360, 1.0, -1)
    cv2.ellipse(cover, (76, 165), (74, 62), 0, 0, 360, 1.0, -1)
    cover = cv2.GaussianBlur(cover, (0, 0), 1.5)[..., np.newaxis]
    wall = np.array([178.0, 24, 28]) * np.linspace(1.1, 0.7, SIDE)[np.newaxis, :, np.newaxis]
    return (person * cover + wall * (1 - cover)).round().astype(np.uint8)


@pytest.mark.parametrize("scene", [sunset, neon, night_sky, forest, red_wall])
def test_a_scene_of_few_colours_keeps_them(scene: Callable[[], U8]) -> None:
    given = scene()
    assert delta_e(answer(given), given) < 1.5


@pytest.mark.parametrize("name", NAMES)
def test_a_photograph_without_a_cast_keeps_its_colours(name: str) -> None:
    given = small(name)
    assert delta_e(answer(given), given) < 2.0


@pytest.mark.parametrize(
    ("colour", "opacity", "left"),
    [
        (VIOLET, 0.25, 0.45),
        (MAGENTA, 0.25, 0.35),
        (GREEN, 0.25, 0.55),
        (VIOLET, 0.5, 0.3),
        (MAGENTA, 0.5, 0.3),
        (GREEN, 0.5, 0.2),
        (ORANGE, 0.5, 0.42),
    ],
)
def test_a_colour_over_the_whole_picture_is_removed(
    colour: tuple[float, float, float], opacity: float, left: float
) -> None:
    wanted = [small(name)[::2, ::2] for name in NAMES]
    given = [under(each, colour, opacity) for each in wanted]
    assert error([answer(each) for each in given], wanted) < left * error(given, wanted)


@pytest.mark.parametrize(
    ("gains", "left"),
    [((1.5, 1.0, 0.6), 0.72), ((0.6, 1.0, 1.6), 0.55), ((0.7, 1.3, 0.8), 0.55), ((1.3, 0.7, 1.2), 0.55)],
)
def test_gains_of_any_colour_are_removed(gains: tuple[float, float, float], left: float) -> None:
    wanted = [small(name)[::2, ::2] for name in NAMES]
    given = [in_light(each, gains) for each in wanted]
    assert error([answer(each) for each in given], wanted) < left * error(given, wanted)


def error(pictures: list[U8], wanted: list[U8]) -> float:
    """Mean CIEDE2000 over the pictures."""
    return float(np.mean([delta_e(one, other) for one, other in zip(pictures, wanted, strict=True)]))
