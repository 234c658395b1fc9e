"""Starts, selects and restarts the worker processes.

A worker that dies is started again: at once if it had answered anything, after a growing delay if it had not. All
methods are called from one thread, because Linux ties a worker's life to the thread that started it.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from darkroom.runtime.bootstrap import processors
from darkroom.runtime.installed import IMPORT_ROOT
from darkroom.runtime.logs import log
from darkroom.runtime.settings import PREFIX, Settings

#: Seconds before the first restart of a worker that ended without a response; doubles at each repetition.
_FIRST_DELAY_S = 0.25
#: Longest delay before a restart, in seconds.
_LONGEST_DELAY_S = 10.0
#: Seconds that a worker has to end after its standard input was closed; then it is killed.
_END_S = 5.0
#: Requests to the dispatcher that one worker serves at a time, beside its stage. They are short.
DISPATCHES_PER_WORKER = 2


@dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """One worker process."""

    number: int
    process: "subprocess.Popen[bytes]"
    started_at: float
    #: Port of the worker; None until it reports its port.
    port: int | None = None
    #: Requests to stages that it works on: at most one, which has all of its threads and its memory.
    stages: int = 0
    #: Requests to the dispatcher that it works on.
    dispatches: int = 0
    #: Whether it has answered any request.
    answered: bool = False

    @property
    def stdout_fd(self) -> int:
        """File descriptor that becomes readable when the worker prints its port or ends."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def listen(self) -> bool:
        """Read the port that the worker printed; False if it has ended."""
        line = os.read(self.stdout_fd, 100)
        if not line:
            return False
        self.port = int(line)
        fields = {"worker": self.number, "pid": self.process.pid, "port": self.port}
        age = time.monotonic() - self.started_at
        log("INFO", "worker_started", f"Worker {self.number} listens after {age:.2f} s.", **fields)
        return True


class WorkerPool:
    """The workers of one home."""

    def __init__(self, settings: Settings, size: int) -> None:
        self.size = size
        self._settings = settings
        self._workers: dict[int, Worker] = {}
        #: When to start the missing ones, by number, on the monotonic clock.
        self._due: dict[int, float] = dict.fromkeys(range(1, size + 1), 0.0)
        #: How many times in a row each died without an answer.
        self._early_deaths: dict[int, int] = dict.fromkeys(self._due, 0)

    @property
    def workers(self) -> tuple[Worker, ...]:
        """The living ones."""
        return tuple(self._workers.values())

    @property
    def due_at(self) -> float:
        """When the next missing worker is to be started, on the monotonic clock; infinite if none is missing."""
        return min(self._due.values(), default=float("inf"))

    def start_missing(self) -> list[Worker]:
        """Start the workers that are due, and return them."""
        now = time.monotonic()
        numbers = [number for number, due in self._due.items() if due <= now]
        for number in numbers:
            del self._due[number]
            self._workers[number] = self._start(number)
        return [self._workers[number] for number in numbers]

    def reap(self, worker: Worker) -> None:
        """Release the resources of a dead worker, and schedule its restart."""
        status = worker.process.wait()
        _close_pipes(worker)
        del self._workers[worker.number]
        age = time.monotonic() - worker.started_at
        deaths = 0 if worker.answered else self._early_deaths[worker.number] + 1
        delay = min(_FIRST_DELAY_S * 2.0 ** (deaths - 1), _LONGEST_DELAY_S) if deaths else 0.0
        self._early_deaths[worker.number] = deaths
        self._due[worker.number] = time.monotonic() + delay
        text = (
            f"Worker {worker.number} died with status {status} after {age:.1f} s, the next one starts in {delay:g} s."
        )
        log("WARNING", "worker_died", text, worker=worker.number, pid=worker.process.pid)

    def free_for_stage(self) -> Worker | None:
        """A worker that can take a stage's request; the one with the least other work."""
        free = [worker for worker in self._workers.values() if worker.port is not None and worker.stages == 0]
        return min(free, key=lambda worker: worker.dispatches, default=None)

    def free_for_dispatch(self) -> Worker | None:
        """A worker that can take a request to the dispatcher; the one with the least other work."""
        ready = [worker for worker in self._workers.values() if worker.port is not None]
        free = [worker for worker in ready if worker.dispatches < DISPATCHES_PER_WORKER]
        return min(free, key=lambda worker: worker.dispatches + worker.stages, default=None)

    def close(self) -> None:
        """End all workers; returns when their processes have ended."""
        for worker in self._workers.values():
            assert worker.process.stdin is not None
            worker.process.stdin.close()
        deadline = time.monotonic() + _END_S
        for worker in self._workers.values():
            _outlive(worker.process, deadline - time.monotonic())
            _close_pipes(worker)
        self._workers.clear()

    def _start(self, number: int) -> Worker:
        with log_path(self._settings.home, number).open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "darkroom.local_cloud.worker", str(os.getpid())],
                env=environment(self._settings, self.size),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,
            )
        return Worker(number=number, process=process, started_at=time.monotonic())


def log_path(home: Path, number: int) -> Path:
    """The path of a worker's log; its folder is created if needed."""
    folder = home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"worker-{number}.log"


def environment(settings: Settings, workers: int) -> dict[str, str]:
    """The environment of a worker: `settings`, with the processors shared out among the workers."""
    threads = settings.threads or max(1, processors() // workers)
    values = {**settings.model_dump(mode="json"), "threads": threads}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    path = os.pathsep.join([str(IMPORT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    pools = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    own = {PREFIX + name.upper(): str(value) for name, value in values.items()}
    return inherited | pools | own | {"PYTHONPATH": path}


def _outlive(process: "subprocess.Popen[bytes]", timeout_s: float) -> None:
    try:
        process.wait(max(timeout_s, 0.1))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _close_pipes(worker: Worker) -> None:
    for pipe in (worker.process.stdin, worker.process.stdout):
        if pipe is not None:
            pipe.close()
