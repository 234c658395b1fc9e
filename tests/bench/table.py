"""How are figures shown?"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

#: What is kept of one row: its numbers, and the single measurements behind them.
Raw = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The outcome of one bench; printed in Markdown."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    #: Sentences below the table.
    notes: tuple[str, ...] = ()
    raw: tuple[Raw, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        widths = [max(len(row[column]) for row in (self.columns, *self.rows)) for column in range(len(self.columns))]
        ruler = "|".join("-" * (width + 2) for width in widths)
        lines = [_line(self.columns, widths), f"|{ruler}|", *(_line(row, widths) for row in self.rows)]
        return "\n".join([f"## {self.title}", "", *lines, *(f"\n{note}" for note in self.notes)])


def as_json(table: Table) -> Raw:
    """Everything that `--json` keeps of a table."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return {"title": table.title, "rows": rows, "notes": list(table.notes), "raw": list(table.raw)}


def median(values: Iterable[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def seconds(value: float) -> str:
    """Three significant digits down to a millisecond."""
    return f"{value:.2f}" if value >= 1.0 else f"{value:.3f}"


def ratio(ours: float, theirs: float) -> str:
    """How many times as much."""
    return f"{ours / theirs:.2f}×" if ours < 10.0 * theirs else f"{ours / theirs:.0f}×"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"
