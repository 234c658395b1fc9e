"""A model may bring another one of its stage along, which is checked like any model."""

import hashlib
from pathlib import Path

import pytest

from darkroom.domain.errors import ConfigurationError, ModelUnusable
from darkroom.inference.registry import Registry
from darkroom.inference.session import ModelStore
from tests.graphs import Graph

PIXELS = 'input = "image"\noutput = "restored"\nrange = [0, 1]\nhalo = 0\nopset = 17'
TONE = 'answer = "tone"\ninput = "image"\noutput = "curves"\nrange = [0, 1]\nsize = [8, 8]\nopset = 17'


def table(path: Path, contract: str, *, companion: str = "") -> str:
    told = f'companion = "{companion}"\n' if companion else ""
    return (
        f'[[model]]\nid = "{path.stem}"\nstage = "low_light"\nversion = "1"\nfile = "{path.name}"\n'
        f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"\nlicence = "CC0"\ncommercial_use = true\n{told}'
        'training_data = [{ source = "nobody", licence = "CC0", class = "permissive" }]\n'
        f"[model.contract]\n{contract}\n"
    )


@pytest.fixture
def exposer(tmp_path: Path) -> Path:
    graph, path = Graph(), tmp_path / "exposer.onnx"
    image = graph.input("image", (1, 3, 8, 8))
    path.write_bytes(graph.bytes([("curves", graph.op("Flatten", image), (1, 192))]))
    return path


@pytest.fixture
def cleaner(tmp_path: Path) -> Path:
    graph, path = Graph(), tmp_path / "cleaner.onnx"
    image = graph.input("image", (1, 3, "height", "width"))
    path.write_bytes(graph.bytes([("restored", graph.op("Relu", image), (1, 3, "height", "width"))]))
    return path


def registry(folder: Path, *tables: str) -> Registry:
    path = folder / "registry.toml"
    path.write_text("\n".join(tables), encoding="utf-8")
    return Registry.load(path)


def test_a_companion_is_opened_with_its_model(exposer: Path, cleaner: Path) -> None:
    tables = table(exposer, TONE, companion="cleaner"), table(cleaner, PIXELS)
    store = ModelStore(registry(exposer.parent, *tables), threads=1)
    companion = store.open("low_light", "exposer").companion
    assert companion is not None
    assert companion is store.open("low_light", "cleaner")
    assert companion.companion is None


def test_a_damaged_companion_is_refused(exposer: Path, cleaner: Path) -> None:
    tables = table(exposer, TONE, companion="cleaner"), table(cleaner, PIXELS)
    store = ModelStore(registry(exposer.parent, *tables), threads=1)
    cleaner.write_bytes(cleaner.read_bytes() + b" ")
    with pytest.raises(ModelUnusable) as refused:
        store.open("low_light", "exposer")
    assert refused.value.code == "model_checksum_mismatch"


@pytest.mark.parametrize("companion", ["absent", "exposer"])
def test_a_companion_must_be_a_listed_model_that_answers_with_pixels(
    companion: str, exposer: Path, cleaner: Path
) -> None:
    tables = table(exposer, TONE, companion=companion), table(cleaner, PIXELS)
    with pytest.raises(ConfigurationError, match=f"its companion '{companion}' is no model of low_light"):
        registry(exposer.parent, *tables)
