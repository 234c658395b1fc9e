"""The shipped repairer finds damage and fills it, and leaves undamaged photographs alone, as far as its card says.

The photographs are scikit-image's; none of them was trained on.
"""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from skimage import data

from darkroom.imaging.picture import Image, Pixels, to_float
from darkroom.inference.registry import Registry
from darkroom.inference.session import Model, ModelStore
from models.training.damage import damaged
from models.training.degradations import to_u8

#: Mean over the photographs and three draws of damage, by the deviation in pixels of the Gaussian that softens both, as
#: scanners do.
LEAST_OVERLAP, LEAST_GAIN_DB = {0.0: 0.48, 0.8: 0.48}, {0.0: 9.0, 0.8: 8.0}
#: Largest share of the pixels that may be found on undamaged photographs; on the last three the card admits more than
#: it should be.
MOST_FOUND = {"chelsea": 0.0005, "page": 0.0005, "astronaut": 0.002, "text": 0.008, "coffee": 0.01, "rocket": 0.01}
STORE = ModelStore(Registry.load(Path(__file__).parents[2] / "models" / "registry.toml"), threads=2)
CALM = {"sensitivity": 0.5}


@pytest.fixture(scope="module")
def model() -> Model:
    return STORE.open("repair", "repair")


def changed(one: Pixels, other: Pixels, by: int = 0) -> np.ndarray:
    return (np.abs(one.astype(np.int16) - other) > by).any(axis=2)


def softened(image: Image, sigma: float) -> Image:
    return cv2.GaussianBlur(image, (0, 0), sigma).astype(np.float32) if sigma else image


def photographs() -> list[Pixels]:
    return [data.astronaut(), data.chelsea(), data.coffee()]


@pytest.mark.parametrize("softness", LEAST_OVERLAP)
def test_over_damaged_photographs_most_of_what_is_found_is_damage_and_it_looks_more_like_the_photograph(
    model: Model, softness: float
) -> None:
    overlaps, gains_db = [], []
    for photograph in photographs():
        for seed in range(3):
            damaged_too = damaged(to_float(photograph), np.random.default_rng(seed))[0]
            given, clean = (to_u8(softened(each, softness)) for each in (damaged_too, to_float(photograph)))
            restored, true = model.apply(given, CALM), changed(given, clean, 8)
            found = changed(restored, given)
            overlaps.append((found & true).sum() / (found | true).sum())
            errors = [np.square(each[true].astype(float) - clean[true]).mean() for each in (given, restored)]
            gains_db.append(10 * np.log10(errors[0] / errors[1]))
    assert np.mean(overlaps) > LEAST_OVERLAP[softness]
    assert np.mean(gains_db) > LEAST_GAIN_DB[softness]


@pytest.mark.parametrize(("name", "most"), MOST_FOUND.items())
def test_hardly_anything_is_found_on_an_undamaged_photograph(model: Model, name: str, most: float) -> None:
    photograph = getattr(data, name)()
    colours = photograph if photograph.ndim == 3 else np.repeat(photograph[..., np.newaxis], 3, axis=2)
    assert changed(model.apply(colours, CALM), colours).mean() <= most


def test_at_no_sensitivity_the_very_input_comes_back_and_more_of_it_finds_more(model: Model) -> None:
    given = to_u8(damaged(to_float(data.chelsea()), np.random.default_rng(0))[0])
    shares = [changed(model.apply(given, {"sensitivity": each}), given).mean() for each in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert shares[0] == 0.0
    assert shares == sorted(shares)


@pytest.mark.parametrize("size", [(1, 1), (40, 41), (41, 47), (56, 57)])
def test_the_graph_takes_pictures_of_any_height_and_width(model: Model, size: tuple[int, int]) -> None:
    entry = STORE.registry.get("repair", "repair")
    session = onnxruntime.InferenceSession(entry.path, providers=["CPUExecutionProvider"])
    image = np.full((1, 3, *size), 0.5, np.float32)
    restored, mask = session.run(None, {"image": image, "sensitivity": np.array([0.5], np.float32)})
    assert restored.shape == image.shape
    assert mask.shape == (1, 1, *size)
