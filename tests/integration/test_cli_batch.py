"""Many files at once: what a failing, dying or interrupted process costs."""

import multiprocessing
import os
import signal
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from darkroom.cli.support.batch import carry_out_all
from darkroom.cli.support.output_paths import Target
from darkroom.cli.support.process_file import FileOutcome, Task, failed, parts
from darkroom.cli.support.progress import report
from darkroom.domain.pipeline import Pipeline
from darkroom.runtime.settings import Settings


def task(name: str, folder: Path = Path("out")) -> Task:
    target = Target(source=Path(name), stem=folder / name, formats=frozenset({"jpeg"}))
    return Task(
        target=target,
        name=name,
        pipeline=Pipeline(),
        settings=Settings(),
        threads=1,
        manifest=False,
        parent=os.getpid(),
    )


def work(task: Task) -> FileOutcome:
    """Stands in for the development: the task's name says what happens."""
    if task.name.startswith("killed"):
        parts(task)[0].write_bytes(b"half a picture")
        os.kill(os.getpid(), signal.SIGKILL)
    return FileOutcome(source=task.name, status="done", result=f"{os.getpid()}")


def work_or_block(task: Task) -> FileOutcome:
    """`endless` begins to write, says so through a pipe, and never ends; any other task waits for that."""
    pipe = task.target.stem.parent / "pipe"
    if task.name != "endless":
        pipe.read_bytes()
        return work(task)
    parts(task)[0].write_bytes(b"half a picture")
    pipe.write_bytes(b"begun")
    threading.Event().wait()
    return work(task)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_process_that_is_killed_fails_its_own_file_and_no_other(jobs: int, tmp_path: Path) -> None:
    tasks = [task(name, tmp_path) for name in ("a", "killed 1", "b", "killed 2", "c")]
    outcomes = {outcome.source: outcome for outcome in carry_out_all(tasks, jobs, work)}
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "a": "done",
        "killed 1": "failed",
        "b": "done",
        "killed 2": "failed",
        "c": "done",
    }
    assert outcomes["killed 1"].error_code == "worker_lost"
    assert list(tmp_path.iterdir()) == []


def test_every_lane_keeps_its_process_for_the_next_file() -> None:
    outcomes = list(carry_out_all([task(name) for name in "abcd"], 1, work))
    assert len({outcome.result for outcome in outcomes}) == 1
    assert str(os.getpid()) not in {outcome.result for outcome in outcomes}


def test_stopping_early_ends_the_processes_and_removes_what_they_had_half_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    tasks = [task("endless", tmp_path), task("short", tmp_path)]
    with closing(carry_out_all(tasks, 2, work_or_block)) as outcomes:
        assert next(outcomes).source == "short"
        assert parts(tasks[0])[0].exists()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert multiprocessing.active_children() == []


def test_a_failure_that_nobody_expected_brings_its_traceback_and_shows_it_with_debug_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcome = failed("a.jpg", KeyError("x"))
    report([outcome], total=1, as_json=False, debug=False, counts=Counter())
    assert capsys.readouterr().err == "a.jpg: unexpected KeyError: 'x' (`darkroom --debug …` shows where)\n"
    report([outcome], total=1, as_json=False, debug=True, counts=Counter())
    assert "KeyError: 'x'\na.jpg: unexpected" in capsys.readouterr().err


def test_a_lack_of_memory_is_a_failure_of_the_file() -> None:
    assert failed("a.jpg", MemoryError()).error == "there is not enough memory"


def test_no_tasks_start_no_process() -> None:
    assert list(carry_out_all([], 4, work)) == []
