"""Counts what SQLite does, so that tests hold growth without a stopwatch."""

from collections.abc import Callable

from shared.adapters.local_broker import LocalBroker
from shared.adapters.local_jobs import LocalJobStore
from shared.adapters.local_objects import LocalObjectStore


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
