"""Measures the time and the memory that a model needs."""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darkroom.domain.parameters import Stage
from darkroom.imaging.measurement.score_input import patches
from darkroom.imaging.picture import Pixels
from darkroom.inference.registry import Registry
from darkroom.inference.session import Model, ModelStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What is timed."""

    #: Height and width of the picture; one megapixel.
    size: tuple[int, int] = (1024, 1024)
    #: Threads of onnxruntime.
    threads: int = 2
    repetitions: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one call."""

    workload: Workload
    #: Median of the wall clock.
    elapsed_s: float
    #: Median of the processor time.
    cpu_s: float
    #: Most memory that the process held, with the interpreter, its libraries, input and result.
    peak_mb: float
    #: The same before the model was opened.
    before_mb: float


def measure(registry: Registry, stage: Stage, model_id: str, workload: Workload) -> Cost:
    """Measure in a separate process, so that the peak memory is that of the model."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, registry, stage, model_id, workload).result()


def _measure(registry: Registry, stage: Stage, model_id: str, workload: Workload) -> Cost:
    pixels = np.random.default_rng(0).integers(0, 256, (*workload.size, 3), np.uint8)
    before_mb = _peak_mb()
    model = ModelStore(registry, threads=workload.threads).open(stage, model_id)
    act = _act(model, pixels)
    elapsed_s, cpu_s = [], []
    for _ in range(workload.repetitions):
        wall, cpu = time.perf_counter(), time.process_time()
        act()
        elapsed_s.append(time.perf_counter() - wall)
        cpu_s.append(time.process_time() - cpu)
    return Cost(
        workload=workload,
        elapsed_s=statistics.median(elapsed_s),
        cpu_s=statistics.median(cpu_s),
        peak_mb=_peak_mb(),
        before_mb=before_mb,
    )


def processor(cpuinfo: str) -> str:
    """Return the processor's name and its widest instructions, on which the seconds of a network depend most.

    >>> processor("model name : AMD EPYC\\nflags : fpu avx2")
    'AMD EPYC with AVX2'
    """
    name = next((line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), "")
    known = {"avx512_vnni": "AVX-512 with VNNI", "avx512f": "AVX-512", "avx2": "AVX2"}
    widest = next((name for flag, name in known.items() if flag in cpuinfo.split()), "none of AVX2 and AVX-512")
    return f"{name or 'a processor without a name'} with {widest}"


def _act(model: Model, pixels: Pixels) -> Callable[[], object]:
    """One call; a network that sees a reduction is only read, and applying its answer is the stage's cost."""
    if model.contract.tiled:
        scalars = dict.fromkeys(model.scalars, 20.0)
        return lambda: model.apply(pixels, scalars)
    if model.answer == "quality":
        return lambda: model.read(pixels, {name: patches(pixels) for name in model.extra})
    extra = {name: np.zeros((3, *model.reduced(*pixels.shape[:2])), np.float32) for name in model.extra}
    return lambda: model.read(pixels, extra)


def _peak_mb() -> float:
    """Linux only: getrusage would count what the parent held before exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kibibytes = next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]
    return int(kibibytes) * 1024 / 1e6
