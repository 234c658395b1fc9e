"""The build is valid YAML, its steps come in order, and it may do only what its account may."""

import re
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from PIL import Image

from infra.smoke import client_environment, command, write_photograph
from shared.cli.main import cli
from tests.infra.terraform import ROOT, Rehearsal

BUILD: dict[str, Any] = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text(encoding="utf-8"))
STEPS = {step["id"]: step for step in BUILD["steps"]}
ORDER = ["test", "stage", "fetch", "plan", "upload", "apply", "smoke", "smoke-api"]
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
    used = {name for step in STEPS.values() for name in re.findall(r"\$\{?(_?[A-Z][A-Z_]+)", step["script"])}
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


def test_the_plan_that_was_looked_at_is_the_plan_that_is_applied() -> None:
    assert "-out=../build/made.tfplan" in STEPS["plan"]["script"]
    assert "apply -input=false ../build/made.tfplan" in STEPS["apply"]["script"]


def test_the_build_runs_under_the_account_that_terraform_makes(rehearsal: Rehearsal) -> None:
    accounts = [
        each["values"]["account_id"]
        for each in rehearsal.resources("system: everything_that_can_be_switched_on")
        if each["type"] == "google_service_account"
    ]
    assert "deployer" in accounts
    assert re.search(r"/serviceAccounts/deployer@", BUILD["serviceAccount"])


def test_every_substitution_is_documented() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert [name for name in BUILD["substitutions"] if f"| `{name}` |" not in page] == []


def test_no_build_file_of_a_container_is_needed() -> None:
    assert [
        path for path in ROOT.glob("**/Dockerfile*") if ".venv" not in path.parts and "build" not in path.parts
    ] == []


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
