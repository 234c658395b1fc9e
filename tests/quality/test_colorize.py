"""The shipped colorizer brings photographs nearer to their colours, follows hints, and makes no blotches.

The photographs are scikit-image's; none of them was trained on. They are made grey by luma.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from darkroom.domain.parameters import Hint
from darkroom.imaging.color import lab_from_image
from darkroom.imaging.picture import Pixels, to_float
from darkroom.inference.registry import Registry
from darkroom.inference.session import Model, ModelStore
from models.evaluation.benchmark import psnr_db
from models.evaluation.colorize import coloured, greyed, true_hints

REGISTRY = Path(__file__).parents[2] / "models" / "registry.toml"
STORE = ModelStore(Registry.load(REGISTRY), threads=2)
NAMES = ("astronaut", "chelsea", "coffee", "rocket")


@pytest.fixture(scope="module")
def model() -> Model:
    entry = STORE.registry.default("colorize")
    assert entry is not None
    return STORE.open("colorize", entry.ref.id)


def photograph(name: str) -> Pixels:
    return np.ascontiguousarray(getattr(data, name)()[..., :3])


def chroma(pixels: Pixels) -> NDArray[np.float32]:
    return lab_from_image(to_float(pixels))[..., 1:]


def mean_chroma(pixels: Pixels) -> float:
    return float(np.hypot(chroma(pixels)[..., 0], chroma(pixels)[..., 1]).mean())


def gain_db(original: Pixels, answer: Pixels) -> float:
    return psnr_db(answer, original) - psnr_db(greyed(original), original)


def test_photographs_come_nearer_to_their_colours(model: Model) -> None:
    gains = [gain_db(photograph(name), coloured(greyed(photograph(name)), model)) for name in NAMES]
    assert np.mean(gains) > 0.5


def test_skin_is_warm(model: Model) -> None:
    """The face of the portrait: more red than green, more yellow than blue, and not orange."""
    face = chroma(coloured(greyed(photograph("astronaut")), model))[100:170, 195:250].mean(axis=(0, 1))
    assert 2 < face[0] < 30
    assert 4 < face[1] < 40


def test_hints_bring_the_picture_nearer_the_more_there_are(model: Model) -> None:
    def reached(name: str, number: int) -> float:
        original = photograph(name)
        return psnr_db(coloured(greyed(original), model, true_hints(original, number)), original)

    means = [np.mean([reached(name, number) for name in NAMES]) for number in (0, 5, 20)]
    assert means[1] > means[0] + 1.0
    assert means[2] > means[1] + 0.3


@pytest.mark.parametrize("color", ["#A03030", "#3050A0", "#308040"])
def test_a_hint_colours_what_is_around_it_more_than_what_is_far_away(model: Model, color: str) -> None:
    """The sleeve of the suit, and the flag in the other corner."""
    grey = greyed(photograph("astronaut"))
    plain, hinted = (coloured(grey, model, hints) for hints in ((), (Hint(x=0.62, y=0.75, color=color),)))
    changed = np.linalg.norm(chroma(hinted) - chroma(plain), axis=2)
    near, far = changed[360:410, 295:340].mean(), changed[:60, 60:].mean()
    assert near > 8
    assert far < near / 2
    wanted = lab_from_image(to_float(np.frombuffer(bytes.fromhex(color[1:]), np.uint8).reshape(1, 1, 3)))[0, 0, 1:]
    found = chroma(hinted)[360:410, 295:340].mean(axis=(0, 1))
    assert float(found @ wanted) / float(np.linalg.norm(found) * np.linalg.norm(wanted)) > 0.8


def test_no_hints_are_as_good_as_none(model: Model) -> None:
    grey = greyed(photograph("coffee"))
    zeros = np.zeros((3, *model.reduced(*grey.shape[:2])), np.float32)
    assert (model.read(grey, {"hints": zeros})["chroma"] == model.read(grey, {"hints": zeros.copy()})["chroma"]).all()
    assert (coloured(grey, model) == coloured(grey, model, ())).all()


@pytest.mark.parametrize("level", [0, 60, 128, 200, 255])
def test_an_even_picture_gets_an_even_colour(model: Model, level: int) -> None:
    found = chroma(coloured(np.full((300, 400, 3), level, np.uint8), model))[40:-40, 40:-40]
    assert np.ptp(found.reshape(-1, 2), axis=0).max() < 12


@pytest.mark.parametrize("name", NAMES)
def test_luma_stays_to_the_last_bit(model: Model, name: str) -> None:
    grey = greyed(photograph(name))
    assert (cv2.cvtColor(coloured(grey, model), cv2.COLOR_RGB2GRAY) == grey[..., 0]).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3), (160, 160), (161, 159)])
def test_pictures_of_every_shape_are_coloured(model: Model, size: tuple[int, int]) -> None:
    grey = cv2.resize(greyed(photograph("coffee")), size[::-1], interpolation=cv2.INTER_AREA)
    assert coloured(grey, model).shape == (*size, 3)


def test_what_the_network_gives_stays_within_its_contract(model: Model) -> None:
    zeros = np.zeros((3, *model.reduced(300, 451)), np.float32)
    maps = model.read(greyed(photograph("chelsea")), {"hints": zeros})
    assert maps["chroma"].shape[0] == 2
    assert np.abs(maps["chroma"]).max() < 90
    assert maps["confidence"].shape == (1, *maps["chroma"].shape[1:])
    assert 0 <= maps["confidence"].min() <= maps["confidence"].max() <= 1
