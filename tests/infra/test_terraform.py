"""The configuration is well formed, valid, and creates what it says."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from darkroom.adapters.gcp.signed_uploads import upload_headers
from darkroom.domain.topology import STAGES
from darkroom.runtime.ports import UploadGrant
from darkroom.runtime.settings import read_settings
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
        if resource["mode"] == "managed" and {"role", "member"} <= resource["values"].keys():
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
def test_the_one_role_of_storage_on_the_project_is_the_builder_s_and_narrowed_to_one_bucket(
    rehearsal: Rehearsal, run: str
) -> None:
    grants = [values for kind, values in granted(rehearsal, run) if kind == "google_project_iam_member"]
    (builder,) = (values for values in grants if values["role"].startswith("roles/storage."))
    assert builder["role"] == "roles/storage.objectViewer"
    (condition,) = builder["condition"]
    bucket = "projects/_/buckets/gcf-v2-sources-123456789012-europe-west1"
    assert condition["expression"] == f'resource.name.startsWith("{bucket}")'


@pytest.mark.parametrize("run", [DEFAULTS, EVERYTHING])
def test_no_role_of_pubsub_administration_is_held_on_the_project(rehearsal: Rehearsal, run: str) -> None:
    on_project = {values["role"] for kind, values in granted(rehearsal, run) if kind == "google_project_iam_member"}
    assert "roles/datastore.user" in on_project
    assert "roles/pubsub.admin" not in on_project
    assert [
        role for role in on_project if role.startswith(("roles/iam.serviceAccount", "roles/resourcemanager."))
    ] == []


def test_a_browser_may_send_every_header_that_a_signed_upload_asks_for(rehearsal: Rehearsal) -> None:
    (cors,) = (
        resource["values"]["cors"][0]
        for resource in rehearsal.resources(EVERYTHING)
        if resource["type"] == "google_storage_bucket" and resource["values"]["cors"]
    )
    grant = UploadGrant(
        bucket="uploads",
        name="a.jpg",
        content_type="image/jpeg",
        max_bytes=1,
        metadata={"pipeline": "{}", "label-upload": "17"},
        expires_at=datetime(2026, 1, 1, tzinfo=UTC),
        resumable=True,
    )
    asked = ["Content-Type", "x-goog-resumable", *upload_headers(grant)]
    assert len(asked) == 6
    assert [name for name in asked if not any(fnmatch(name, each) for each in cors["response_header"])] == []
    assert {"PUT", "POST"} <= set(cors["method"])


def waits(graph: str) -> dict[str, set[str]]:
    """What each node of Terraform's graph waits for, directly."""
    edges: dict[str, set[str]] = {}
    for begins, ends in re.findall(r'"\[root\] (.+?)" -> "\[root\] (.+?)"', graph):
        edges.setdefault(begins, set()).add(ends)
    return edges


def waited_for(node: str, edges: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [node]
    while waiting:
        new = edges.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


@pytest.fixture(scope="module")
def edges() -> dict[str, set[str]]:
    return waits(terraform(prepared(INFRA), "graph", "-type=plan").stdout)


SERVICES = "google_project_service.enabled (expand)"


def test_nothing_is_made_before_the_services_are_switched_on(edges: dict[str, set[str]]) -> None:
    made = {node for node in edges if re.match(r"(module\.\w+\.)?google_\w+\.\w+ \(expand\)", node)}
    assert len(made) > 40
    assert [node for node in sorted(made - {SERVICES}) if SERVICES not in waited_for(node, edges)] == []


def test_roles_have_minutes_to_spread_before_a_function_is_built_and_metrics_before_an_alert_needs_them(
    edges: dict[str, set[str]],
) -> None:
    function = "module.function.google_cloudfunctions2_function.this (expand)"
    granted_to = ("builder_source", "builder_logs", "eventarc_agent", "storage_announces", "uploads_receives")
    before = {f"google_project_iam_member.{name} (expand)" for name in granted_to}
    assert before | {"google_firestore_index.jobs (expand)"} <= waited_for(function, edges)
    for alert in ("threshold", "failing", "silent"):
        assert function in waited_for(f"google_monitoring_alert_policy.{alert} (expand)", edges), alert


def test_the_deployer_can_see_every_bucket_and_the_repository_that_its_plan_looks_at(rehearsal: Rehearsal) -> None:
    buckets, seen, readable = set(), set(), set()
    for resource in rehearsal.resources(EVERYTHING):
        values = resource["values"]
        if resource["type"] == "google_storage_bucket":
            buckets.add(values["name"])
        elif resource["address"].startswith("google_storage_bucket_iam_member.deployer"):
            seen |= {values["bucket"]} if values["role"] == "roles/storage.legacyBucketReader" else set()
        elif resource["address"].startswith("google_artifact_registry_repository_iam_member.deployer"):
            readable.add(values["role"])
    assert len(buckets) == 7
    assert seen == buckets
    assert readable == {"roles/artifactregistry.reader"}


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
