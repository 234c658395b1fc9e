"""The stages and the pipeline as they are measured: `STAGE/METHOD`, `restore`, `restore, stage by stage`."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from darkroom.adapters.system import ProcessMeter
from darkroom.domain.messages import ModelRef, Step
from darkroom.domain.parameters import PARAMETERS, Stage
from darkroom.domain.pipeline import parse_pipeline
from darkroom.execution.runner import LocalRunner, run_pipeline
from darkroom.execution.step import Inputs, assess, no_objects, run_step
from darkroom.imaging.codec import Limits, decode
from darkroom.runtime.bootstrap import build_local_runner, processors
from darkroom.runtime.ports import Meter, Usage
from darkroom.runtime.settings import Settings
from tests.bench.photograph import as_found_by

Act = Callable[[], dict[str, float] | None]

#: Parameters without which the stage would find nothing to do in this photograph, or not what the pipeline asks of it.
ASKED: dict[Stage, dict[str, object]] = {
    "repair": {"sensitivity": 0.9},
    "colorize": {"force": True},
    "upscale": {"scale": 2.0},
    "finish": {"smooth": 0.5, "sharpen": 0.5, "format": "jpeg"},
}
#: Only this stage takes and gives no picture.
ASSESS = "assess"
#: What stages write, if not the picture for the next one.
EXTENSIONS: dict[Stage, str] = {"assess": "json", "finish": "jpg"}


@dataclass(slots=True)
class Stopwatch:
    """A meter that leaves the process's mark of peak memory alone; `ProcessMeter` sets it back at every start."""

    _started: float = field(default_factory=time.perf_counter)

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self) -> Usage:
        return Usage(elapsed_ms=1000.0 * (time.perf_counter() - self._started), peak_memory_mb=0.0)


def methods() -> list[tuple[Stage, str]]:
    """Every stage with every method that can run, the registered models first."""
    found: list[tuple[Stage, str]] = []
    for stage, kind in PARAMETERS.items():
        if _model(stage, "model") is not None:
            found.append((stage, "model"))
        found += [(stage, method) for method in kind.classical or (("classical",) if stage == ASSESS else ())]
    return found


def default_step(stage: Stage) -> Step:
    """A step of the stage by the first of its methods, which is the model if it has one."""
    method = next(method for known, method in methods() if known == stage)
    return _step(stage, method, _model(stage, method))


def prepare(name: str, data: bytes) -> Act:
    """What is to be timed, for one of the names above."""
    if name == "restore":
        return _restore(data, Stopwatch(), lambda usage: usage.elapsed_ms / 1000.0)
    if name == "restore, stage by stage":
        return _restore(data, ProcessMeter(), lambda usage: usage.peak_memory_mb)
    stage, _, method = name.partition("/")
    return _assess(method, data) if stage == ASSESS else _stage(stage, method, data)


def bench(meter: Meter, threads: int) -> LocalRunner:
    """The parts of an in-process run, as `darkroom run` has them but for the meter."""
    made = build_local_runner(Settings(), threads)
    return LocalRunner(
        model_registry=made.model_registry, models=made.models, clock=made.clock, meter=meter, limits=made.limits
    )


def _assess(method: str, data: bytes) -> Act:
    parts = bench(Stopwatch(), processors())
    step = _step("assess", method, _model("assess", method))

    def act() -> None:
        assess(step, decode(data, Limits()), parts.models)

    return act


def _stage(stage: Stage, method: str, data: bytes) -> Act:
    decoded, parts = decode(as_found_by(stage, data), Limits()), bench(Stopwatch(), processors())
    step = _step(stage, method, _model(stage, method))
    inputs = Inputs(picture=decoded.picture, source=decoded, read_object=no_objects)

    def act() -> None:
        outcome = run_step(step, inputs, parts.models)
        if outcome.picture is decoded.picture:
            raise RuntimeError(f"{stage} did nothing: {outcome.notes}")

    return act


def _model(stage: Stage, method: str) -> ModelRef | None:
    return build_local_runner(Settings(), 1).model_registry.model_ref(stage, None) if method == "model" else None


def _step(stage: Stage, method: str, model: ModelRef | None) -> Step:
    values = PARAMETERS[stage].model_validate(ASKED.get(stage, {})).model_dump(mode="json")
    name = f"{stage}.{EXTENSIONS.get(stage, 'webp')}"
    told = {"output_bucket": "artifacts", "output_name": name, "digest": "", "reason": "measured"}
    return Step(stage=stage, method=method, parameters=values, model=model, **told)


def _restore(data: bytes, meter: Meter, told: Callable[[Usage], float]) -> Act:
    pipeline, watched = parse_pipeline("restore"), _Watched(meter, told)
    parts = bench(watched, processors())

    def act() -> dict[str, float]:
        watched.values.clear()
        records = run_pipeline(parts, "photograph.jpg", data, pipeline).job.records
        names = [f"{record.stage}/{record.method}" for record in records[:-1]]
        return dict(zip([*names, "assess/again"], watched.values, strict=True))

    return act


@dataclass(slots=True)
class _Watched:
    """Keeps what a meter says, unrounded."""

    meter: Meter
    told: Callable[[Usage], float]
    values: list[float] = field(default_factory=list)

    def start(self) -> None:
        self.meter.start()

    def stop(self) -> Usage:
        usage = self.meter.stop()
        self.values.append(self.told(usage))
        return usage
