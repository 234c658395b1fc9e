"""How long does a restoration take in process, and what takes the time?"""

from tests.bench.alternatives import CHAIN
from tests.bench.cost import Cost, measured
from tests.bench.effort import Effort
from tests.bench.table import Table, median, ratio, seconds


def run(effort: Effort) -> Table:
    """Measure `restore`, JPEG in and JPEG out, by turns with a chain of bare OpenCV calls."""
    works = ("tests.bench.ours:restore", f"tests.bench.alternatives:{CHAIN}")
    ours, theirs = measured(works, effort.pipeline_mp, effort.repetitions)
    rows = [_row("restore", ours, theirs), *_shares(ours), _row(CHAIN, theirs, theirs)]
    return Table(
        title=f"Pipeline: restore in process, {effort.pipeline_mp:g} MP",
        columns=("what", "wall s", "CPU s", "peak MB", "time", "share"),
        rows=tuple(rows),
        notes=(f"The first run in a process takes {seconds(ours.first_s)} s: it imports libraries and opens models.",),
        raw=(ours.raw(), theirs.raw()),
    )


def _row(name: str, cost: Cost, beside: Cost) -> tuple[str, ...]:
    times = ratio(cost.wall_s, beside.wall_s)
    return name, seconds(cost.wall_s), seconds(cost.cpu_s), f"{cost.peak_mb:.0f}", times, ""


def _shares(cost: Cost) -> list[tuple[str, ...]]:
    """Each stage's part of the wall-clock time; the rest is decoding, planning and records."""
    parts = {name: median(values) for name, values in cost.parts.items()}
    parts["decoding, planning, records"] = max(0.0, cost.wall_s - sum(parts.values()))
    return [(f"· {name}", seconds(value), "", "", "", f"{value / cost.wall_s:.0%}") for name, value in parts.items()]
