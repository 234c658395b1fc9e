"""How fast is it, and how much memory does it need?

    python -m tests.bench                      every bench, a few minutes on a quiet machine
    python -m tests.bench stages events        some of them
    python -m tests.bench --json figures.json  keep every single figure as well
    python -m tests.bench --small              tiny pictures, once each: shows that the benches run, and nothing else

Each figure stands beside a named alternative that was measured in the same run; it is the median of several
repetitions after a warm-up.
"""

import argparse
import json
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from tests.bench.effort import Effort
from tests.bench.machine import describe_machine
from tests.bench.table import Table, as_json

NAMES = (
    "stages",
    "networks",
    "sessions",
    "pipeline",
    "memory",
    "events",
    "startup",
    "throughput",
    "api",
    "sweep",
    "growth",
)


class _Bench(Protocol):
    """What every module of `NAMES` offers."""

    def run(self, effort: Effort) -> Table: ...


def main(arguments: list[str] | None = None) -> None:
    """Run the benches that are named, all of them if none is."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Print the speed figures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all if none is given")
    parser.add_argument("--repetitions", type=int, help="how often each thing is measured")
    parser.add_argument("--small", action="store_true", help="tiny pictures, once each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where every single figure is kept")
    told = parser.parse_args(arguments)
    if unknown := set(told.names) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    effort = Effort.small() if told.small else Effort()
    if told.repetitions is not None:
        effort = effort.repeated(told.repetitions)
    _run(told.names or NAMES, effort, told.json)


def _run(names: list[str] | tuple[str, ...], effort: Effort, kept: Path | None) -> None:
    machine = describe_machine()
    print(machine)
    figures: dict[str, object] = {"machine": machine, "begun_at": datetime.now(UTC).isoformat(timespec="seconds")}
    for name in names:
        table = cast(_Bench, import_module(f"tests.bench.{name}")).run(effort)
        print(f"\n{table}", flush=True)
        figures[name] = as_json(table)
        if kept is not None:
            kept.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
