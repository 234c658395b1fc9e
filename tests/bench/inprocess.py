"""How is a photograph developed by turns with another way, in a process that stays warm?"""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:  # the libraries are imported by the process that uses them, after it was told its threads
    from darkroom.execution.runner import LocalRunner

_bench: "list[LocalRunner]" = []


class InProcess:
    """A process of its own that develops in memory, with so many threads."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(threads,))

    def develop(self, data: bytes, preset: str) -> float:
        """Seconds from the bytes of the photograph to those of the result."""
        return self._pool.submit(_develop, data, preset).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()


def _begin(threads: int) -> None:
    """As a worker of the local cloud does it."""
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)))
    import cv2

    from darkroom.runtime.bootstrap import build_local_runner
    from darkroom.runtime.settings import Settings

    cv2.setNumThreads(threads)
    _bench.append(build_local_runner(Settings(), threads))


def _develop(data: bytes, preset: str) -> float:
    from darkroom.domain.pipeline import parse_pipeline
    from darkroom.execution.runner import run_pipeline

    begun = time.perf_counter()
    run_pipeline(_bench[0], "photograph.jpg", data, parse_pipeline(preset))
    return time.perf_counter() - begun
