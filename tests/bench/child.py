"""The process in which a piece of work is measured: `python -m tests.bench.child MODULE:NAME FILE`.

It does the work once for each line of standard input, and answers each time with a line of JSON. It imports nothing
but what the work itself needs, so that its peak of memory is the work's own. Linux only.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

Act = Callable[[], dict[str, float] | None]


def main() -> None:
    """Say what memory is held before the work, then work until standard input ends."""
    work, file = sys.argv[1:]
    module, _, name = work.partition(":")
    act = import_module(module).prepare(name, Path(file).read_bytes())
    _answer({"before_mb": memory_mb("VmRSS")})
    for _ in sys.stdin:
        _answer({**_timed(act), "peak_mb": memory_mb("VmHWM")})


def _answer(told: dict[str, object]) -> None:
    print(json.dumps(told), flush=True)


def _timed(act: Act) -> dict[str, object]:
    wall, cpu = time.perf_counter(), time.process_time()
    parts = act()
    return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "parts": parts or {}}


def memory_mb(field: str) -> float:
    """See proc(5). Not getrusage: that counts what the parent held before it became this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    main()
