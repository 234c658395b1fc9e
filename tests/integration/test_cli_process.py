"""The console script as people and shells start it: interruptions, pipes, and what the group does with failures."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from darkroom.cli.main import Darkroom, cli
from darkroom.cli.support.errors import Interrupted
from darkroom.domain.errors import NotAllowed
from tests.pictures import jpeg_bytes

SCRIPT = str(Path(sys.executable).with_name("darkroom"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three pictures to develop; whoever reads the second one waits for ever."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(jpeg_bytes())
    os.mkfifo(folder / "2.jpg")
    (folder / "3.jpg").write_bytes(jpeg_bytes())
    return folder


def run_command(photos: Path) -> tuple[str | Path, ...]:
    """Files named one by one, in this order; a format given by name, so that nobody looks into them before."""
    files = [photos / f"{index}.jpg" for index in (1, 2, 3)]
    return ("run", *files, "-o", "out", "--jobs", "1", "--preset", "optimize", "--format", "jpeg")


def start(*args: str | Path, cwd: Path) -> "subprocess.Popen[str]":
    command = [SCRIPT, *(str(arg) for arg in args)]
    environment = {**os.environ, "DARKROOM_THREADS": "1"}
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_interrupts,  # noqa: PLW1509  the tests start no threads here
    )


def hear_interrupts() -> None:
    """As in a terminal: a shell that starts the tests in the background lets them ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_run_says_what_is_left_and_the_same_command_goes_on(photos: Path) -> None:
    process = start(*run_command(photos), cwd=photos.parent)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "darkroom: interrupted: 1 done, 0 failed, 2 left; the same command goes on from there\n"
    assert [path.name for path in (photos.parent / "out").iterdir()] == ["1.jpg"]
    (photos / "2.jpg").unlink()
    (photos / "2.jpg").write_bytes(jpeg_bytes())
    rest = start(*run_command(photos), cwd=photos.parent)
    made, _ = rest.communicate(timeout=60)
    assert rest.returncode == 0
    assert len(made.splitlines()) == 2
    assert {path.name for path in (photos.parent / "out").iterdir()} == {"1.jpg", "2.jpg", "3.jpg"}


def test_a_killed_run_leaves_no_process_behind(photos: Path) -> None:
    process = start(*run_command(photos), cwd=photos.parent)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    # The pipes end only when every process that inherited them has ended.
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


def test_a_terminal_sees_a_bar_and_a_file_beside_it_only_results(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(jpeg_bytes())
    ours, theirs = os.openpty()
    command = [SCRIPT, "run", "a.jpg", "b.jpg", "-o", "out", "--jobs", "1", "--preset", "optimize"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    seen = everything_from(ours)
    results, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"2/2" in seen
    assert [line.split()[0] for line in results.splitlines()] == [b"a.jpg", b"b.jpg"]


def everything_from(terminal: int) -> bytes:
    """What is written to a terminal until nobody holds its other end, which Linux tells by an error."""
    seen = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(terminal, 4096):
            seen += chunk
    os.close(terminal)
    return seen


def test_a_reader_that_goes_away_is_no_failure_to_talk_about(tmp_path: Path) -> None:
    process = start("stages", cwd=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.wait(timeout=60)


def test_the_command_is_a_module_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "darkroom", "--version"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=60, check=True)
    assert done.stdout.startswith("darkroom ")


def test_help_imports_no_command_and_no_pixel_library(tmp_path: Path) -> None:
    heavy = "('numpy', 'pydantic', 'rich', 'darkroom.cli.commands.run')"
    code = (
        "import sys; from darkroom.cli.main import cli; cli(['--help'], standalone_mode=False);"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=60, check=True)
    assert "Usage: " in done.stdout
    assert done.stderr == "[]\n"


FAILURES: dict[str, tuple[BaseException, int, str]] = {
    "expected": (NotAllowed("job 1 is\nfailed"), 1, "darkroom: job 1 is\\nfailed\n"),
    "file": (
        FileNotFoundError(2, "No such file or directory", "a.jpg"),
        1,
        "darkroom: a.jpg: No such file or directory\n",
    ),
    "unexpected": (KeyError("x"), 1, "darkroom: unexpected KeyError: 'x' (`darkroom --debug …` shows where)\n"),
    "Ctrl-C": (KeyboardInterrupt(), 130, "darkroom: interrupted\n"),
    "Ctrl-C with more to say": (Interrupted("3 left"), 130, "darkroom: 3 left\n"),
    "usage": (click.UsageError("no"), 2, "Usage: darkroom fail [OPTIONS]\n\nError: no\n"),
}


def failing(error: BaseException) -> click.Group:
    """The group with one command, which raises `error`."""

    @click.command(add_help_option=False)
    def fail() -> None:
        raise error

    class Failing(Darkroom):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            return fail

    return Failing(params=cli.params)


@pytest.mark.parametrize("kind", FAILURES)
def test_every_failure_is_one_line_and_an_exit_status(kind: str) -> None:
    error, status, line = FAILURES[kind]
    result = CliRunner().invoke(failing(error), ["fail"], prog_name="darkroom")
    assert result.exit_code == status
    assert result.stderr == line
    assert result.stdout == ""


def test_an_unexpected_failure_has_a_traceback_with_debug() -> None:
    result = CliRunner().invoke(failing(KeyError("x")), ["--debug", "fail"])
    assert isinstance(result.exception, KeyError)


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(cli, ["develop"])
    assert result.exit_code == 2
    assert "No such command 'develop'" in result.stderr


def test_on_a_terminal_results_and_failures_stand_on_lines_of_their_own_above_the_bar(tmp_path: Path) -> None:
    for name, data in {"a.jpg": jpeg_bytes(), "b.jpg": b"these are no pixels", "c.jpg": jpeg_bytes()}.items():
        (tmp_path / name).write_bytes(data)
    ours, theirs = os.openpty()
    command = [SCRIPT, "run", "a.jpg", "b.jpg", "c.jpg", "-o", "out", "--jobs", "1", "--preset", "optimize"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = everything_from(ours).decode()
    assert process.wait(timeout=60) == 1
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", seen).replace("\r", "\n")
    starts = [line.split()[0] for line in plain.splitlines() if re.match(r"[abc]\.jpg\b", line)]
    assert starts == ["a.jpg", "b.jpg:", "c.jpg"]
