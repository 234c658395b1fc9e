"""Whatever goes wrong in a function, the log has one JSON object a line."""

import errno
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from darkroom.runtime.logs import configure, log

ROOT = Path(__file__).resolve().parents[2]
#: A function that fails as its event says, served by functions-framework; the log is configured by nobody else.
FUNCTION = """
import functions_framework
from darkroom.domain.errors import TransientError
from darkroom.runtime.functions import reported

@functions_framework.cloud_event
@reported
def fails(event):
    raise {"transient": TransientError, "unforeseen": ZeroDivisionError}[event["id"]]("the store is away")
"""
CALLER = """
import sys
from functions_framework import create_app

client = create_app(target="fails", source=sys.argv[1]).test_client()
for event in sys.argv[2:]:
    headers = {"ce-id": event, "ce-source": "s", "ce-type": "t", "ce-specversion": "1.0"}
    print(client.post("/", json={}, headers=headers).status_code)
"""


def logged(tmp_path: Path, *events: str) -> list[dict[str, Any]]:
    """The lines on stderr of a process that answers these events with 500."""
    source = tmp_path / "main.py"
    source.write_text(FUNCTION)
    command = [sys.executable, "-c", CALLER, str(source), *events]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["500"] * len(events), done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_failure_that_may_pass_is_one_json_line_with_its_traceback(tmp_path: Path) -> None:
    lines = logged(tmp_path, "transient", "transient")
    assert [(line["severity"], line["action"]) for line in lines] == [("WARNING", "library")] * 2
    assert "TransientError: the store is away" in lines[0]["stack_trace"]


def test_a_failure_that_nobody_foresaw_is_one_json_line_too_and_not_two(tmp_path: Path) -> None:
    (line,) = logged(tmp_path, "unforeseen")
    assert (line["severity"], line["action"], line["event_id"]) == ("ERROR", "unexpected", "unforeseen")
    assert "ZeroDivisionError: the store is away" in line["stack_trace"]


class FullDisk(io.StringIO):
    """A file on a disk that is full until it is not."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_line_that_cannot_be_written_is_dropped_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    stream = FullDisk()
    configure("INFO", stream)
    for _ in range(100):
        log("INFO", "swept", "This line has no room.")
    stream.full = False
    log("INFO", "swept", "This one has.")
    configure("INFO", io.StringIO())
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["This one has."]
    assert capsys.readouterr().err == ""
