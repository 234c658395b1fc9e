"""A staged function holds what it needs, nothing else, and the same bytes every time."""

import ast
import hashlib
import json
import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from darkroom.domain.topology import STAGES
from infra.lock import FILES, locked
from infra.staging.reach import functions, imported
from infra.staging.requirements import PIN, Unpinned, canonical, needed, pins, read_pins
from infra.staging.stage import Staged, stage, stage_all
from tests.infra.environments import installed_environment_for
from tests.infra.terraform import ROOT

NAMES = functions(ROOT)
#: A stage's archive, as it was promised; the service itself takes 512 MB.
MAX_ARCHIVE_BYTES = 30_000_000
#: The API carries every model, all of which may have 40 MB.
MAX_API_ARCHIVE_BYTES = 45_000_000
each_function = pytest.mark.parametrize("name", NAMES)


def files(each: Staged) -> set[str]:
    with zipfile.ZipFile(each.archive) as archive:
        return set(archive.namelist())


def test_every_function_is_staged(staged: dict[str, Staged]) -> None:
    assert sorted(staged) == NAMES
    assert {*STAGES, "dispatcher"} <= set(NAMES)


def test_staging_twice_gives_the_same_bytes(staged: dict[str, Staged], tmp_path: Path) -> None:
    again = {each.function: each for each in stage_all(ROOT, tmp_path / "elsewhere")}
    assert {name: each.archive.name for name, each in again.items()} == {
        name: each.archive.name for name, each in staged.items()
    }
    assert all(again[name].archive.read_bytes() == each.archive.read_bytes() for name, each in staged.items())


def test_a_changed_module_changes_the_names_of_the_functions_that_reach_it(tmp_path: Path) -> None:
    root = copy_of_the_code(tmp_path / "code")
    before = {name: stage(root, name, tmp_path).archive.name for name in ("dispatcher", "finish")}
    with (root / "shared" / "darkroom" / "imaging" / "measurement" / "noise.py").open("a", encoding="utf-8") as module:
        module.write("\nTHE_END = True\n")
    after = {name: stage(root, name, tmp_path).archive.name for name in before}
    assert [name for name in before if before[name] != after[name]] == ["finish"]


def files_of(model: dict[str, Any]) -> list[str]:
    """The ONNX files of a registry's entry: the model, and its int8 variant if it has one."""
    return [model["file"], *([model["int8"]["file"]] if "int8" in model else [])]


def copy_of_the_code(target: Path) -> Path:
    models = tomllib.loads((ROOT / "models" / "registry.toml").read_text(encoding="utf-8"))["model"]
    paths = [
        *(path.relative_to(ROOT) for folder in ("shared", "functions") for path in (ROOT / folder).rglob("*.py")),
        *(Path("models") / file for model in models for file in files_of(model)),
        Path("models/registry.toml"),
        Path("requirements.txt"),
    ]
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes((ROOT / path).read_bytes())
    return target


@each_function
def test_an_archive_is_the_staged_folder_and_small_enough(staged: dict[str, Staged], name: str) -> None:
    each = staged[name]
    assert files(each) == {
        path.relative_to(each.folder).as_posix() for path in each.folder.rglob("*") if path.is_file()
    }
    assert {"main.py", "requirements.txt", "darkroom/models/registry.toml"} <= files(each)
    assert each.archive_bytes < (MAX_API_ARCHIVE_BYTES if name == "api" else MAX_ARCHIVE_BYTES)


@each_function
def test_every_module_has_its_bytecode(staged: dict[str, Staged], name: str) -> None:
    modules = [Path(file) for file in files(staged[name]) if file.endswith(".py")]
    compiled = {file for file in files(staged[name]) if file.endswith(".pyc")}
    assert {f"{path.parent}/__pycache__/{path.stem}." for path in modules} == {
        (file if "/" in file.removeprefix("__pycache__/") else f"./{file}").split("cpython")[0] for file in compiled
    }


@each_function
def test_bytecode_is_used_without_looking_at_the_source(staged: dict[str, Staged], name: str) -> None:
    with zipfile.ZipFile(staged[name].archive) as archive:
        flags = {archive.read(file)[4] for file in archive.namelist() if file.endswith(".pyc")}
    assert flags == {0b01}, "PEP 552: hash-based and unchecked"


@each_function
def test_only_the_function_s_own_models_travel(staged: dict[str, Staged], name: str) -> None:
    everything = tomllib.loads((ROOT / "models" / "registry.toml").read_text(encoding="utf-8"))["model"]
    own = [model for model in everything if model["stage"] == name]
    listed = tomllib.loads((staged[name].folder / "darkroom" / "models" / "registry.toml").read_text(encoding="utf-8"))[
        "model"
    ]
    assert listed == (own if name in STAGES else everything)
    carried = [] if name in ("dispatcher", "importer") else listed
    assert {file for file in files(staged[name]) if file.endswith(".onnx")} == {
        f"darkroom/models/{file}" for model in carried for file in files_of(model)
    }


@each_function
def test_nothing_of_the_laptop_travels(staged: dict[str, Staged], name: str) -> None:
    unwanted = (
        "darkroom/cli/",
        "darkroom/local_cloud/",
        "darkroom/adapters/local/",
        "darkroom/fakes/",
        "tests/",
    )
    assert [file for file in files(staged[name]) if file.startswith(unwanted)] == []


@pytest.mark.parametrize("function", ["dispatcher", "importer"])
def test_what_looks_at_no_pixel_carries_no_pixel_library_and_no_stage(staged: dict[str, Staged], function: str) -> None:
    packages = " ".join(staged[function].requirements)
    assert [name for name in ("numpy", "opencv", "onnxruntime", "pillow", "pi_heif") if name in packages] == []
    assert not any(file.startswith(("darkroom/imaging/", "darkroom/stages/")) for file in files(staged[function]))


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_carries_no_database(staged: dict[str, Staged], name: str) -> None:
    assert not any(line.startswith("google-cloud-firestore") for line in staged[name].requirements)


def test_only_stages_with_models_carry_the_inference_library(staged: dict[str, Staged]) -> None:
    carrying = {
        name for name, each in staged.items() if any(line.startswith("onnxruntime") for line in each.requirements)
    }
    assert carrying & {*STAGES, "dispatcher", "importer"} == set(STAGES) - {"finish"}


def test_every_requirement_is_pinned_as_in_the_repository(staged: dict[str, Staged]) -> None:
    pinned = set(read_pins(ROOT).values())
    assert {pin for each in staged.values() for pin in each.requirements} <= pinned


def test_a_package_that_is_not_pinned_is_refused() -> None:
    with pytest.raises(Unpinned, match=r"does not pin .*numpy"):
        needed({"numpy", "json"}, pins("onnxruntime==1.0\n"))


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_the_hashes_of_its_files_so_that_pip_installs_no_other(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    found = list(PIN.finditer(text))
    assert len(found) == text.count("==")
    assert [pin["name"] for pin in found if pin["hashes"].count("sha256:") < 1] == []


def test_packages_with_compiled_code_have_hashes_for_every_python_and_machine() -> None:
    """More than one file: numpy alone has wheels for four versions of Python on five kinds of machines."""
    pinned = read_pins(ROOT)
    assert pinned["numpy"].count("sha256:") > 40
    assert pinned["grpcio"].count("sha256:") > 40


def test_locking_replaces_the_hashes_and_keeps_comments_and_order() -> None:
    old, new = (f" \\\n    --hash=sha256:{digit * 64}" for digit in "01")
    text = f"# Why.\nb_c==2{old}{old}\n# Too.\na==1\n"
    assert locked(text, {"a": new, "b-c": new}) == f"# Why.\nb_c==2{new}\n# Too.\na==1{new}\n"
    assert pins(locked(text, {"a": new, "b-c": new})) == {"b-c": f"b_c==2{new}", "a": f"a==1{new}"}


@each_function
def test_the_bill_of_materials_lists_what_is_installed_and_what_travels(staged: dict[str, Staged], name: str) -> None:
    each = staged[name]
    bill = json.loads(each.bill.read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    (digest,) = (held["content"] for held in bill["metadata"]["component"]["hashes"])
    assert digest == hashlib.sha256(each.archive.read_bytes()).hexdigest()
    packages = [part for part in bill["components"] if part["type"] == "library"]
    installed = pins((each.folder / "requirements.txt").read_text(encoding="utf-8"))
    assert {canonical(part["name"]) for part in packages} == set(installed)
    for part in packages:
        pin = installed[canonical(part["name"])]
        assert part["purl"] == f"pkg:pypi/{canonical(part['name'])}@{part['version']}"
        assert [held["content"] for held in part["externalReferences"][0]["hashes"]] == re.findall(r"sha256:(\w+)", pin)
    models = {part["name"]: part["hashes"][0]["content"] for part in bill["components"] if part not in packages}
    assert models == {
        path.relative_to(each.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in each.folder.rglob("*.onnx")
    }
    references = [part["bom-ref"] for part in bill["components"]]
    assert len(set(references)) == len(references)


def test_imports_for_the_type_checker_alone_do_not_count() -> None:
    source = "import a\nif TYPE_CHECKING:\n    import b\ndef f():\n    from c import d\n"
    assert list(imported(ast.parse(source))) == ["a", "c", "c.d"]


def test_terraform_is_told_where_every_archive_lies(staged: dict[str, Staged]) -> None:
    told = json.loads((staged["assess"].archive.parent / "staged.json").read_text(encoding="utf-8"))["functions"]
    assert {name: each["archive"] for name, each in told.items()} == {
        n: each.archive.name for n, each in staged.items()
    }


def test_data_travels_with_the_modules_that_it_lies_beside(tmp_path: Path) -> None:
    root = copy_of_the_code(tmp_path / "code")
    (root / "shared" / "darkroom" / "stages" / "table.json").write_text("{}", encoding="utf-8")
    (root / "shared" / "darkroom" / "cli" / "unwanted.json").write_text("{}", encoding="utf-8")
    held = files(stage(root, "denoise", tmp_path))
    assert "darkroom/stages/table.json" in held
    assert "darkroom/cli/unwanted.json" not in held


@pytest.mark.endurance
@pytest.mark.parametrize("name", ["assess", "dispatcher", "api"])
def test_pip_installs_the_staged_requirements_and_needs_no_other_package(staged: dict[str, Staged], name: str) -> None:
    programs = installed_environment_for(staged[name].folder / "requirements.txt")
    assert (programs / "functions-framework").exists()
