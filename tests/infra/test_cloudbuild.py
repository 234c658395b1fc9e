"""The build is valid YAML, its steps come in order, and it may do only what its account may."""

import re
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from PIL import Image

from darkroom.cli.main import cli
from infra.smoke import client_environment, command, write_photograph
from tests.infra.terraform import ROOT, Rehearsal

BUILD: dict[str, Any] = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text(encoding="utf-8"))
STEPS = {step["id"]: step for step in BUILD["steps"]}
ORDER = ["test", "stage", "plan", "compare", "apply", "smoke", "smoke-api"]
#: Set by Cloud Build itself.
BUILT_IN = {"PROJECT_ID", "BUILD_ID", "COMMIT_SHA"}


def ancestors(step: str) -> set[str]:
    """Steps that have ended before this one begins."""
    waited = [name for name in STEPS[step].get("waitFor", ()) if name != "-"]
    return {*waited, *(each for name in waited for each in ancestors(name))}


def test_every_step_waits_for_those_whose_work_it_needs() -> None:
    for i, step in enumerate(ORDER[1:], 1):
        assert set(ORDER[:i]) <= ancestors(step), step
    assert "check" in ancestors("plan")


def test_every_variable_of_a_script_is_a_substitution_and_every_substitution_is_used() -> None:
    texts = [step[key] for step in STEPS.values() for key in ("script", "name")]
    used = {name for text in texts for name in re.findall(r"\$\{?(_?[A-Z][A-Z_]+)", text)}
    assert used - BUILT_IN == set(BUILD["substitutions"])


@pytest.mark.parametrize("step", STEPS)
def test_every_script_is_one_that_a_shell_can_read(step: str) -> None:
    shell = STEPS[step]["script"].splitlines()[0].removeprefix("#!").split()[-1]
    name = "bash" if "bash" in shell else "sh"
    done = subprocess.run([name, "-n"], input=STEPS[step]["script"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("step", STEPS)
def test_a_script_that_fails_ends_the_build(step: str) -> None:
    assert re.match(r"#!.*\nset -eu", STEPS[step]["script"]), step


def test_nothing_is_applied_unless_the_build_was_approved_to() -> None:
    assert BUILD["substitutions"]["_APPLY"] == "false"
    applying = [name for name, step in STEPS.items() if re.search(r"terraform .*\bapply\b", step["script"])]
    assert applying == ["apply"]
    before = STEPS["apply"]["script"].split("terraform -chdir=infra apply")[0]
    assert re.search(r'if \[ "\$_APPLY" != true \]; then .*exit; fi', before)


def test_what_is_applied_is_planned_by_the_approved_build_itself() -> None:
    assert "-out=../build/made.tfplan" in STEPS["plan"]["script"]
    assert "apply -input=false ../build/made.tfplan" in STEPS["apply"]["script"]
    fetched = re.findall(r'gcloud storage cp "gs://\S+ (\S+)', STEPS["compare"]["script"])
    assert fetched == ["build/approved.txt"], "only a text to compare with comes from the build that nobody approved"


#: Stands in the place of gcloud: a bucket is a folder.
GCLOUD = """#!/usr/bin/env bash
set -eu
from=${3/gs:\\/\\//$BUCKETS\\/} to=${4/gs:\\/\\//$BUCKETS\\/}
mkdir -p "$(dirname "$to")"
cp "$from" "$to"
"""


def compare(folder: Path, plan: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the step `compare` in `folder`, after a plan with the text `plan`."""
    for name in ("bin", "build"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "bin" / "gcloud").write_text(GCLOUD.replace("\\\\", "\\"), encoding="utf-8")
    (folder / "bin" / "gcloud").chmod(0o755)
    (folder / "build" / "made.txt").write_text(plan, encoding="utf-8")
    given = {"_PLANS_BUCKET": "plans", "COMMIT_SHA": "c0ffee", "BUILD_ID": "first", "_APPLY": "false", "_PLAN": ""}
    environment = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "BUCKETS": str(folder / "buckets"), **given, **variables}
    command = ["bash", "-c", STEPS["compare"]["script"]]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_plan_that_was_approved_is_applied_and_any_other_is_refused(tmp_path: Path) -> None:
    assert compare(tmp_path, "1 to add").returncode == 0
    approved = {"BUILD_ID": "second", "_APPLY": "true", "_PLAN": "first"}
    assert compare(tmp_path, "1 to add", **approved).returncode == 0
    other = compare(tmp_path, "2 to add", **approved)
    assert (other.returncode, "not the plan that was approved" in other.stdout) == (1, True)
    nameless = compare(tmp_path, "1 to add", **{**approved, "_PLAN": ""})
    assert (nameless.returncode, "_PLAN must be" in nameless.stdout) == (1, True)
    assert compare(tmp_path, "1 to add", **{**approved, "_PLAN": "third"}).returncode != 0


def test_each_trigger_runs_under_its_own_account_and_the_file_chooses_none(rehearsal: Rehearsal) -> None:
    assert "serviceAccount" not in BUILD
    accounts = {
        each["values"]["account_id"]
        for each in rehearsal.resources("system: everything_that_can_be_switched_on")
        if each["type"] == "google_service_account"
    }
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    triggers = re.findall(r"gcloud builds triggers create .*\n.*", page)
    named = [re.findall(r"--service-account=\$accounts/(\w+)@", trigger) for trigger in triggers]
    assert named == [["planner"], ["deployer"]]
    assert {"planner", "deployer"} <= accounts
    assert ["--require-approval" in trigger for trigger in triggers] == [False, True]
    assert ["_APPLY=true" in trigger for trigger in triggers] == [False, True]


def test_every_image_of_a_step_can_be_pinned_by_its_digest() -> None:
    assert {step["name"] for step in STEPS.values()} == {"$_PYTHON_IMAGE", "$_TERRAFORM_IMAGE", "$_GCLOUD_IMAGE"}


def test_every_substitution_is_documented() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert [name for name in BUILD["substitutions"] if f"| `{name}` |" not in page] == []


def test_functions_need_no_build_file_of_a_container() -> None:
    """The one at the top is for the whole service on one machine; the build of the functions does not use it."""
    found = [path for path in ROOT.glob("**/Dockerfile*") if not {".venv", "build"} & set(path.parts)]
    assert found == [ROOT / "Dockerfile"]
    assert "docker" not in "".join(step["script"] for step in STEPS.values())


def test_the_smoke_test_sends_what_the_command_line_takes(tmp_path: Path) -> None:
    photograph = tmp_path / "smoke.jpg"
    write_photograph(photograph)
    with Image.open(photograph) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (640, 480), "RGB")
    name, *arguments = command(photograph, "smoke/17.jpg", "optimize")
    submit = cli.get_command(click.Context(cli), name)
    assert submit is not None
    with submit.make_context(name, arguments, parent=click.Context(cli)) as context:
        assert context.params["wait"] is True


def test_the_smoke_test_talks_to_the_deployment(tmp_path: Path) -> None:
    client = tmp_path / "client.json"
    client.write_text('{"DARKROOM_BACKEND": "gcp", "DARKROOM_PROJECT": "my-project"}')
    environment = client_environment(client)
    assert (environment["DARKROOM_BACKEND"], environment["DARKROOM_PROJECT"]) == ("gcp", "my-project")
