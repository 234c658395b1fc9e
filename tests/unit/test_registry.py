"""The registry says which models may be used, and everything that is wrong with itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from darkroom.domain.errors import ConfigurationError, ModelUnusable
from darkroom.inference.registry import Registry

CONTRACT = """
[model.contract]
input = "image"
output = "restored"
scalars = ["sigma"]
layout = "nchw"
channels = "rgb"
range = [0, 1]
scale = 1
multiple_of = 2
min_size = 1
halo = 16
tile = 512
opset = 20
"""


def entry(model_id: str, **changes: str) -> str:
    """A `[[model]]` table; every value is TOML."""
    fields = {
        "id": f'"{model_id}"',
        "stage": '"denoise"',
        "version": '"1"',
        "file": f'"{model_id}/model.onnx"',
        "sha256": f'"{"ab" * 32}"',
        "licence": '"Apache-2.0"',
        "commercial_use": "true",
        "training_data": '[{ source = "somebody/photographs", licence = "CC0", class = "permissive" }]',
    } | changes
    return "\n".join(["[[model]]", *(f"{name} = {value}" for name, value in fields.items()), CONTRACT])


RESEARCH = '[{ source = "university/images", licence = "research only", class = "research" }]'


@pytest.fixture
def write(tmp_path: Path):
    def write(*tables: str) -> Path:
        path = tmp_path / "registry.toml"
        path.write_text("\n".join(tables), encoding="utf-8")
        return path

    return write


def test_an_entry_is_read_with_its_contract_and_its_path_beside_the_registry(write, tmp_path: Path) -> None:
    found = Registry.load(write(entry("small"))).get("denoise", "small")
    assert (found.ref.id, found.ref.version, found.ref.licence) == ("small", "1", "Apache-2.0")
    assert found.path == tmp_path / "small" / "model.onnx"
    assert found.contract.scalars == ("sigma",)
    assert found.training_data[0].licence_class == "permissive"


def test_the_default_is_the_one_that_says_so(write) -> None:
    registry = Registry.load(write(entry("first"), entry("second", default="true")))
    default = registry.default("denoise")
    assert default is not None
    assert default.ref.id == "second"


@pytest.mark.parametrize(
    ("factor", "chosen"), [(1.0, "two"), (2.0, "two"), (2.02, "two"), (2.1, "four"), (8.0, "four")]
)
def test_of_several_scales_the_smallest_is_taken_that_reaches_the_factor(write, factor: float, chosen: str) -> None:
    scales = [("four", "scale = 4"), ("two", "scale = 2")]
    entries = (entry(name, default="true").replace("scale = 1", scale) for name, scale in scales)
    found = Registry.load(write(*entries)).default("denoise", factor)
    assert found is not None
    assert found.ref.id == chosen


def test_added_models_stand_beside_the_projects_own(write, tmp_path: Path) -> None:
    own = write(entry("small"))
    added = tmp_path / "home" / "registry.toml"
    assert len(Registry.load(own, added=added).entries) == 1
    added.parent.mkdir()
    added.write_text(entry("mine"), encoding="utf-8")
    found = Registry.load(own, added=added).get("denoise", "mine")
    assert found.path == tmp_path / "home" / "mine" / "model.onnx"


def test_an_added_model_with_the_name_of_another_is_refused_with_both_files(write, tmp_path: Path) -> None:
    own = write(entry("small"))
    added = tmp_path / "added.toml"
    added.write_text(entry("small"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"registry.toml and .*added.toml: denoise/small is listed twice"):
        Registry.load(own, added=added)


def test_a_stage_without_a_default_has_none(write) -> None:
    registry = Registry.load(write(entry("small")))
    assert registry.default("denoise") is None
    assert registry.default("upscale") is None


def test_an_unknown_model_is_refused_with_the_known_ones(write) -> None:
    registry = Registry.load(write(entry("small"), entry("large"), entry("other", stage='"upscale"')))
    with pytest.raises(ModelUnusable, match="denoise has no model 'huge', only large, small") as refusal:
        registry.get("denoise", "huge")
    assert refusal.value.code == "model_unknown"


@pytest.mark.parametrize(
    "changes", [{"commercial_use": "false", "licence": '"CC BY-NC 4.0"'}, {"training_data": RESEARCH}]
)
def test_commercial_only_refuses_a_licence_or_data_that_forbid_it(write, changes: dict[str, str]) -> None:
    path = write(entry("free", default="true", **changes))
    assert Registry.load(path).default("denoise") is not None
    registry = Registry.load(path, commercial_only=True)
    assert registry.default("denoise") is None
    with pytest.raises(ModelUnusable, match="'free' is not for commercial use: licence") as refusal:
        registry.get("denoise", "free")
    assert refusal.value.code == "model_not_commercial"


def test_the_refusal_names_the_data_that_forbid_commercial_use(write) -> None:
    registry = Registry.load(write(entry("free", training_data=RESEARCH)), commercial_only=True)
    with pytest.raises(ModelUnusable, match=re.escape("trained on university/images (research only)")):
        registry.get("denoise", "free")


def test_commercial_only_keeps_what_allows_it(write) -> None:
    registry = Registry.load(write(entry("small", default="true")), commercial_only=True)
    assert registry.get("denoise", "small") == registry.default("denoise")


def test_a_malformed_registry_lists_all_its_problems(write) -> None:
    path = write(
        entry("one", sha256='"abc"', stage='"polish"'),
        entry("two", colour='"red"', file="7").replace('layout = "nchw"', 'layout = "nhwc"'),
    )
    with pytest.raises(ConfigurationError) as refusal:
        Registry.load(path)
    for problem in ("model.0.sha256", "model.0.stage", "model.1.colour", "model.1.file", "model.1.contract.layout"):
        assert problem in str(refusal.value)


def test_contradictions_between_entries_are_listed_together(write) -> None:
    path = write(
        entry("one", default="true"),
        entry("one", default="true", file='"../elsewhere.onnx"'),
        entry("narrow").replace("tile = 512", "tile = 33"),
    )
    with pytest.raises(ConfigurationError) as refusal:
        Registry.load(path)
    for problem in (
        "denoise/one is listed twice",
        "denoise has two defaults of scale 1",
        "'../elsewhere.onnx' is outside",
    ):
        assert problem in str(refusal.value)
    assert "narrow: a tile of 33 has no room between two halos of 16" in str(refusal.value)


def test_a_missing_registry_and_a_broken_one_are_named(write, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(str(tmp_path / "registry.toml"))):
        Registry.load(tmp_path / "registry.toml")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        Registry.load(write("[[model]"))


def test_the_registry_needs_no_pixel_library() -> None:
    program = (
        "import sys, darkroom.inference.registry; "
        "sys.exit(sorted({'numpy', 'onnxruntime', 'cv2'} & sys.modules.keys()) or None)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_model_whose_file_an_installed_package_would_not_carry_is_refused(write) -> None:
    with pytest.raises(ConfigurationError, match=r"model\.0\.file"):
        Registry.load(write(entry("one", file='"one/model.ort"')))
