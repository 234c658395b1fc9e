"""Starts the local cloud from a program.

with LocalCloud(settings, workers=2) as cloud:
    cloud.objects.put("uploads", "restore/cat.jpg", photograph)
    cloud.wait_until(lambda: done(cloud.jobs), timeout_s=60)
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from darkroom.domain.errors import ConfigurationError, TransientError
from darkroom.local_cloud.api_server import ApiServer
from darkroom.local_cloud.lock import lock_home
from darkroom.local_cloud.supervisor import Delivered, Intervals, Observer, Supervisor
from darkroom.local_cloud.worker_pool import Worker, WorkerPool, log_path
from darkroom.runtime.bootstrap import build, local_parts, processors
from darkroom.runtime.settings import Settings

#: Factor of all backoffs on one machine, where a user waits for the result; the first backoff is then 1 s.
BACKOFF_SCALE = 0.1
#: Timeout for the first worker to be ready, in seconds.
_START_S = 30.0
#: Longest time between two checks of an awaited condition, in seconds; it can become true without a delivery.
_RECHECK_S = 0.05


def _unobserved(_: Delivered) -> None:
    """The default observer."""


class LocalCloud:
    """The supervisor and its workers in the background of a program, from `with` until its end."""

    def __init__(
        self,
        settings: Settings,
        *,
        workers: int | None = None,
        intervals: Intervals | None = None,
        observe: Observer = _unobserved,
        api: socket.socket | None = None,
    ) -> None:
        if settings.backend != "local":
            raise ConfigurationError(f"the local cloud serves backend local, not {settings.backend}")
        home, registry = settings.home.resolve(), settings.registry.resolve()
        self.settings = settings.model_copy(update={"home": home, "registry": registry})
        self.parts = local_parts(self.settings, backoff_scale=BACKOFF_SCALE)
        self.objects, self.jobs, self.broker = self.parts.objects, self.parts.jobs, self.parts.broker
        self._worker_pool = WorkerPool(self.settings, workers or processors())
        self._observer = observe
        self._api = ApiServer(self.settings, api) if api else None
        self._intervals = intervals or Intervals()
        self._supervisor: Supervisor | None = None
        self._lock: TextIO | None = None
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor")

    def __enter__(self) -> Self:
        build(self.settings)  # reports wrong settings once, here, and not in every worker
        make_folders(self.settings)
        self._lock = lock_home(self.settings.home)
        self._supervisor = Supervisor(
            self.settings, self.parts, worker_pool=self._worker_pool, intervals=self._intervals, observe=self._observed
        )
        self._thread.start()
        try:
            self.wait_until(lambda: any(worker.port for worker in self.workers), timeout_s=_START_S)
        except BaseException as exc:
            self.stop()
            if not isinstance(exc, TimeoutError):
                raise
            log = log_path(self.settings.home, 1)
            last = (log.read_text(errors="replace").splitlines() or ["nothing"])[-1]
            raise TransientError(f"no worker was ready within {_START_S:g} s; {log} ends with: {last}") from exc
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is None:
            self.check()

    @property
    def size(self) -> int:
        """How many workers there are when none is being started again."""
        return self._worker_pool.size

    @property
    def workers(self) -> tuple[Worker, ...]:
        """The living workers."""
        return self._worker_pool.workers

    @property
    def api_port(self) -> int | None:
        """Where the HTTP API listens, if it does: on the socket `api`."""
        return self._api.port if self._api else None

    def stop(self) -> None:
        """Let the requests in flight end, and the workers. Returns when that is done."""
        if self._api is not None:
            self._api.stop()
            self._api = None
        assert self._supervisor is not None
        assert self._lock is not None
        self._supervisor.stop()
        self._thread.join()
        self._supervisor.close()
        self._lock.close()
        for part in (self.objects, self.jobs, self.broker):
            part.close()

    def check(self) -> None:
        """Raises what the supervisor failed of, if it did. Starts the API, again if it died."""
        if self._failure is not None:
            raise self._failure
        if self._api is not None:
            self._api.start()

    def wait_until(self, condition: Callable[[], bool], *, timeout_s: float) -> None:
        """Return as soon as `condition` holds; it is checked after every delivery. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.check()
            if time.monotonic() >= deadline:
                raise TimeoutError(f"still waiting after {timeout_s:g} s")
            with self._changed:
                self._changed.wait(_RECHECK_S)

    def _observed(self, delivered: Delivered) -> None:
        self._observer(delivered)
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        assert self._supervisor is not None
        try:
            self._supervisor.run()
        except BaseException as exc:  # noqa: BLE001  `check` raises it in the waiting thread
            self._failure = exc


def make_folders(settings: Settings) -> None:
    """Make the home and a folder for each bucket. Raises ConfigurationError, naming every one that cannot be used."""
    buckets = (
        settings.uploads_bucket,
        settings.artifacts_bucket,
        settings.results_bucket,
        settings.products_bucket,
        settings.keys_bucket,
    )
    folders = (settings.home, *(settings.home / bucket for bucket in buckets))
    if problems := [problem for folder in folders if (problem := _unusable(folder))]:
        raise ConfigurationError("; ".join(problems))


def _unusable(folder: Path) -> str | None:
    """Why a folder cannot be written to; None if it can, and then it is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        return f"{folder} is not a folder; move it away"
    except NotADirectoryError:
        return f"{folder} cannot be created, because a parent of it is not a folder"
    except OSError as exc:
        return f"{folder} cannot be created: {exc.strerror}"
    return None if os.access(folder, os.R_OK | os.W_OK | os.X_OK) else f"{folder} cannot be read and written"
