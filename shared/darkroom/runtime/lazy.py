"""Builds a value once per process, also when several threads request it at the same time."""

from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Generic, TypeVar

Built = TypeVar("Built")


class Lazy(Generic[Built]):
    """Decorates a function without parameters: called once, and again only if it raised.

    `functools.cache` alone lets parallel first calls each build an instance. A process that starts under load would
    then have several APIs, each with separate rate limits.
    """

    def __init__(self, build: Callable[[], Built]) -> None:
        self.__doc__ = build.__doc__
        self._build, self._lock = cache(build), Lock()

    def __call__(self) -> Built:
        """The value; a thread that requests it during its construction waits for it."""
        with self._lock:
            return self._build()

    def cache_clear(self) -> None:
        """Forget it, so that the next call builds anew."""
        self._build.cache_clear()
