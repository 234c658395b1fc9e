"""Does the shipped background model hold the subject, the whole subject and nothing but the subject?

The photographs are scikit-image's; none of them was trained on. Outlines were drawn by hand, coarsely.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from darkroom.domain.parameters import BackgroundParameters
from darkroom.imaging.picture import Picture, Pixels
from darkroom.inference.registry import Registry
from darkroom.inference.session import Model, ModelStore
from darkroom.stages import StageOutput
from darkroom.stages.restore import restore
from tests.degradations import noisy
from tests.photographs import photograph

REGISTRY = Path(__file__).parents[2] / "models" / "registry.toml"

#: Cup, saucer and spoon.
COFFEE = (((278, 228), (202, 160), 0), ((290, 110), (119, 92), 0))
#: Head and hair, shoulders and body, helmet.
ASTRONAUT = ((226, 85), (75, 72), 0), ((205, 400), (180, 225), 0), ((390, 460), (112, 115), 0)


@pytest.fixture(scope="module")
def model() -> Model:
    store = ModelStore(Registry.load(REGISTRY), threads=2)
    entry = store.registry.default("background")
    assert entry is not None
    return store.open("background", entry.ref.id)


def cut_out(pixels: Pixels, model: Model) -> StageOutput:
    return restore("background", Picture(pixels=pixels), BackgroundParameters(), "model", model)


def alpha_of(pixels: Pixels, model: Model) -> NDArray[np.float64]:
    alpha = cut_out(pixels, model).picture.alpha
    assert alpha is not None
    return alpha / np.iinfo(alpha.dtype).max


def outlined(size: tuple[int, ...], ellipses: tuple) -> NDArray[np.bool_]:
    mask = np.zeros(size[:2], np.uint8)
    for centre, axes, turned in ellipses:
        cv2.ellipse(mask, centre, axes, turned, 0, 360, 1, -1)
    return mask.astype(bool)


def overlap(alpha: NDArray[np.float64], wanted: NDArray[np.bool_]) -> float:
    return float(np.minimum(alpha, wanted).sum() / np.maximum(alpha, wanted).sum())


@pytest.mark.parametrize(("name", "ellipses", "least"), [("coffee", COFFEE, 0.85), ("astronaut", ASTRONAUT, 0.7)])
def test_the_subject_is_found(name: str, ellipses: tuple, least: float, model: Model) -> None:
    pixels = photograph(name)
    assert overlap(alpha_of(pixels, model), outlined(pixels.shape, ellipses)) > least


def test_a_face_is_wholly_opaque_and_the_sky_wholly_transparent(model: Model) -> None:
    alpha = alpha_of(photograph("astronaut"), model)
    assert alpha[60:150, 190:260].min() > 0.98
    assert alpha[:40, 320:].max() < 0.02


def test_the_matte_is_decided_nearly_everywhere(model: Model) -> None:
    for name in ("coffee", "astronaut"):
        alpha = alpha_of(photograph(name), model)
        assert ((alpha > 0.05) & (alpha < 0.95)).mean() < 0.06


def test_size_does_not_change_what_the_subject_is(model: Model) -> None:
    pixels = photograph("coffee")
    doubled = cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    small = alpha_of(pixels, model)
    large = cv2.resize(alpha_of(doubled, model), small.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small - large).mean() < 0.02


def test_a_mirrored_picture_has_the_mirrored_subject(model: Model) -> None:
    pixels = photograph("coffee")
    mirrored = alpha_of(np.ascontiguousarray(pixels[:, ::-1]), model)[:, ::-1]
    assert np.abs(alpha_of(pixels, model) - mirrored).mean() < 0.02


def test_noise_does_not_change_what_the_subject_is(model: Model) -> None:
    pixels = photograph("coffee")
    assert overlap(alpha_of(noisy(pixels, 15.0), model), alpha_of(pixels, model) > 0.5) > 0.9


@pytest.mark.parametrize("level", [20, 128, 235])
def test_a_plain_wall_holds_no_subject(level: int, model: Model) -> None:
    wall = noisy(np.full((240, 320, 3), level, np.uint8), 3.0)
    output = cut_out(wall, model)
    assert output.values["subject_found"] is False
    assert output.picture.alpha is None


def test_a_smooth_sky_holds_no_subject(model: Model) -> None:
    ramp = np.linspace((90, 140, 220), (200, 220, 240), 240)
    sky = np.rint(np.repeat(ramp[:, np.newaxis], 320, axis=1)).astype(np.uint8)
    assert cut_out(sky, model).values["subject_found"] is False


def test_the_network_is_small(model: Model) -> None:
    entry = Registry.load(REGISTRY).get("background", model.ref.id)
    assert entry.path.stat().st_size < 8_000_000
    assert model.contract.size == (160, 160)


def test_a_registry_for_commercial_use_leaves_the_stage_to_grabcut() -> None:
    assert Registry.load(REGISTRY, commercial_only=True).default("background") is None
