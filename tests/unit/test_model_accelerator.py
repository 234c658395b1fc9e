"""Where models run is set, and a GPU that is not there is never replaced by the processor without a word."""

from pathlib import Path

import onnxruntime
import pytest

from darkroom.domain.errors import TransientError
from darkroom.inference.registry import Registry
from darkroom.inference.runtime import load
from darkroom.runtime.bootstrap import models_of, runs_int8
from darkroom.runtime.settings import DEFAULT_REGISTRY, Settings
from tests.graphs import Graph

SHAPE = (1, 3, "height", "width")

without_gpu = pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this onnxruntime may find a GPU"
)


def same() -> bytes:
    """Gives what it is given."""
    graph = Graph()
    return graph.bytes([("y", graph.input("x", SHAPE), SHAPE)])


def test_unless_told_otherwise_models_run_on_the_processor() -> None:
    assert Settings().accelerator == "cpu"
    assert load(same(), 1, "graph").get_providers() == ["CPUExecutionProvider"]


@without_gpu
def test_a_missing_gpu_is_an_error_that_another_delivery_may_not_meet() -> None:
    with pytest.raises(TransientError, match="no NVIDIA GPU to run model 'graph'") as caught:
        load(same(), 1, "graph", accelerator="cuda")
    assert caught.value.code == "no_accelerator"


@without_gpu
def test_the_setting_reaches_the_models() -> None:
    registry = Registry.load(DEFAULT_REGISTRY)
    models = models_of(registry, Settings(accelerator="cuda"), threads=1)
    with pytest.raises(TransientError, match="NVIDIA"):
        models.open("denoise", "denoise")
    assert models_of(registry, Settings(), threads=1).open("denoise", "denoise").ref.id == "denoise"


def test_int8_is_for_processors_unless_somebody_insists(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags : avx512_vnni\n")
    assert runs_int8(Settings(), cpuinfo) is True
    assert runs_int8(Settings(accelerator="cuda"), cpuinfo) is False
    assert runs_int8(Settings(accelerator="cuda", int8="on"), cpuinfo) is True
