"""`python -m infra.simulation` prints the table of docs/cost.md and draws docs/images/scale.svg."""

import sys
from pathlib import Path

from infra.simulation.plot import draw
from infra.simulation.scenarios import CASES, bill, ladder, played, product_steps

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "scale.svg"
RUNGS = (10, 30, 100, 200, 300, 500, 700, 1000)


def main() -> None:
    steps = product_steps()
    sys.stdout.write("| pictures | limits | pictures a second | time | bottleneck | its busy share | cost, USD |\n")
    sys.stdout.write("|---|---|---|---|---|---|---|\n")
    for case in CASES:
        run = played(case, steps)
        sys.stdout.write(
            f"| {case.pictures:,} | {case.title} | {run.pictures / run.seconds:.0f} | {_duration(run.seconds)} "
            f"| {run.bottleneck} | {run.busy[run.bottleneck]:.0%} | {bill(case, steps).dollars:,.0f} |\n"
        )
        sys.stdout.flush()
    series = [(f"{pictures:,} pictures", list(ladder(steps, pictures, RUNGS))) for pictures in (5_000_000, 50_000)]
    PICTURE.write_text(draw(series), encoding="utf-8")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


if __name__ == "__main__":
    main()
