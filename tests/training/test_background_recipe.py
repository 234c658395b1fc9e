"""What is drawn for the background model, and does its optimizer do what it says? Needs requirements-train.txt."""

from copy import deepcopy

import numpy as np
import pytest

from tests.training.packages import require_training_packages

require_training_packages()

import torch  # noqa: E402

from models.training.muon import Muon, orthogonal  # noqa: E402
from models.training.recipes.background import (  # noqa: E402
    EARLY_SIDE,
    FILLED,
    RECIPE,
    SIDE,
    STEEPER,
    STRICTER,
    Matte,
    SubjectNet,
    centre,
    loss,
    score,
    train_sample,
    val_sample,
)


def pair(side: int = 96) -> np.ndarray:
    """A noisy photograph with a round subject in its middle."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 4), np.uint8)
    rows, columns = np.mgrid[:side, :side] - side // 2
    pixels[..., 3] = 255 * (np.hypot(rows, columns) < side / 4)
    return pixels


def network() -> SubjectNet:
    torch.manual_seed(0)
    made = SubjectNet()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    return made


def test_draws_have_the_asked_side_and_stay_in_range() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        for side in (SIDE, EARLY_SIDE):
            sample = train_sample(pair(), rng, side=side)
            assert sample.inputs[0].shape == (side, side, 3)
            assert sample.target.shape == (side, side, 1)
            assert min(sample.inputs[0].min(), sample.target.min()) >= 0
            assert max(sample.inputs[0].max(), sample.target.max()) <= 1


def test_a_draw_holds_most_of_the_subject_or_none_of_it() -> None:
    rng = np.random.default_rng(2)
    shares = np.array([train_sample(pair(), rng, side=64).target.mean() for _ in range(300)])
    with_subject = shares[shares > 0]
    assert 0 < (shares == 0).mean() < 0.1
    # The subject covers 0.196 of the whole; windows have at most 1.69 times the area of it.
    assert with_subject.min() > 0.7 * 0.196 / 1.69


def test_now_and_then_the_subject_fills_the_frame() -> None:
    rng = np.random.default_rng(4)
    shares = np.array([train_sample(pair(), rng, side=64).target.mean() for _ in range(300)])
    # The whole subject fills at most 0.196 / 0.49 of the other cuts.
    assert 0.02 < (shares > FILLED[0]).mean() < 0.2
    assert shares.max() <= FILLED[1]


def test_the_same_seed_draws_the_same() -> None:
    one, other = (train_sample(pair(), np.random.default_rng(3)) for _ in range(2))
    assert (one.inputs[0] == other.inputs[0]).all()


def test_a_network_that_says_the_truth_has_less_loss_than_the_ellipse_and_full_score() -> None:
    sample = val_sample(pair(), np.random.default_rng(0))
    target = torch.from_numpy(sample.target).permute(2, 0, 1)[None]
    inputs = (torch.from_numpy(sample.inputs[0]).permute(2, 0, 1)[None],)
    truth, guess = 40 * (target - 0.5).expand(-1, 4, -1, -1), centre(inputs)
    assert float(loss(truth, target, inputs)) < 0.1 < float(loss(guess.expand(-1, 4, -1, -1), target, inputs))
    assert score(truth, target) == pytest.approx(1)


@pytest.mark.parametrize("size", [(32, 32), (160, 160), (64, 96)])
def test_the_export_answers_as_the_network_does_and_the_same_for_the_mirror_image(size: tuple[int, int]) -> None:
    trained, image = network().eval(), torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = (trained(image) + trained(image.flip(-1)).flip(-1)) / 2
        expected = torch.sigmoid(STEEPER * (logits - STRICTER))
        exported = Matte(trained)
        matte, mirrored = exported(image), exported(image.flip(-1))
    assert matte.shape == (1, 1, *size)
    assert torch.allclose(matte, expected, atol=1e-4)
    assert torch.allclose(mirrored.flip(-1), matte, atol=1e-5)


def test_every_level_is_judged_in_training_and_only_the_answer_is_given_afterwards() -> None:
    image = torch.rand(2, 3, 64, 64)
    assert network().train()(image).shape == (2, 4, 64, 64)
    assert network().eval()(image).shape == (2, 1, 64, 64)


@pytest.mark.parametrize("shape", [(40, 200), (200, 40)])
def test_an_orthogonal_step_follows_all_directions_about_equally(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    steep = torch.randn(shape) * torch.logspace(0, -1, shape[1])
    values = torch.linalg.svdvals(orthogonal(steep))
    assert 0.5 < float(values.min()) <= float(values.max()) < 1.4


def test_muon_goes_downhill_and_its_state_continues_it() -> None:
    torch.manual_seed(0)
    wanted, images = torch.nn.Conv2d(32, 32, 3), torch.randn(4, 32, 8, 8)

    def steps(layer: torch.nn.Module, optimizer: Muon, count: int) -> float:
        for _ in range(count):
            optimizer.zero_grad()
            error = (layer(images) - wanted(images).detach()).square().mean()
            error.backward()
            optimizer.step()
        return float(error.detach())

    layer = torch.nn.Conv2d(32, 32, 3)
    optimizer = Muon(layer.parameters(), lr=3e-3)
    before = steps(layer, optimizer, 1)
    assert steps(layer, optimizer, 60) < 0.5 * before
    resumed = torch.nn.Conv2d(32, 32, 3)
    resumed.load_state_dict(layer.state_dict())
    going_on = Muon(resumed.parameters(), lr=3e-3)
    going_on.load_state_dict(deepcopy(optimizer.state_dict()))
    assert steps(resumed, going_on, 5) == pytest.approx(steps(layer, optimizer, 5), rel=1e-4)


def test_a_larger_learning_rate_makes_a_larger_step() -> None:
    moved = []
    for rate in (1e-3, 1e-2):
        torch.manual_seed(0)
        layer = torch.nn.Conv2d(32, 32, 3)
        before = layer.weight.detach().clone()
        layer(torch.ones(1, 32, 8, 8)).square().mean().backward()
        Muon(layer.parameters(), lr=rate).step()
        moved.append(float((layer.weight.detach() - before).norm()))
    assert moved[1] == pytest.approx(10 * moved[0], rel=1e-3)


def test_the_network_is_small() -> None:
    assert sum(each.numel() for each in RECIPE.network().parameters()) < 3_500_000
