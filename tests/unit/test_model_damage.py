"""Damage covers what it says and nothing else, and hard negatives leave the photograph in range."""

from collections.abc import Callable

import numpy as np
import pytest

from darkroom.imaging.picture import Image
from models.training import damage, hard_negatives
from models.training.damage import KINDS, Course, Layer, Size, damaged, stroke, wander, worn

Kind = Callable[[Size, np.random.Generator], Layer]
SIZE = (96, 80)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def grey() -> Image:
    return np.full((*SIZE, 3), 0.5, np.float32)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_covers_some_of_the_picture_and_never_more_than_all(kind: Kind, rng: np.random.Generator) -> None:
    layers = [kind(SIZE, rng) for _ in range(30)]
    assert {layer.coverage.shape for layer in layers} == {SIZE}
    assert all(layer.coverage.min() >= 0 and layer.coverage.max() <= 1 for layer in layers)
    shares = [float((layer.coverage > 0.1).mean()) for layer in layers]
    assert 0.0005 < np.mean(shares) < 0.3


def test_the_shares_of_all_kinds_are_all() -> None:
    assert sum(KINDS.values()) == pytest.approx(1.0)


def test_what_is_not_covered_is_the_photograph(grey: Image, rng: np.random.Generator) -> None:
    for _ in range(20):
        image, coverage = damaged(grey, rng)
        assert (image[coverage == 0] == grey[coverage == 0]).all()
        assert image.dtype == np.float32
        assert 0 <= image.min() <= image.max() <= 1
    assert (grey == 0.5).all()


def test_a_layer_shows_its_colour_where_it_covers_all(grey: Image) -> None:
    coverage = np.zeros(SIZE, np.float32)
    coverage[3, 4], coverage[5, 6] = 1.0, 0.5
    image = Layer(coverage=coverage, colour=np.array([1.0, 0.0, 0.5], np.float32)).over(grey)
    assert image[3, 4].tolist() == [1.0, 0.0, 0.5]
    assert image[5, 6].tolist() == [0.75, 0.25, 0.5]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_layer_cut_hard_covers_a_pixel_as_much_as_any_or_not_at_all(kind: Kind, rng: np.random.Generator) -> None:
    for _ in range(10):
        soft = kind(SIZE, rng)
        hard = soft.cut_hard()
        assert set(np.unique(hard.coverage)) <= {0.0, soft.coverage.max()}
        assert (hard.coverage > 0).tolist() == (soft.coverage > soft.coverage.max() / 2).tolist()


def test_damage_is_soft_unless_it_is_asked_to_end_hard(grey: Image) -> None:
    def coverages(**asked: float) -> list[np.ndarray]:
        return [damaged(grey, np.random.default_rng(seed), **asked)[1] for seed in range(10)]

    soft, hard, default = (np.stack(each) for each in (coverages(hard=0.0), coverages(hard=1.0), coverages()))
    assert (default == soft).all()
    assert np.unique(hard).size < np.unique(soft).size / 10


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0, 4.0, 8.0])
def test_a_stroke_is_as_wide_as_asked(width: float) -> None:
    path = np.array([[-10.0, 48.3], [100.0, 48.3]])
    across = stroke((96, 96), path, width).sum(axis=0)
    assert width - 0.1 < across.mean() < width + 1.0


def test_a_path_without_bends_is_straight_and_as_long_as_asked(rng: np.random.Generator) -> None:
    path = wander(SIZE, rng, Course(heading=0.3, length=40.0, start=np.array([5.0, 6.0])))
    assert path[0].tolist() == [5.0, 6.0]
    assert np.diff(path, axis=0).std(axis=0).max() < 1e-9
    assert np.linalg.norm(path[-1] - path[0]) == pytest.approx(36.0)


def test_wear_only_takes_away(rng: np.random.Generator) -> None:
    whole = np.ones(SIZE, np.float32)
    little, much = (float(worn(whole, rng, cell=6.0, kept=kept).mean()) for kept in (0.9, 0.4))
    assert much < little < 1.0


@pytest.mark.parametrize("kind", hard_negatives.KINDS, ids=lambda kind: kind.__name__)
def test_hard_negatives_change_the_photograph_within_its_range(
    kind: Callable[[Image, np.random.Generator], Image], rng: np.random.Generator
) -> None:
    photograph = rng.uniform(0.2, 0.8, (*SIZE, 3)).astype(np.float32)
    before = photograph.copy()
    drawn = [kind(photograph, rng) for _ in range(10)]
    assert (photograph == before).all()
    assert {image.shape for image in drawn} == {photograph.shape}
    assert all(image.min() >= 0 and image.max() <= 1 for image in drawn)
    assert any((image != photograph).any() for image in drawn)


def test_one_seed_makes_one_damage(grey: Image) -> None:
    one, other = (damage.damaged(grey, np.random.default_rng(7))[0] for _ in range(2))
    assert (one == other).all()
