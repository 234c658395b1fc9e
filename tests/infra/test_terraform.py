"""The configuration is well formed, valid, and creates what it says."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.settings import read_settings
from shared.topology import STAGES
from tests.infra.terraform import INFRA, Rehearsal, prepared, run_tests, terraform

MODULE = INFRA / "modules" / "function"
EVERYTHING = "system: everything_that_can_be_switched_on"
DEFAULTS = "system: everything_with_the_defaults"
BASIC = {"roles/owner", "roles/editor", "roles/viewer", "roles/browser"}
EVERYBODY = {"allUsers", "allAuthenticatedUsers"}


def declared_runs(folder: Path) -> set[str]:
    return {
        f"{path.name.removesuffix('.tftest.hcl')}: {run}"
        for path in (folder / "tests").glob("*.tftest.hcl")
        for run in re.findall(r'^run "(\w+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def granted(rehearsal: Rehearsal, run: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for resource in rehearsal.resources(run):
        if resource["mode"] == "managed" and "role" in resource["values"]:
            yield resource["type"], resource["values"]


def test_every_file_is_formatted() -> None:
    folder = prepared(INFRA)
    done = terraform(folder, "fmt", "-check", "-recursive", "-diff", "-no-color")
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("folder", [INFRA, MODULE], ids=["infra", "modules/function"])
def test_the_configuration_is_valid(folder: Path) -> None:
    done = terraform(prepared(folder), "validate", "-no-color")
    assert done.returncode == 0, done.stderr


def test_every_run_of_the_configuration_passes(rehearsal: Rehearsal) -> None:
    assert rehearsal.outcomes == dict.fromkeys(declared_runs(INFRA), "pass"), rehearsal.diagnostics
    assert len(rehearsal.outcomes) >= 12


def test_every_run_of_the_module_passes() -> None:
    rehearsal = run_tests(prepared(MODULE))
    assert rehearsal.outcomes == dict.fromkeys(declared_runs(MODULE), "pass"), rehearsal.diagnostics


@pytest.mark.parametrize("run", [DEFAULTS, EVERYTHING])
def test_no_basic_role_is_granted_and_only_a_public_api_is_open_to_everybody(rehearsal: Rehearsal, run: str) -> None:
    grants = list(granted(rehearsal, run))
    assert len(grants) > 60
    assert [values["role"] for _, values in grants if values["role"] in BASIC] == []
    public = [values for _, values in grants if values["member"] in EVERYBODY]
    assert [(values["role"], values["service"]) for values in public] == (
        [("roles/run.invoker", "api")] if run == EVERYTHING else []
    )


@pytest.mark.parametrize("run", [DEFAULTS, EVERYTHING])
def test_no_role_of_storage_or_of_pubsub_administration_is_held_on_the_project(rehearsal: Rehearsal, run: str) -> None:
    on_project = {values["role"] for kind, values in granted(rehearsal, run) if kind == "google_project_iam_member"}
    assert "roles/datastore.user" in on_project
    assert [role for role in on_project if role.startswith("roles/storage.") or role == "roles/pubsub.admin"] == []
    assert [
        role for role in on_project if role.startswith(("roles/iam.serviceAccount", "roles/resourcemanager."))
    ] == []


def test_the_functions_have_the_sizes_that_the_documentation_of_cost_reckons_with(rehearsal: Rehearsal) -> None:
    configs = {
        resource["values"]["name"]: resource["values"]["service_config"][0]
        for resource in rehearsal.resources(DEFAULTS)
        if resource["type"] == "google_cloudfunctions2_function"
    }
    assert len(configs) == len(STAGES) + 8
    for name, config in configs.items():
        light = name.startswith("dispatcher-") or name == "caller"
        told = (config["available_cpu"], config["available_memory"], config["max_instance_request_concurrency"])
        known = {"api": ("2", "4Gi", 4), "importer": ("1", "1Gi", 4)}
        assert told == (("1", "512Mi", told[2]) if light else known.get(name, ("1", "2Gi", 1))), name
        assert config["min_instance_count"] == 0, name


def test_every_resource_that_takes_labels_is_labelled_for_the_bill(rehearsal: Rehearsal) -> None:
    functions = [each for each in rehearsal.resources(DEFAULTS) if each["type"] == "google_cloudfunctions2_function"]
    assert {each["values"]["labels"]["function"] for each in functions} == {
        each["values"]["name"] for each in functions
    }
    versions = (INFRA / "versions.tf").read_text(encoding="utf-8")
    assert re.search(r"default_labels\s+= local\.labels", versions)


def test_the_code_accepts_the_variables_of_every_function(rehearsal: Rehearsal) -> None:
    for name, variables in rehearsal.outputs(EVERYTHING)["environment"].items():
        settings = read_settings(variables)
        assert (settings.backend, settings.project, settings.uploads_bucket) == ("gcp", "my-project", "photos-uploads")
        assert settings.threads == {"denoise": 4, "api": 2}.get(name, 1), name
