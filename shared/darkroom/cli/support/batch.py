"""Processes many files in parallel, so that the failure of one does not affect the others.

One lane per process, one file at a time in each. When a process dies (out of memory, killed), exactly the file that
it had is lost; the lane gets a new process and the rest goes on.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import connection

from darkroom.cli.support.process_file import FileOutcome, Task, carry_out, failed, parts
from darkroom.domain.errors import PermanentError

Work = Callable[[Task], FileOutcome]


class WorkerLost(PermanentError):
    """The process that worked on a file ended before it answered."""

    code = "worker_lost"


def carry_out_all(tasks: Sequence[Task], jobs: int, work: Work = carry_out) -> Generator[FileOutcome]:
    """The outcome of every task, in the order in which they end.

    Close the iterator to stop: the processes are ended, and what they had half written is removed.
    """
    lanes = [_Lane(work) for _ in range(min(jobs, len(tasks)))]
    waiting = iter(tasks)
    running = {lane.start(task): (lane, task) for lane, task in zip(lanes, waiting, strict=False)}
    try:
        while running:
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                lane, task = running.pop(future)
                outcome = lane.collect(future, task)
                if following := next(waiting, None):
                    running[lane.start(following)] = lane, following
                yield outcome
    finally:
        _end(lanes, [task for _, task in running.values()])


@dataclass(slots=True)
class _Lane:
    work: Work
    _executor: ProcessPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._executor = _new_executor()

    def start(self, task: Task) -> "Future[FileOutcome]":
        return self._executor.submit(self.work, task)

    def collect(self, future: "Future[FileOutcome]", task: Task) -> FileOutcome:
        try:
            return future.result()
        except BrokenProcessPool:
            self._executor.shutdown()
            self._executor = _new_executor()
            _remove_parts(task)
            return failed(task.name, WorkerLost("its process was killed, perhaps because memory ran out; try --jobs 1"))

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)


def _new_executor() -> ProcessPoolExecutor:
    """One fresh process: the libraries that work on pixels have threads, which a fork would not survive."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_begin_worker)


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent, and die with it however it dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _end(lanes: Sequence[_Lane], unfinished: Sequence[Task]) -> None:
    if unfinished:
        for process in multiprocessing.active_children():
            process.terminate()
    for lane in lanes:
        lane.close()
    for task in unfinished:
        _remove_parts(task)


def _remove_parts(task: Task) -> None:
    for path in parts(task):
        path.unlink(missing_ok=True)
