"""Terraform, run once for all tests: format, validity, and what it would create on a provider that creates nothing.

Needs the program and the google provider. Without them the tests skip with the reason, or, with
DARKROOM_REQUIRE_TERRAFORM=1, fail.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
REQUIRED_VARIABLE = "DARKROOM_REQUIRE_TERRAFORM"
#: Half a minute where nothing else runs; a machine that is shared may take ten times as long.
TIMEOUT_S = 1200


def unavailable(reason: str) -> None:
    """Skip the test, or fail it where Terraform is required."""
    if os.environ.get(REQUIRED_VARIABLE) == "1":
        pytest.fail(f"{reason}; {REQUIRED_VARIABLE}=1 demands it")
    pytest.skip(reason)


def terraform(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Terraform in `folder`; what it downloads and remembers lies under `build/`."""
    kept = ROOT / "build" / "terraform" / folder.name
    environment = os.environ | {"TF_DATA_DIR": str(kept), "TF_IN_AUTOMATION": "1"}
    command = ["terraform", f"-chdir={folder}", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)


def prepared(folder: Path) -> Path:
    """`folder`, initialised."""
    if shutil.which("terraform") is None:
        unavailable("terraform is not installed")
    done = terraform(folder, "init", "-backend=false", "-input=false", "-no-color")
    if done.returncode:
        unavailable(f"the providers of {folder.name} cannot be had: {done.stderr.strip()[:500]}")
    return folder


@dataclass(frozen=True)
class Rehearsal:
    """What `terraform test` said."""

    #: "file: run" to pass, fail, error or skip.
    outcomes: Mapping[str, str]
    #: Everything that it complained of.
    diagnostics: tuple[str, ...]
    #: "file: run" to the state after the run, of the runs that apply.
    states: Mapping[str, Mapping[str, Any]]

    def resources(self, run: str) -> Iterator[Mapping[str, Any]]:
        """All resources of a state, those of modules too."""
        yield from _resources(self.states[run]["root_module"])

    def outputs(self, run: str) -> dict[str, Any]:
        """The outputs of a state."""
        return {name: each["value"] for name, each in self.states[run]["outputs"].items()}


def run_tests(folder: Path) -> Rehearsal:
    """Run every `.tftest.hcl` of `folder`."""
    lines = [json.loads(line) for line in terraform(folder, "test", "-json", "-verbose").stdout.splitlines()]
    ended = [line for line in lines if line["type"] == "test_run" and "status" in line["test_run"]]
    outcomes = {_run(line): line["test_run"]["status"] for line in ended}
    states = {_run(line): line["test_state"] for line in lines if line["type"] == "test_state"}
    diagnostics = tuple(
        f"{line['diagnostic']['summary']}: {line['diagnostic'].get('detail', '')}"
        for line in lines
        if line["type"] == "diagnostic" and line["diagnostic"]["severity"] == "error"
    )
    return Rehearsal(outcomes=outcomes, diagnostics=diagnostics, states=states)


def _run(line: Mapping[str, Any]) -> str:
    return f"{Path(line['@testfile']).name.removesuffix('.tftest.hcl')}: {line['@testrun']}"


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _resources(child)
