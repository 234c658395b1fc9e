"""A stage is staged for a GPU with the same code and models, other packages, and what the buildpack must be told."""

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from darkroom.costs.estimate import read_prices
from infra.staging.gpu import NothingToAccelerate, gpu_requirements, stage_gpus
from infra.staging.requirements import pins, read_pins
from infra.staging.stage import MANIFEST, Staged, stage
from tests.infra.terraform import Rehearsal

ON_GPU = "system: a_stage_on_a_gpu"
ON_GPU_TOO = ["low_light", "denoise"]
MONTH_S = 30 * 24 * 3600


@pytest.fixture(scope="module")
def target(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stages, staged for a GPU too."""
    target = tmp_path_factory.mktemp("gpu")
    staged = [stage(root, name, target) for name in ON_GPU_TOO]
    (target / MANIFEST).write_text('{"functions": {}}')
    stage_gpus(root, staged, target, ON_GPU_TOO)
    return target


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_code_and_models_are_those_of_the_stage_on_a_processor(target: Path) -> None:
    plain, gpu = content(target / "denoise"), content(target / "denoise-gpu")
    assert gpu.keys() - plain.keys() == {"project.toml"}
    assert {name for name in plain if plain[name] != gpu[name]} == {"requirements.txt"}


def test_the_inference_library_is_replaced_and_everything_is_pinned_once(target: Path, root: Path) -> None:
    plain = pins((target / "denoise" / "requirements.txt").read_text())
    gpu = pins((target / "denoise-gpu" / "requirements.txt").read_text())
    accelerated = pins((root / "requirements-gpu.txt").read_text())
    assert plain.keys() - gpu.keys() == {"onnxruntime"}
    assert gpu.keys() - plain.keys() == accelerated.keys()
    assert accelerated.keys().isdisjoint(read_pins(root))
    assert len(gpu) == (target / "denoise-gpu" / "requirements.txt").read_text().count("==")


def test_all_of_cuda_is_of_the_version_that_the_driver_knows(root: Path) -> None:
    libraries = pins((root / "requirements-gpu.txt").read_text()).keys() - {"onnxruntime-gpu"}
    assert {name for name in libraries if not re.fullmatch(r"nvidia-[a-z-]+-cu12", name)} == set()
    assert {"nvidia-cudnn-cu12", "nvidia-cublas-cu12", "nvidia-cuda-runtime-cu12"} <= libraries


def test_the_buildpack_is_told_the_function_and_the_python_of_its_bytecode(target: Path) -> None:
    told = tomllib.loads((target / "low_light-gpu" / "project.toml").read_text())
    assert {each["name"]: each["value"] for each in told["build"]["env"]} == {
        "GOOGLE_FUNCTION_TARGET": "low_light",
        "GOOGLE_FUNCTION_SIGNATURE_TYPE": "cloudevent",
        "GOOGLE_PYTHON_VERSION": f"{sys.version_info.major}.{sys.version_info.minor}.x",
    }


def test_terraform_is_told_the_digest_of_the_content(target: Path, root: Path, tmp_path: Path) -> None:
    told = json.loads((target / MANIFEST).read_text())["gpu"]
    assert {name: each["folder"] for name, each in told.items()} == {
        "denoise": "denoise-gpu",
        "low_light": "low_light-gpu",
    }
    (tmp_path / MANIFEST).write_text('{"functions": {}}')
    again = stage_gpus(root, [stage(root, "denoise", tmp_path)], tmp_path, ["denoise"])
    assert [each.digest for each in again] == [told["denoise"]["digest"]]
    assert told["denoise"]["digest"] != told["low_light"]["digest"]


def test_what_is_not_asked_for_any_more_goes(staged: dict[str, Staged], root: Path, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"functions": {}}')
    stage_gpus(root, staged.values(), tmp_path, ["denoise"])
    stage_gpus(root, staged.values(), tmp_path, [])
    assert list(tmp_path.glob("*-gpu*")) == []
    assert json.loads((tmp_path / MANIFEST).read_text())["gpu"] == {}


def test_a_stage_without_a_model_gets_no_gpu(staged: dict[str, Staged]) -> None:
    with pytest.raises(NothingToAccelerate, match="finish runs no model"):
        gpu_requirements(staged["finish"], "onnxruntime-gpu==1")


def test_one_service_stands_in_the_place_of_one_function(rehearsal: Rehearsal) -> None:
    resources = list(rehearsal.resources(ON_GPU))
    services = [each["values"] for each in resources if each["type"] == "google_cloud_run_v2_service"]
    functions = {each["values"]["name"] for each in resources if each["type"] == "google_cloudfunctions2_function"}
    assert [each["name"] for each in services] == ["low-light-gpu"]
    assert "low-light" not in functions
    assert "denoise" in functions
    accounts = [each["values"]["account_id"] for each in resources if each["type"] == "google_service_account"]
    assert accounts.count("fn-low-light") == 1
    (container,) = services[0]["template"][0]["containers"]
    assert container["image"] == "europe-west1-docker.pkg.dev/my-project/darkroom/low-light-gpu:fedcba9876543210"
    assert {each["name"]: each["value"] for each in container["env"]}["FUNCTION_TARGET"] == "low_light"


def test_by_default_there_is_no_gpu(rehearsal: Rehearsal) -> None:
    for run in ("everything_with_the_defaults", "everything_that_can_be_switched_on"):
        kinds = {each["type"] for each in rehearsal.resources(f"system: {run}")}
        assert "google_cloudfunctions2_function" in kinds
        assert "google_cloud_run_v2_service" not in kinds


def test_the_prices_of_the_page_are_those_of_the_list(root: Path) -> None:
    page = (root / "docs" / "deployment.md").read_text(encoding="utf-8")
    gpu, run = read_prices()["gpu"], read_prices()["run"]
    second = gpu["l4_second"] + 4 * gpu["vcpu_second"] + 16 * gpu["gib_second"]
    plain = run["vcpu_second"] + 2 * run["gib_second"]
    assert f"costs {second * 3600:.2f} USD an hour" in page
    assert f"{plain * 3600:.3f} USD an hour of work" in page
    assert round(second / plain) == 10
    assert f"is {second * MONTH_S:.0f} USD for 30 days" in page
    idle = [(run["idle_vcpu_second"] + gib * run["idle_gib_second"]) * MONTH_S for gib in (2, 0.5)]
    assert f"2 GiB: {idle[0]:.2f} USD for 30 days; of 1 processor and 512 MiB: {idle[1]:.2f} USD" in page
    assert f"{15 * run['vcpu_second']:.4f} USD for each cold start" in page
