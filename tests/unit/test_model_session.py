"""A model is used only if its file and its graph are what was registered, and its answers are what was promised."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from onnxruntime import InferenceSession
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from darkroom.domain.errors import ModelUnusable, TransientError
from darkroom.imaging.picture import Pixels
from darkroom.inference.registry import ModelEntry, Registry
from darkroom.inference.session import Model, ModelStore

MODELS = Path(__file__).parents[2] / "models"
REGISTRY = MODELS / "registry.toml"

STORE = ModelStore(Registry.load(REGISTRY), threads=1)


def default(stage: str) -> ModelEntry:
    entry = STORE.registry.default(stage)
    assert entry is not None
    return entry


def opened(stage: str) -> Model:
    return STORE.open(stage, default(stage).ref.id)


def noise(height: int, width: int, dtype: type = np.uint8) -> Pixels:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)


def scalars(model: Model) -> dict[str, float]:
    return dict.fromkeys(model.contract.scalars, 20.0)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the models that a test may damage."""
    for entry in STORE.registry.entries:
        target = tmp_path / entry.path.relative_to(MODELS)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(entry.path, target)
    shutil.copy(REGISTRY, tmp_path)
    return tmp_path


def altered(folder: Path, *changes: tuple[str, str]) -> ModelStore:
    """The store of a registry in which the first occurrence of each old text is replaced by the new one."""
    path = folder / "registry.toml"
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    return ModelStore(Registry.load(path), threads=1)


def refusal(store: ModelStore, **arguments: str) -> ModelUnusable:
    with pytest.raises(ModelUnusable) as refused:
        store.open("denoise", "denoise", **arguments)
    return refused.value


def test_a_model_is_opened_once() -> None:
    assert opened("denoise") is opened("denoise")


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "denoise" / "model.onnx").unlink()
    error = refusal(altered(copy))
    assert error.code == "model_missing"
    assert str(copy / "denoise" / "model.onnx") in str(error)


def test_an_altered_file_is_refused_with_both_digests(copy: Path) -> None:
    path = copy / "denoise" / "model.onnx"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    error = refusal(altered(copy))
    assert error.code == "model_checksum_mismatch"
    assert default("denoise").ref.sha256 in str(error)
    assert hashlib.sha256(damaged).hexdigest() in str(error)


def test_a_plan_made_with_another_version_is_refused_with_both_digests() -> None:
    error = refusal(STORE, sha256="0" * 64)
    assert error.code == "model_checksum_mismatch"
    assert "0" * 64 in str(error)
    assert default("denoise").ref.sha256 in str(error)


def test_a_plan_made_with_this_version_is_accepted() -> None:
    entry = default("denoise")
    assert STORE.open("denoise", entry.ref.id, sha256=entry.ref.sha256).ref == entry.ref


def test_a_file_that_is_no_graph_is_refused(copy: Path) -> None:
    (copy / "denoise" / "model.onnx").write_bytes(b"no graph")
    store = altered(copy, (default("denoise").ref.sha256, hashlib.sha256(b"no graph").hexdigest()))
    assert refusal(store).code == "model_contract"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('input = "image"', 'input = "picture"', "the graph has inputs ['image', 'sigma'], the contract ['picture', "),
        ('output = "restored"', 'output = "result"', "the graph has outputs ['restored'], the contract 'result'"),
        ('scalars = ["sigma"]', "scalars = []", "the graph has inputs ['image', 'sigma'], the contract ['image']"),
        ('scalars = ["sigma"]', 'scalars = ["image"]', "'image' has shape [1, 3, 'height', 'width'], expected [1]"),
        ('input = "image"', 'input = "sigma"', "'sigma' has shape [1], expected [1, 3, 'any', 'any']"),
    ],
)
def test_a_graph_that_breaks_its_contract_is_refused(copy: Path, old: str, new: str, says: str) -> None:
    error = refusal(altered(copy, (old, new)))
    assert error.code == "model_contract"
    assert says in str(error)


@pytest.mark.parametrize("stage", ["denoise", "upscale"])
@pytest.mark.parametrize("size", [(1, 1), (1, 8), (7, 1), (2, 2), (33, 47), (64, 64)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_size_and_bit_depth_comes_back_scaled_and_in_its_type(stage: str, size: tuple[int, int], dtype) -> None:
    model = opened(stage)
    result = model.apply(noise(*size, dtype), scalars(model))
    assert result.shape == (size[0] * model.contract.scale, size[1] * model.contract.scale, 3)
    assert result.dtype == dtype


@pytest.mark.parametrize("stage", ["denoise", "upscale"])
@pytest.mark.parametrize("size", [(97, 131), (128, 96)])
def test_tiled_equals_untiled_to_a_level(stage: str, size: tuple[int, int]) -> None:
    model, pixels = opened(stage), noise(*size)
    tiled = model.apply(pixels, scalars(model), tile=34 + 2 * model.contract.halo).astype(int)
    untiled = model.apply(pixels, scalars(model), tile=max(size))
    assert np.abs(tiled - untiled).max() <= 1


def raw(stage: str, pixels: Pixels) -> np.ndarray:
    """The graph's own float answer: integers would hide influences below half a level."""
    entry = default(stage)
    nchw = (pixels.transpose(2, 0, 1)[np.newaxis] / 255).astype(np.float32)
    extra = {name: np.array([20], np.float32) for name in entry.contract.scalars}
    session = InferenceSession(entry.path, providers=["CPUExecutionProvider"])
    return session.run([entry.contract.output], {entry.contract.input: nchw, **extra})[0]


@pytest.mark.parametrize("stage", ["denoise", "upscale"])
def test_what_lies_beyond_the_halo_changes_no_level(stage: str) -> None:
    contract, middle = default(stage).contract, 80
    original, changed = noise(48, 240) // 2, noise(48, 240) // 2
    changed[:, :middle] = 127 - changed[:, :middle]
    difference = 255 * np.abs(raw(stage, original) - raw(stage, changed)).max(axis=(0, 1, 2))
    beyond, beside = (middle + contract.halo) * contract.scale, middle * contract.scale
    assert difference[beyond:].max() < 0.5
    assert difference[beside : beside + 2].min() > 0.5


@pytest.mark.parametrize("stage", ["denoise", "upscale"])
def test_answers_stay_in_range(stage: str) -> None:
    extreme = np.where(noise(40, 40) > 127, 255, 0).astype(np.uint8)
    answer = raw(stage, extreme)
    assert answer.min() >= 0
    assert answer.max() <= 1


def test_sixteen_bits_keep_more_than_eight() -> None:
    gradient = np.linspace(20000, 21000, 64 * 64).astype(np.uint16).reshape(64, 64, 1).repeat(3, axis=2)
    result = opened("denoise").apply(gradient, {"sigma": 10.0})
    assert len(np.unique(result // 257)) * 20 < len(np.unique(result))


def test_missing_and_unknown_scalars_are_named() -> None:
    with pytest.raises(ModelUnusable, match=r"needs the scalars \['sigma'\], not \[\]"):
        opened("denoise").apply(noise(8, 8))
    with pytest.raises(ModelUnusable, match=r"needs the scalars \[\], not \['sigma'\]"):
        opened("upscale").apply(noise(8, 8), {"sigma": 3.0})


def test_a_picture_below_the_minimum_is_refused_with_both_sizes(copy: Path) -> None:
    model = altered(copy, ("min_size = 1", "min_size = 32")).open("denoise", "denoise")
    with pytest.raises(ModelUnusable, match="takes pictures from 32 pixels a side on, not 40x31"):
        model.apply(noise(40, 31), {"sigma": 5.0})


def test_an_answer_of_another_scale_than_promised_is_refused(copy: Path) -> None:
    model = altered(copy, ("scale = 1", "scale = 2")).open("denoise", "denoise")
    with pytest.raises(ModelUnusable, match=r"answered \(1, 3, 8, 8\).*promises \(1, 3, 16, 16\)"):
        model.apply(noise(8, 8), {"sigma": 5.0})


def test_an_answer_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ModelUnusable, match="answered NaN"):
        opened("denoise").apply(noise(8, 8), {"sigma": float("nan")})


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 4), (0, 8, 3)])
def test_pixels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        opened("upscale").apply(np.zeros(shape, np.uint8))


class FailingSession:
    """Fails as onnxruntime does."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        raise self.error


def failing(error: Exception) -> Model:
    entry = default("upscale")
    return Model(ref=entry.ref, contract=entry.contract, _session=FailingSession(error))


@pytest.mark.parametrize("kind", [Fail, RuntimeException])
def test_too_little_memory_is_transient(kind: type[Exception]) -> None:
    error = kind("Conv node. Failed to allocate memory for requested buffer of size 9")
    with pytest.raises(TransientError, match="no memory to run model 'upscale-x2'"):
        failing(error).apply(noise(8, 8))


@pytest.mark.parametrize("kind", [Fail, InvalidArgument, RuntimeException])
def test_a_graph_that_fails_while_it_runs_is_unusable(kind: type[Exception]) -> None:
    with pytest.raises(ModelUnusable, match="cannot run model 'upscale-x2': Non-zero status") as refused:
        failing(kind("Non-zero status code returned while running Reshape node")).apply(noise(8, 8))
    assert isinstance(refused.value.__cause__, kind)
