"""What is drawn for the colorizer, and does its palette hold every colour? Needs requirements-train.txt."""

import numpy as np
import pytest

from tests.training.packages import require_training_packages

require_training_packages()

import torch  # noqa: E402

from models.training.recipes.colorize import (  # noqa: E402
    HINTED,
    RECIPE,
    REDUCTION,
    SIDE,
    TRAINED_SIDE,
    ColourNet,
    Colours,
    grey,
    loss,
    mean_colour,
    nearness,
    palette,
    revealed,
    score,
    train_sample,
    val_sample,
)
from tests.photographs import photograph  # noqa: E402


def flat(chroma: tuple[float, float], side: int = 4) -> "torch.Tensor":
    return torch.tensor(chroma).view(1, 2, 1, 1).expand(1, 2, side, side)


def certain(colour: int, side: int = 4) -> "torch.Tensor":
    """Logits that leave no doubt."""
    logits = torch.full((1, len(palette()), side, side), -50.0)
    logits[:, colour] = 50.0
    return logits


def test_the_palette_begins_with_grey_and_reaches_saturated_colours() -> None:
    colours = palette()
    assert colours[0].tolist() == [0.0, 0.0]
    assert float(colours.norm(dim=1).max()) > 80
    assert len(torch.unique(colours, dim=0)) == len(colours)


def test_every_frequent_colour_has_a_neighbour_in_the_palette() -> None:
    sample = val_sample(photograph("astronaut"), np.random.default_rng(0))
    chroma = torch.from_numpy(sample.target.reshape(-1, 2))
    nearest = torch.cdist(chroma, palette()).min(dim=1).values
    assert float(nearest.quantile(0.95)) < 10


def test_nearness_tells_the_nearest_colour() -> None:
    chroma = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(0)) * 30
    by_distance = torch.cdist(chroma.permute(0, 2, 3, 1).reshape(-1, 2), palette()).argmin(dim=1)
    assert torch.equal(nearness(chroma).argmax(dim=1).flatten(), by_distance)


@pytest.mark.parametrize("colour", [0, 5, 40, 90])
def test_the_mean_of_one_colour_is_that_colour(colour: int) -> None:
    assert torch.allclose(mean_colour(certain(colour))[0, :, 0, 0], palette()[colour], atol=1e-3)


def test_samples_show_luma_and_ask_for_the_colours_at_a_quarter() -> None:
    rng = np.random.default_rng(2)
    for _ in range(30):
        sample = train_sample(photograph("coffee"), rng)
        lightness, hints = sample.inputs
        assert lightness.shape == (TRAINED_SIDE, TRAINED_SIDE, 1)
        assert hints.shape == (TRAINED_SIDE, TRAINED_SIDE, 3)
        assert sample.target.shape == (TRAINED_SIDE // REDUCTION, TRAINED_SIDE // REDUCTION, 2)
        assert -25 < lightness.min() <= lightness.max() < 125


def test_some_samples_have_hints_and_most_have_none() -> None:
    rng = np.random.default_rng(3)
    hinted = [bool(train_sample(photograph("coffee"), rng).inputs[1].any()) for _ in range(200)]
    assert np.mean(hinted) == pytest.approx(HINTED, abs=0.1)


def test_hints_are_true_colours_of_few_places() -> None:
    chroma = np.random.default_rng(4).normal(0, 30, (64, 64, 2)).astype(np.float32)
    for seed in range(40):
        hints = revealed(chroma, np.random.default_rng(seed))
        places = hints[..., 2] == 1
        assert 0 < places.sum() <= 20 * 49
        assert not hints[~places].any()
    single = revealed(np.full((64, 64, 2), (30.0, -12.0), np.float32), np.random.default_rng(0))
    assert np.unique(single[single[..., 2] == 1], axis=0).tolist() == [[30.0, -12.0, 1.0]]


def test_validation_shows_the_whole_photograph_without_hints() -> None:
    lightness, hints = val_sample(photograph("rocket"), np.random.default_rng(0)).inputs
    assert lightness.shape == (SIDE, SIDE, 1)
    assert not hints.any()


def test_the_right_colour_costs_less_and_scores_more_than_a_wrong_one() -> None:
    target = flat((float(palette()[30][0]), float(palette()[30][1])))
    right, wrong = certain(30), certain(80)
    assert loss(right, target, ()) < loss(wrong, target, ())
    assert score(right, target) > score(wrong, target) + 10


def test_without_a_network_there_is_no_colour() -> None:
    inputs = (torch.full((2, 1, 32, 64), 50.0), torch.zeros(2, 3, 32, 64))
    assert mean_colour(grey(inputs)).abs().max() < 1e-3


def test_what_is_exported_does_not_favour_a_side() -> None:
    torch.manual_seed(0)
    network = Colours(ColourNet()).eval()
    lightness, hints = torch.rand(1, 1, 64, 64) * 100, torch.zeros(1, 3, 64, 64)
    with torch.no_grad():
        chroma, confidence = network(lightness, hints)
        mirrored, _ = network(lightness.flip(-1), hints)
    assert torch.allclose(chroma, mirrored.flip(-1), atol=1e-3)
    assert chroma.shape == (1, 2, 16, 16)
    assert confidence.shape == (1, 1, 16, 16)
    assert 0 <= float(confidence.min()) <= float(confidence.max()) <= 1


def test_a_certain_network_is_confident() -> None:
    class Certain(torch.nn.Module):
        def forward(self, lightness: "torch.Tensor", hints: "torch.Tensor") -> "torch.Tensor":
            return certain(60).expand(len(lightness), -1, -1, -1)

    _, confidence = Colours(Certain())(*RECIPE.example)
    assert float(confidence.min()) > 0.98
