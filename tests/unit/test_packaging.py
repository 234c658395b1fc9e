"""Tests of the package's data files, version ranges and extras."""

import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from darkroom.domain.errors import ConfigurationError
from darkroom.runtime.extras import EXTRAS, missing_extra, require_modules
from infra.staging.requirements import PIN

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "shared" / "darkroom"


def test_every_file_beside_the_code_is_declared_as_data_of_its_package() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    patterns = tools["setuptools"]["package-data"]["darkroom"]
    packaged = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in files if path.suffix != ".py"} == {path for path in packaged if path.suffix != ".py"}
    assert packaged


def project() -> dict[str, list[Requirement]]:
    """The ranges of the package, by extra; those of every installation under the empty name."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {"": table["dependencies"], **table["optional-dependencies"]}
    return {extra: [Requirement(line) for line in lines] for extra, lines in extras.items()}


def pinned_versions() -> dict[str, str]:
    files = ("requirements.txt", "requirements-dev.txt", "requirements-train.txt")
    text = "\n".join((ROOT / name).read_text("utf-8") for name in files)
    return {canonicalize_name(found["name"]): found["version"] for found in PIN.finditer(text)}


def test_every_range_admits_the_pinned_version_and_has_both_bounds() -> None:
    pinned = pinned_versions()
    for requirement in (each for ranges in project().values() for each in ranges):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement
        assert sorted(bound.operator for bound in requirement.specifier) == ["<", ">="], requirement


def test_a_package_has_the_same_range_in_every_extra() -> None:
    every = {(each.name, str(each.specifier)) for ranges in project().values() for each in ranges}
    assert len({name for name, _ in every}) == len(every)


def test_the_core_needs_no_google_client_and_no_compiler_of_networks() -> None:
    core = {each.name for each in project()[""]}
    assert not {name for name in core if name.startswith(("google-cloud", "google-auth", "google-api"))}
    assert not core & {"onnx", "torch", "requests"}


def test_every_extra_that_an_error_names_exists() -> None:
    assert set(EXTRAS.values()) <= project().keys()


@pytest.mark.parametrize(
    ("module", "extra"), [("google.cloud.storage", "gcp"), ("requests", "gcp"), ("onnx", "networks")]
)
def test_a_missing_module_of_an_extra_is_reported_with_the_command_that_installs_it(module: str, extra: str) -> None:
    error = missing_extra(ModuleNotFoundError(f"No module named {module!r}", name=module))
    assert str(error) == f"the module {module} is not installed: pip install 'darkroom[{extra}]'"


def test_any_other_missing_module_stays_an_unexpected_error() -> None:
    assert missing_extra(ModuleNotFoundError("No module named 'darkroom.absent'", name="darkroom.absent")) is None


def test_a_required_module_is_checked_without_an_import() -> None:
    require_modules("server", "json")
    with pytest.raises(
        ConfigurationError, match=r"no_such_module\.inner is not installed: pip install 'darkroom\[server\]'"
    ):
        require_modules("server", "json", "no_such_module.inner")
    assert "no_such_module" not in sys.modules
