"""How much memory does a restoration need, and where?"""

from tests.bench.alternatives import CHAIN
from tests.bench.cost import measured
from tests.bench.effort import Effort
from tests.bench.table import Table, ratio


def run(effort: Effort) -> Table:
    """Measure the highest peak of repeated runs in a process, and the peak within each stage in another."""
    works = (
        "tests.bench.ours:restore",
        "tests.bench.ours:restore, stage by stage",
        f"tests.bench.alternatives:{CHAIN}",
    )
    ours, within, theirs = measured(works, effort.memory_mp, effort.repetitions)
    rows = [("restore", f"{ours.peak_mb:.0f}", ratio(ours.peak_mb, theirs.peak_mb))]
    rows += [(f"· {name}", f"{max(peaks):.0f}", "") for name, peaks in within.parts.items()]
    rows += [
        ("before the first picture", f"{ours.before_mb:.0f}", ""),
        (CHAIN, f"{theirs.peak_mb:.0f}", ratio(theirs.peak_mb, theirs.peak_mb)),
    ]
    return Table(
        title=f"Memory: restore in process, {effort.memory_mp:g} MP",
        columns=("what", "peak MB", "memory"),
        rows=tuple(rows),
        notes=("Resident memory of the whole process; the stages hold what those before them have left.",),
        raw=(ours.raw(), within.raw(), theirs.raw()),
    )
