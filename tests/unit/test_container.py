"""Tests of the rules that the Dockerfile follows. tests/e2e/test_wheel.py carries its steps out."""

import re

import pytest

from tests import dockerfile
from tests.dockerfile import ROOT, environment, health_check, instructions, last_stage, the


def test_every_image_has_a_tag_and_all_are_the_same() -> None:
    bases = {each.argument.split()[0] for each in instructions() if each.keyword == "FROM"}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+-slim(@sha256:[0-9a-f]{64})?", *bases)


def test_every_package_from_the_index_has_a_hash() -> None:
    commands = [line for each in instructions() if each.keyword == "RUN" for line in each.argument.split("&&")]
    installs = [command for command in commands if re.search(r"pip (install|wheel)", command)]
    assert len(installs) == 4
    assert all("--require-hashes" in command or "--no-index" in command for command in installs)


def test_the_service_runs_as_a_user_without_privileges_who_owns_the_only_volume() -> None:
    assert int(the("USER").argument) >= 10_000
    assert the("VOLUME").argument == environment()["DARKROOM_HOME"]
    assert environment()["DARKROOM_MODELS"].startswith(f"{the('VOLUME').argument}/")
    (made,) = (each.argument for each in last_stage() if each.keyword == "RUN")
    assert f"--uid {the('USER').argument} " in made
    assert made.endswith(f"install -d -o darkroom -g darkroom {the('VOLUME').argument}")


def test_the_command_receives_signals_itself() -> None:
    assert the("ENTRYPOINT").words == ["darkroom"]
    assert the("CMD").words[0] == "up"
    assert the("STOPSIGNAL").argument == "SIGTERM"


def test_the_port_is_the_same_everywhere() -> None:
    command = the("CMD").words
    assert command[command.index("--port") + 1] == the("EXPOSE").argument
    assert f":{the('EXPOSE').argument}/health" in " ".join(health_check())


def test_nothing_is_copied_that_the_wheel_is_not_built_from() -> None:
    names = {str(path) for path in dockerfile.copied()}
    assert {"requirements.txt", "pyproject.toml", "shared/darkroom/cli/main.py", "models/registry.toml"} <= names
    assert not [name for name in names if name.startswith(("models/training", "models/evaluation", "tests", ".git"))]
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


@pytest.mark.parametrize("line", (ROOT / ".dockerignore").read_text("utf-8").splitlines())
def test_every_exception_of_the_ignored_files_exists(line: str) -> None:
    if line.startswith("!"):
        assert (ROOT / line[1:]).exists()
