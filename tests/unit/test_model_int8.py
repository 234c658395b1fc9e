"""Where the processor multiplies bytes fast, a model's int8 variant runs in its place, checked and recorded as such."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from darkroom.domain.errors import ConfigurationError, ModelUnusable
from darkroom.inference.registry import Registry
from darkroom.inference.session import ModelStore
from darkroom.runtime.bootstrap import runs_int8
from darkroom.runtime.settings import Settings
from infra.staging.registry import models_for
from tests.graphs import Graph

ENTRY = """
[[model]]
id = "dim"
stage = "denoise"
version = "1"
file = "model.onnx"
sha256 = "{single}"
licence = "CC0"
commercial_use = true
default = true
int8 = {{ file = "{file}", sha256 = "{int8}" }}
training_data = [{{ source = "none", licence = "CC0", class = "permissive" }}]

[model.contract]
input = "image"
outputs = ["dimmed"]
range = [0, 1]
halo = 0
opset = 17
"""
PIXELS = np.full((8, 8, 3), 200, np.uint8)


def dimmer(factor: float) -> bytes:
    """A graph that multiplies by `factor`, so that one can see which one ran."""
    graph, shape = Graph(), (1, 3, "height", "width")
    return graph.bytes([("dimmed", graph.times(graph.input("image", shape), factor), shape)])


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """One model that halves, whose variant quarters."""
    single, int8 = dimmer(0.5), dimmer(0.25)
    (tmp_path / "model.onnx").write_bytes(single)
    (tmp_path / "model.int8.onnx").write_bytes(int8)
    digests = {"single": hashlib.sha256(single).hexdigest(), "int8": hashlib.sha256(int8).hexdigest()}
    path = tmp_path / "registry.toml"
    path.write_text(ENTRY.format(file="model.int8.onnx", **digests))
    return path


def test_the_variant_runs_where_it_is_wanted_and_says_so(registry: Path) -> None:
    listed = Registry.load(registry)
    plain, fast = (ModelStore(listed, threads=1, int8=wanted).open("denoise", "dim") for wanted in (False, True))
    assert (int(plain.apply(PIXELS)[0, 0, 0]), int(fast.apply(PIXELS)[0, 0, 0])) == (100, 50)
    assert plain.ref.int8_sha256 is None
    assert fast.ref.int8_sha256 == hashlib.sha256(dimmer(0.25)).hexdigest()


def test_a_plan_names_the_model_whichever_variant_a_machine_runs(registry: Path) -> None:
    listed = Registry.load(registry)
    planned = listed.model_ref("denoise", None)
    assert planned is not None
    assert planned.int8_sha256 is None
    opened = ModelStore(listed, threads=1, int8=True).open("denoise", "dim", sha256=planned.sha256)
    assert opened.ref.sha256 == planned.sha256


def test_a_model_without_a_variant_runs_itself(registry: Path) -> None:
    lines = [line for line in registry.read_text().splitlines() if not line.startswith("int8")]
    registry.write_text("\n".join(lines))
    model = ModelStore(Registry.load(registry), threads=1, int8=True).open("denoise", "dim")
    assert (int(model.apply(PIXELS)[0, 0, 0]), model.ref.int8_sha256) == (100, None)


def test_a_variant_that_is_not_what_was_registered_is_refused(registry: Path) -> None:
    (registry.parent / "model.int8.onnx").write_bytes(dimmer(0.75))
    with pytest.raises(ModelUnusable) as refused:
        ModelStore(Registry.load(registry), threads=1, int8=True).open("denoise", "dim")
    assert refused.value.code == "model_checksum_mismatch"
    assert hashlib.sha256(dimmer(0.75)).hexdigest() in str(refused.value)


def test_a_variant_travels_with_the_function_of_its_stage(registry: Path) -> None:
    (registry.parent / "models").mkdir()
    registry.rename(registry.parent / "models" / "registry.toml")
    assert models_for(registry.parent, "denoise").files == ("model.int8.onnx", "model.onnx")


def test_a_variant_that_lies_elsewhere_is_refused(registry: Path) -> None:
    registry.write_text(registry.read_text().replace("model.int8.onnx", "../model.int8.onnx"))
    with pytest.raises(ConfigurationError, match=r"\.\./model\.int8\.onnx"):
        Registry.load(registry)


@pytest.mark.parametrize(
    ("flags", "setting", "expected"),
    [
        ("fpu sse2 avx2 avx512f avx512_vnni", "auto", True),
        ("fpu sse2 avx2 avx_vnni", "auto", True),
        ("fpu sse2 avx2 avx512f", "auto", False),
        ("fpu sse2 avx2", "on", True),
        ("fpu avx512_vnni", "off", False),
    ],
)
def test_the_processor_decides_unless_it_is_set(flags: str, setting: str, expected: bool, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert runs_int8(Settings.model_validate({"int8": setting}), cpuinfo) is expected


def test_a_system_that_does_not_tell_its_processor_runs_the_models_themselves(tmp_path: Path) -> None:
    assert runs_int8(Settings(), tmp_path / "cpuinfo") is False
