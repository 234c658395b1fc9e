"""Counts what SQLite and the ports do, so that tests hold growth without a stopwatch."""

from collections.abc import Callable, Iterator
from typing import Any

from darkroom.adapters.local.broker import LocalBroker
from darkroom.adapters.local.jobs import LocalJobStore
from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.runtime.ports import JobPage, ObjectInfo


def sqlite_steps(store: LocalBroker | LocalJobStore | LocalObjectStore, work: Callable[[], object]) -> int:
    """Instructions of SQLite's virtual machine that `work` takes on the store's connection.

    https://www.sqlite.org/c3ref/progress_handler.html
    """
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with store._database.reading() as connection:
        connection.set_progress_handler(count, 1)
    try:
        work()
    finally:
        with store._database.reading() as connection:
            connection.set_progress_handler(None, 1)
    return steps


class Counted:
    """A port that counts its calls, and the jobs and objects that they return."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.calls = 0
        self.returned = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def counted(*args: Any, **named: Any) -> Any:
            self.calls += 1
            answer = method(*args, **named)
            if name == "list":
                return self._each(answer)
            self.returned += len(answer.jobs) if isinstance(answer, JobPage) else 1
            return answer

        return counted

    def _each(self, infos: Iterator[ObjectInfo]) -> Iterator[ObjectInfo]:
        for info in infos:
            self.returned += 1
            yield info
