"""The double that repeats the networks' answers computes each one with the real network, and repeats no other."""

import numpy as np
import pytest

from darkroom.domain.errors import ModelUnusable
from darkroom.inference.registry import Registry
from darkroom.runtime.bootstrap import LazyModels
from darkroom.runtime.settings import DEFAULT_REGISTRY
from tests.fakes.remembered_models import MAX_INPUT_BYTES, RememberedModels

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def real() -> LazyModels:
    return LazyModels(Registry.load(DEFAULT_REGISTRY), threads=1)


@pytest.fixture
def remembered(real: LazyModels) -> RememberedModels:
    return RememberedModels(real)


def test_pixels_and_maps_are_those_of_the_real_networks(real: LazyModels, remembered: RememberedModels) -> None:
    enlarged = remembered.open("upscale", "upscale-x2").apply(PIXELS)
    assert np.array_equal(enlarged, real.open("upscale", "upscale-x2").apply(PIXELS))
    maps, expected = (models.open("white_balance", "white_balance").read(PIXELS) for models in (remembered, real))
    assert maps.keys() == expected.keys()
    assert all(np.array_equal(maps[name], expected[name]) for name in expected)


def test_the_same_input_is_computed_once_and_a_change_of_the_answer_does_not_reach_the_next(
    remembered: RememberedModels,
) -> None:
    model = remembered.open("upscale", "upscale-x2")
    first = model.apply(PIXELS)
    expected = first.copy()
    first[:] = 0
    assert np.array_equal(model.apply(PIXELS.copy()), expected)
    assert remembered.answers.computed == 1


@pytest.mark.parametrize("sigma", [5.0, 6.0])
def test_another_number_another_pixel_another_type_and_another_model_are_computed(
    remembered: RememberedModels, sigma: float
) -> None:
    denoise = remembered.open("denoise", "denoise")
    (name,) = denoise.scalars
    denoise.apply(PIXELS, {name: 4.0})
    denoise.apply(PIXELS, {name: sigma})
    changed = PIXELS.copy()
    changed[0, 0, 0] ^= 1
    denoise.apply(changed, {name: sigma})
    denoise.apply(PIXELS.astype(np.uint16), {name: sigma})
    remembered.open("upscale", "upscale-x2").apply(PIXELS)
    remembered.open("upscale", "upscale-x4").apply(PIXELS)
    assert remembered.answers.computed == 6


def test_a_large_photograph_is_computed_every_time(remembered: RememberedModels) -> None:
    side = int((MAX_INPUT_BYTES / 3) ** 0.5) + 2
    model = remembered.open("white_balance", "white_balance")
    for _ in range(2):
        model.read(np.zeros((side, side, 3), np.uint8))
    assert remembered.answers.computed == 0


def test_an_unknown_model_is_refused_as_the_real_ones_refuse_it(remembered: RememberedModels) -> None:
    with pytest.raises(ModelUnusable) as refused:
        remembered.open("denoise", "nobody")
    assert refused.value.code == "model_unknown"
