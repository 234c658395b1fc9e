"""`python -m infra.staging [TARGET]` stages every function and prints what became of it."""

import sys
from pathlib import Path

from infra.staging.stage import Staged, stage_all

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build"
    sys.stdout.write(f"{'function':<15}{'code kB':>9}{'models kB':>11}{'zip kB':>8}{'packages':>10}  archive\n")
    for each in stage_all(ROOT, target):
        sys.stdout.write(_line(each))


def _line(each: Staged) -> str:
    sizes = f"{each.code_bytes / 1e3:>9.0f}{each.model_bytes / 1e3:>11.0f}{each.archive_bytes / 1e3:>8.0f}"
    return f"{each.function:<15}{sizes}{len(each.requirements):>10}  {each.archive.name}\n"


if __name__ == "__main__":
    main()
