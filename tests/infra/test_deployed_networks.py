"""Networks that are installed on a machine are deployed into the functions of their stages alone."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from darkroom.domain.errors import ConfigurationError
from darkroom.inference.figures import Cost
from darkroom.inference.registry import Registry
from darkroom.inference.user_models import AddedModels
from infra.staging.gpu import stage_gpus
from infra.staging.networks import chosen, size_for
from infra.staging.stage import Staged, stage, stage_all
from tests.infra.terraform import ROOT

COST = {"cpu_s": 5.0, "per": "picture", "memory_mb": 3000, "processor": "AVX2"}


def table(stage: str, name: str, **more: Any) -> dict[str, Any]:
    answer = {"answer": "matte"} if stage == "background" else {"halo": 1}
    return {
        "id": name,
        "stage": stage,
        "version": "1",
        "sha256": "a" * 64,
        "licence": "MIT",
        "commercial_use": True,
        "training_data": [{"source": "s", "licence": "CC0", "class": "permissive"}],
        "installed": True,
        "contract": {"input": "i", "output": "o", "range": [0, 1], **answer},
        **more,
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> AddedModels:
    """Three installed networks, two of one stage."""
    models = AddedModels(folder=tmp_path_factory.mktemp("installed") / "models")
    models.add(table("background", "mine", cost=COST), b"graph of mine")
    models.add(table("background", "other"), b"graph of other")
    models.add(table("deblur", "sharp"), b"graph of sharp")
    return models


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the staged functions."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="module")
def with_mine(installed: AddedModels, build: Path) -> dict[str, Staged]:
    """Every function, staged with the network `mine`."""
    staged = stage_all(ROOT, build, deployed=chosen(installed.folder, ["mine"]))
    return {each.function: each for each in staged}


def registry_of(each: Staged) -> Registry:
    return Registry.load(each.folder / "darkroom" / "models" / "registry.toml")


def test_a_network_travels_with_its_stage_alone_and_is_its_default(with_mine: dict[str, Staged]) -> None:
    carrying = {name for name, each in with_mine.items() if list(each.folder.glob("darkroom/models/*-mine/model.onnx"))}
    assert carrying == {"background"}
    default = registry_of(with_mine["background"]).default("background")
    assert default is not None
    assert (default.ref.id, default.path.read_bytes()) == ("mine", b"graph of mine")


def test_the_dispatcher_plans_with_it_and_all_others_do_not_know_it(with_mine: dict[str, Staged]) -> None:
    knowing = {name for name, each in with_mine.items() if any(it.ref.id == "mine" for it in registry_of(each).entries)}
    assert knowing == {"background", "dispatcher"}
    planned = registry_of(with_mine["dispatcher"]).model_ref("background", None)
    assert planned is not None
    assert planned.id == "mine"


def test_terraform_is_told_the_size_that_its_cost_calls_for(with_mine: dict[str, Staged], build: Path) -> None:
    assert with_mine
    told = json.loads((build / "staged.json").read_text(encoding="utf-8"))["functions"]
    assert {name: each["size"] for name, each in told.items() if "size" in each} == {
        "background": {"cpu": 2, "memory": "4Gi"}
    }


def test_a_stage_on_a_gpu_carries_the_same_network(with_mine: dict[str, Staged], build: Path) -> None:
    (source,) = stage_gpus(ROOT, with_mine.values(), build, ["background"])
    assert (source.folder / "darkroom" / "models" / "background-mine" / "model.onnx").read_bytes() == b"graph of mine"


def test_without_networks_nothing_changes(staged: dict[str, Staged], installed: AddedModels, tmp_path: Path) -> None:
    again = stage(ROOT, "background", tmp_path, deployed=chosen(installed.folder, []))
    assert again.archive.name == staged["background"].archive.name


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["mine", "nobody"], "nobody is not installed here, only mine, other, sharp"),
        (["mine", "other"], "two of mine, other would be the default of one stage"),
    ],
)
def test_what_cannot_be_deployed_is_refused_by_name(installed: AddedModels, names: list[str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        chosen(installed.folder, names)


@pytest.mark.parametrize(
    ("cpu_s", "memory_mb", "size"),
    [
        (3.0, 400, {"cpu": 1, "memory": "2Gi"}),
        (5.0, 1700, {"cpu": 2, "memory": "2Gi"}),
        (5.0, 1800, {"cpu": 2, "memory": "4Gi"}),
        (60.0, 5000, {"cpu": 4, "memory": "8Gi"}),
        (60.0, 90000, {"cpu": 4, "memory": "32Gi"}),
    ],
)
def test_a_size_follows_from_seconds_and_memory(cpu_s: float, memory_mb: int, size: dict[str, int | str]) -> None:
    cost = Cost(cpu_s=cpu_s, per="picture", memory_mb=memory_mb, processor="AVX2")
    assert size_for([cost]) == size


def test_a_network_goes_into_a_stage_that_has_no_model_of_its_own(installed: AddedModels, tmp_path: Path) -> None:
    root = tmp_path / "code"
    for name in ("shared", "functions", "models", "requirements.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(ROOT / name)
    (root / "models").unlink()
    (root / "models").mkdir()
    (root / "models" / "registry.toml").write_text("# No model.\n", encoding="utf-8")
    made = stage(root, "deblur", tmp_path / "out", deployed=chosen(installed.folder, ["sharp"]))
    tables = tomllib.loads((made.folder / "darkroom" / "models" / "registry.toml").read_text(encoding="utf-8"))["model"]
    assert [(each["id"], each["preferred"]) for each in tables] == [("sharp", True)]
