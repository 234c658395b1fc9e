"""Every recipe can be trained, resumed and exported; needs requirements-train.txt, and is skipped without it."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from onnxruntime import InferenceSession  # noqa: E402

from models.training.export import OUTPUT, export  # noqa: E402
from models.training.loop import Training, batches, scheduled, train  # noqa: E402
from models.training.photographs import Photographs  # noqa: E402
from models.training.recipes import RECIPES  # noqa: E402


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for number in range(40):
        small = rng.integers(0, 256, (20, 20, 3), np.uint8)
        cv2.imwrite(str(folder / f"pop_{number:04}.jpg"), cv2.resize(small, (200, 200)))
    return Photographs.load(folder)


@pytest.fixture(params=sorted(RECIPES))
def training(request: pytest.FixtureRequest) -> Training:
    return Training(recipe=RECIPES[request.param], device=torch.device("cpu"))


def test_a_training_ends_in_time_and_its_checkpoint_continues_it(
    training: Training, photographs: Photographs, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    before = time.monotonic()
    train(training, photographs, checkpoint, minutes=0.01, workers=0)
    assert 0.6 <= training.elapsed_s < time.monotonic() - before
    resumed = Training(recipe=training.recipe, device=training.device)
    resumed.restore(checkpoint)
    assert (resumed.step, resumed.elapsed_s) == (training.step, training.elapsed_s)
    expected, found = training.average.state_dict(), resumed.average.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_threads_that_prepare_batches_do_not_change_them(training: Training, photographs: Photographs) -> None:
    inline = batches(training.recipe, photographs, first=3, workers=0)
    ahead = batches(training.recipe, photographs, first=3, workers=2)
    for _ in range(3):
        assert torch.equal(next(inline)[1], next(ahead)[1])
    ahead.close()


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (23, 38)])
def test_the_exported_graph_answers_as_the_network_does(training: Training, tmp_path: Path, size) -> None:
    export(training.recipe, training.average, tmp_path / "model.onnx")
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    inputs = (image, *(torch.tensor([30.0]) for _ in training.recipe.inputs[1:]))
    with torch.no_grad():
        expected = training.average(*inputs).clamp(0, 1).numpy()
    session = InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    named = {name: each.numpy() for name, each in zip(training.recipe.inputs, inputs, strict=True)}
    assert np.abs(session.run([OUTPUT], named)[0] - expected).max() < 2e-3


def test_an_export_is_the_same_bytes_every_time(training: Training, tmp_path: Path) -> None:
    digests = {export(training.recipe, training.average, tmp_path / name) for name in ("one.onnx", "two.onnx")}
    assert len(digests) == 1
    assert str(Path.cwd()).encode() not in (tmp_path / "one.onnx").read_bytes()


def test_the_learning_rate_warms_up_and_then_follows_the_clock() -> None:
    assert scheduled(1.0, 0, 0.0) < scheduled(1.0, 100, 0.0) < scheduled(1.0, 1000, 0.0) == 1.0
    assert scheduled(1.0, 1000, 0.5) == pytest.approx(0.5)
    assert scheduled(1.0, 1000, 1.0) == pytest.approx(0.001)
