"""The local cloud as the tests use it: started, killed, and looked at from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from darkroom.domain.job import FINAL, Job
from darkroom.runtime.bootstrap import LocalParts, local_parts
from darkroom.runtime.ports import JobQuery
from darkroom.runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
#: Long enough for a machine that does many other things, and never reached when all is well.
TIMEOUT_S = 90.0


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = TIMEOUT_S) -> None:
    """Return as soon as the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"still waiting for {what} after {timeout_s:g} s"
        time.sleep(0.005)


def drop(home: Path, name: str, data: bytes) -> None:
    """Write a file into the uploads folder, as a person would."""
    path = home / "uploads" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def all_jobs(parts: LocalParts) -> list[Job]:
    """Every job, whatever its state; at most 1000."""
    return list(parts.jobs.query(JobQuery(limit=1000)).jobs)


def ended(parts: LocalParts, count: int) -> bool:
    """Whether there are that many jobs, none of which goes on, and no message is left."""
    if any(parts.broker.pending().values()):  # the cheap question first: it is asked after every delivery
        return False
    jobs = all_jobs(parts)
    return len(jobs) == count and all(job.status in FINAL for job in jobs)


def require_each_done_once(parts: LocalParts, names: Iterable[str]) -> None:
    """Every upload has one completed job, one result, one manifest; there is nothing else, and nothing under way."""
    jobs = all_jobs(parts)
    assert sorted(job.source.ref.name for job in jobs) == sorted(names)
    assert [(job.source.ref.name, job.error) for job in jobs if job.status != "completed"] == []
    ends = [sum(entry.action == "completed" for entry in job.history) for job in jobs]
    assert set(ends) == {1}
    found = sorted(info.ref.name for info in parts.objects.list("results"))
    assert found == sorted(name for job in jobs for name in (_result_name(job), job.manifest_name))
    assert set(parts.broker.pending().values()) == {0}
    assert parts.broker.dead_letters() == []


def _result_name(job: Job) -> str:
    assert job.result is not None
    return job.result.name


class Service:
    """`darkroom up` in a process group of its own."""

    def __init__(self, home: Path, *, workers: int = 2, options: Iterable[str] = ()) -> None:
        self.home = home
        self.parts = local_parts(Settings(home=home))
        self._workers = workers
        self._options = tuple(options)
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> "Service":
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return self

    @property
    def command(self) -> list[str]:
        told = ["--home", str(self.home), "--workers", str(self._workers), "--watch", "0.05"]
        return [sys.executable, "-m", "darkroom", "up", *told, *self._options]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log(self, action: str) -> list[dict[str, object]]:
        """The lines of the supervisor's log with that action."""
        path = self.home / "logs" / "supervisor.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in map(json.loads, lines) if line.get("action") == action]

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal to the supervisor alone; returns its exit status and what it printed."""
        assert self.process is not None
        os.kill(self.pid, number)
        output, _ = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, output

    def kill_all(self) -> None:
        """kill -9 of the supervisor and all of its workers at once."""
        assert self.process is not None
        os.killpg(self.pid, signal.SIGKILL)
        self.process.communicate(timeout=TIMEOUT_S)

    def __enter__(self) -> "Service":
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill_all()
