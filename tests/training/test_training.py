"""Every recipe can be trained, resumed and exported; needs requirements-train.txt, and is skipped without it."""

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.packages import require_training_packages

require_training_packages()

import torch  # noqa: E402
from onnxruntime import InferenceSession  # noqa: E402
from torch import nn  # noqa: E402

from darkroom.imaging.picture import Image  # noqa: E402
from models.training.export import calibrate_batchnorm, export, take_weights  # noqa: E402
from models.training.loop import (  # noqa: E402
    VALIDATION_SAMPLES,
    Budget,
    Training,
    batches,
    collate,
    scheduled,
    train,
    validate,
    validation_samples,
)
from models.training.photographs import Split  # noqa: E402
from models.training.recipe import Recipe, Sample, on_centres, on_patches, psnr_db  # noqa: E402
from models.training.recipes import RECIPES  # noqa: E402
from models.training.recipes.upscale import MARGIN  # noqa: E402

CPU = torch.device("cpu")
#: Sides of the photographs: no patch is larger.
SIDE = 300
#: Inputs that only the exported graph takes, by recipe: repair's sensitivity.
ONLY_EXPORTED = {"repair": 1}
#: Steps in which the small recipe improves.
STEPS = 80
NOTHING = Split(training=(), validation=())
#: Recipes that are exported twice: one of free size and one of one size. An export takes seconds.
EXPORTED_TWICE = ("denoise", "background")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty colourful photographs of scenes, as many of products, and forty pairs of a photograph and a matte."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for kind in ("photos", "mattes"):
        (folder / kind).mkdir()
    for number in range(40):
        for name in ("photos/pop", "photos/cloth", "mattes/duts"):
            cv2.imwrite(str(folder / f"{name}_{number:04}.jpg"), blotches(rng))
        matte = np.zeros((SIDE, SIDE), np.uint8)
        cv2.circle(matte, (SIDE // 2, SIDE // 2), 50 + number, 255, -1)
        cv2.imwrite(str(folder / f"mattes/duts_{number:04}.png"), matte)
    return folder


def blotches(rng: np.random.Generator) -> np.ndarray:
    return cv2.resize(rng.integers(0, 256, (20, 20, 3), np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module", params=sorted(RECIPES))
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return RECIPES[request.param]


@pytest.fixture(scope="module")
def examples(recipe: Recipe, folder: Path) -> Split:
    return recipe.load(folder)


def test_a_network_and_its_baseline_can_be_judged_by_the_samples(recipe: Recipe, examples: Split) -> None:
    rng = np.random.default_rng(0)
    training = Training(recipe=recipe, device=CPU)
    inputs, target = collate([recipe.train_sample(examples.training[number], rng) for number in range(2)])
    output = training.network(*inputs)
    assert len(inputs) + ONLY_EXPORTED.get(recipe.id, 0) == len(recipe.inputs) == len(recipe.example)
    assert len(output) == len(target) == 2
    assert torch.isfinite(recipe.loss(output, target, inputs))
    assert np.isfinite(recipe.score(output, target, inputs))
    assert np.isfinite(recipe.score(recipe.baseline(inputs), target, inputs))


def test_a_recipe_validates_on_the_same_samples_every_time(recipe: Recipe, examples: Split) -> None:
    first, second = (validation_samples(recipe, examples) for _ in range(2))
    assert len(first) == len(second) > 0
    assert all(torch.equal(one[1], other[1]) for one, other in zip(first, second, strict=True))


def test_the_exported_graph_answers_as_the_network_does(recipe: Recipe, tmp_path: Path) -> None:
    network = Training(recipe=recipe, device=CPU).average
    digests = {export(recipe, network, tmp_path / "one.onnx")}
    if recipe.id in EXPORTED_TWICE:
        digests.add(export(recipe, network, tmp_path / "two.onnx"))
    with torch.no_grad():
        answer = recipe.exported(network).eval()(*recipe.example)
    expected = answer if isinstance(answer, tuple) else (answer,)
    session = InferenceSession(tmp_path / "one.onnx", providers=["CPUExecutionProvider"])
    named = {name: each.numpy() for name, each in zip(recipe.inputs, recipe.example, strict=True)}
    found = session.run(list(recipe.outputs), named)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one - other.numpy()).max() < 1e-2 * max(1.0, float(other.abs().max()))
    assert len(digests) == 1
    assert str(Path.cwd()).encode() not in (tmp_path / "one.onnx").read_bytes()


def normalised(recipe: Recipe) -> bool:
    return any(isinstance(each, nn.BatchNorm2d) for each in recipe.network().modules())


@pytest.mark.parametrize("name", sorted(name for name, each in RECIPES.items() if not normalised(each)))
def test_a_training_may_begin_with_the_weights_of_an_exported_file(name: str, tmp_path: Path) -> None:
    first, second = (Training(recipe=RECIPES[name], device=CPU) for _ in range(2))
    with torch.no_grad():
        for weight in first.network.parameters():
            weight.copy_(0.05 * torch.randn_like(weight))  # of equal ones, as zeros, the exporter keeps one
    export(RECIPES[name], first.network, tmp_path / "model.onnx")
    second.start_from(tmp_path / "model.onnx", NOTHING)
    expected = dict(first.network.named_parameters())
    for network in (second.network, second.average):
        for each, weight in network.named_parameters():
            assert torch.allclose(weight, expected[each], rtol=1e-3, atol=1e-6), each


@pytest.mark.parametrize("name", sorted(name for name, each in RECIPES.items() if normalised(each)))
def test_a_network_with_normalisations_answers_as_its_exported_file_does_and_expects_what_it_will_see(
    name: str, tmp_path: Path
) -> None:
    recipe = RECIPES[name]
    first, second = (recipe.network() for _ in range(2))
    for each in first.modules():
        if isinstance(each, nn.BatchNorm2d):
            for values, low in ((each.weight, 0.5), (each.running_var, 0.5), (each.bias, -0.2), (each.running_mean, 0)):
                values.data.copy_(low + 0.4 * torch.rand_like(values))
    export(recipe, first, tmp_path / "model.onnx")
    take_weights(second, tmp_path / "model.onnx")
    generator = torch.Generator().manual_seed(0)
    inputs = tuple(torch.rand(4, *each.shape[1:-2], 64, 96, generator=generator) for each in recipe.example)
    calibrate_batchnorm(second, [inputs])
    first.eval()
    second.eval()
    with torch.no_grad():
        expected, found = first(*inputs), second(*inputs)
        assert (expected - found).abs().max() < 1e-2 * expected.abs().max()
        seen_alone = second.train()(*inputs)
        assert (seen_alone[:, : found.shape[1]] - found).abs().max() < 2e-2 * found.abs().max()


def test_a_training_cannot_begin_with_the_weights_of_another_network(tmp_path: Path) -> None:
    export(RECIPES["denoise"], Training(recipe=RECIPES["denoise"], device=CPU).network, tmp_path / "model.onnx")
    with pytest.raises(SystemExit, match="none of its weights are the recipe's"):
        Training(recipe=RECIPES["white_balance"], device=CPU).start_from(tmp_path / "model.onnx", NOTHING)
    with pytest.raises(SystemExit, match=r"trunk.head.weight is \(32, 13, 3, 3\), the recipe's is \(32, 28, 3, 3\)"):
        Training(recipe=RECIPES["repair"], device=CPU).start_from(tmp_path / "model.onnx", NOTHING)


@pytest.mark.parametrize("name", ["denoise", "upscale-x2", "upscale-x4"])
def test_a_graph_of_free_size_takes_any_size(name: str, tmp_path: Path) -> None:
    free = RECIPES[name]
    network = Training(recipe=free, device=CPU).average
    export(free, network, tmp_path / "model.onnx")
    session = InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for size in ((1, 1), (16, 16), (23, 38)):
        inputs = (torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)), *free.example[1:])
        with torch.no_grad():
            expected = free.exported(network)(*inputs).numpy()
        named = {input_name: each.numpy() for input_name, each in zip(free.inputs, inputs, strict=True)}
        assert np.abs(session.run(None, named)[0] - expected).max() < 2e-3, size


@pytest.mark.parametrize("name", ["upscale-x2", "upscale-x4"])
def test_an_upscaler_is_trained_on_what_lies_inside_of_what_it_answers(name: str) -> None:
    network = RECIPES[name].network()
    image = torch.rand(1, 3, 48, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        inside, everything = network(image).clamp(0, 1), RECIPES[name].exported(network)(image)
    margin = network.scale * MARGIN
    assert everything.shape == (1, 3, network.scale * 48, network.scale * 56)
    torch.testing.assert_close(everything[..., margin:-margin, margin:-margin], inside)


class Brighter(nn.Module):
    """Adds what it learns to every channel."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + self.shift


def darkened(clean: Image, rng: np.random.Generator) -> Sample:
    return Sample(inputs=(clean - np.float32(rng.uniform(0.1, 0.12)),), target=clean)


SMALL = Recipe(
    id="brighter",
    network=Brighter,
    inputs=("image",),
    train_sample=on_patches(16, darkened),
    val_sample=on_centres(darkened, 32),
    loss=lambda output, target, _: (output - target).abs().mean(),
    score=psnr_db,
    baseline=lambda inputs: inputs[0],
    batch=2,
)


@pytest.fixture
def small(folder: Path) -> Split:
    return SMALL.load(folder)


def test_a_training_makes_its_steps_improves_and_its_checkpoint_continues_it(small: Split, tmp_path: Path) -> None:
    checkpoint, training = tmp_path / "checkpoint.pt", Training(recipe=SMALL, device=CPU)
    train(training, small, checkpoint, budget=Budget(steps=STEPS), workers=0)
    assert training.step == STEPS
    reached, without = validate(training, validation_samples(SMALL, small))
    assert reached > without
    resumed = Training(recipe=SMALL, device=CPU)
    resumed.restore(checkpoint)
    assert (resumed.step, resumed.elapsed_s) == (training.step, training.elapsed_s)
    expected, found = training.average.state_dict(), resumed.average.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_training_that_is_given_no_steps_ends_in_time(small: Split, tmp_path: Path) -> None:
    training = Training(recipe=SMALL, device=CPU)
    before = time.monotonic()
    train(training, small, tmp_path / "checkpoint.pt", budget=Budget(minutes=0.005), workers=0)
    assert 0.3 <= training.elapsed_s < time.monotonic() - before


def test_samples_of_all_sources_are_validated_on(small: Split) -> None:
    numbered = replace(small, validation=tuple(np.float32(number) for number in range(4 * VALIDATION_SAMPLES)))
    recipe = replace(SMALL, val_sample=lambda example, _: Sample(inputs=(example,), target=np.zeros(1, np.float32)))
    chosen = [float(inputs[0][0]) for inputs, _ in validation_samples(recipe, numbered)]
    assert len(set(chosen)) == VALIDATION_SAMPLES
    assert np.mean(chosen) == pytest.approx(2 * VALIDATION_SAMPLES, rel=0.15)


def test_a_network_that_stays_worse_than_its_input_stops_the_training(small: Split, tmp_path: Path) -> None:
    hopeless = replace(SMALL, loss=lambda output, target, _: -(output - target).abs().mean(), batch=1)
    training = Training(recipe=hopeless, device=CPU, step=5000)
    with pytest.raises(SystemExit, match="does not beat its input"):
        train(training, small, tmp_path / "checkpoint.pt", budget=Budget(steps=5001), workers=0)


def test_threads_that_prepare_batches_do_not_change_them(small: Split) -> None:
    inline, ahead = (batches(SMALL, small, first=3, workers=workers) for workers in (0, 2))
    for _ in range(3):
        assert torch.equal(next(inline)[1], next(ahead)[1])
    ahead.close()


def test_the_learning_rate_warms_up_and_then_falls() -> None:
    assert scheduled(1.0, 0, 0.0) < scheduled(1.0, 100, 0.0) < scheduled(1.0, 1000, 0.0) == 1.0
    assert scheduled(1.0, 1000, 0.5) == pytest.approx(0.5)
    assert scheduled(1.0, 1000, 1.0) == pytest.approx(0.001)
