"""Measures the time and the memory of each step: `python -m infra.simulation.measure`.

It writes `shared/darkroom/costs/figures.json`.

Every stage with each of its methods, on the bench's photograph of 1 megapixel, in a separate process. Seconds are
processor seconds of all threads: unlike the wall clock's, they hardly depend on what else runs on the machine.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.cost import measured
from tests.bench.machine import describe_machine
from tests.bench.ours import methods

FILE = Path(__file__).resolve().parents[2] / "shared" / "darkroom" / "costs" / "figures.json"
MEGAPIXELS = 1.0
REPETITIONS = 5


def widest_instructions(cpuinfo: str) -> str:
    """What the seconds of a network depend on most."""
    known = {"avx512_vnni": "AVX-512 with VNNI", "avx512f": "AVX-512", "avx2": "AVX2"}
    return next((name for flag, name in known.items() if flag in cpuinfo.split()), "none of AVX2 and AVX-512")


def main() -> None:
    steps: dict[str, dict[str, float]] = {}
    for stage, method in methods():
        (cost,) = measured([f"infra.simulation.step:{stage}/{method}"], MEGAPIXELS, REPETITIONS)
        steps[f"{stage}/{method}"] = {
            "cpu_s": round(cost.cpu_s, 3),
            "fastest_wall_s": round(min(cost.walls_s), 3),
            "first_s": round(cost.first_s, 3),
            "peak_mb": round(cost.peak_mb),
        }
        sys.stdout.write(f"{stage}/{method}: {steps[f'{stage}/{method}']}\n")
        sys.stdout.flush()
    figures = {
        "command": "python -m infra.simulation.measure",
        "measured_at": datetime.now(UTC).date().isoformat(),
        "machine": describe_machine(),
        "instructions": widest_instructions(Path("/proc/cpuinfo").read_text(encoding="ascii")),
        "megapixels": MEGAPIXELS,
        "steps": steps,
    }
    FILE.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
