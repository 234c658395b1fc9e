"""How long does it take until every model can be used?"""

import time

from darkroom.inference.registry import Registry
from darkroom.runtime.bootstrap import build_local_runner, processors
from darkroom.runtime.settings import Settings
from tests.bench.cost import measured
from tests.bench.effort import Effort
from tests.bench.table import Table, median, seconds

#: The picture does not matter: nothing is done to it.
ANY_MP = 0.01


def run(effort: Effort) -> Table:
    """Open the default models one after the other, each repetition in new sessions."""
    (cost,) = measured(["tests.bench.sessions:all models"], ANY_MP, effort.repetitions)
    rows = [(name, seconds(median(found))) for name, found in cost.parts.items()]
    return Table(
        title="Sessions: from the file to a model that can be used",
        columns=("model", "wall s"),
        rows=(*rows, ("all together", seconds(cost.wall_s))),
        notes=("Read, checked against its checksum, built by onnxruntime, checked against its contract.",),
        raw=(cost.raw(),),
    )


def prepare(name: str, data: bytes) -> "Opening":
    """What is to be timed."""
    return Opening()


class Opening:
    """Opens every default model anew, and tells the seconds of each."""

    def __call__(self) -> dict[str, float]:
        bench = build_local_runner(Settings(), processors())
        assert isinstance(bench.model_registry, Registry)
        told: dict[str, float] = {}
        for entry in bench.model_registry.entries:
            if entry.default:
                begun = time.perf_counter()
                bench.models.open(entry.stage, entry.ref.id)
                told[entry.ref.id] = time.perf_counter() - begun
        return told
