"""How long does each stage take, and how much memory, with each of its methods?"""

from itertools import groupby

from tests.bench.alternatives import BESIDE
from tests.bench.cost import Cost, measured
from tests.bench.effort import Effort
from tests.bench.ours import methods
from tests.bench.table import Table, ratio, seconds

COLUMNS = ("stage", "method", "MP", "wall s", "CPU s", "peak MB", "alternative", "its s", "its MB", "time", "memory")


def run(effort: Effort) -> Table:
    """Measure the methods of each stage by turns with its alternative."""
    rows, raw = [], []
    for megapixels in effort.stages_mp:
        for stage, kinds in groupby(methods(), key=lambda kind: kind[0]):
            if stage in effort.stages:
                names = [method for _, method in kinds]
                works = [f"tests.bench.ours:{stage}/{name}" for name in names]
                costs = measured([*works, f"tests.bench.alternatives:{BESIDE[stage]}"], megapixels, effort.repetitions)
                rows += [(stage, name, *_cells(cost, costs[-1])) for name, cost in zip(names, costs, strict=False)]
                raw += [cost.raw() for cost in costs]
    return Table(
        title="Stages: one call in a process of its own",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=(
            "Peak: the whole process, interpreter and libraries included. `assess` decodes the JPEG and measures; "
            "`finish` smooths, sharpens and writes a JPEG; `upscale` doubles both sides.",
        ),
        raw=tuple(raw),
    )


def _cells(ours: Cost, theirs: Cost) -> tuple[str, ...]:
    return (
        f"{ours.megapixels:g}",
        seconds(ours.wall_s),
        seconds(ours.cpu_s),
        f"{ours.peak_mb:.0f}",
        theirs.work,
        seconds(theirs.wall_s),
        f"{theirs.peak_mb:.0f}",
        ratio(ours.wall_s, theirs.wall_s),
        ratio(ours.peak_mb, theirs.peak_mb),
    )
