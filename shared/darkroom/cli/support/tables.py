"""Prints tables: fitted to the window on a terminal, elsewhere one complete row a line for grep and awk."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from darkroom.cli.support.text import printable

#: Columns of a page without edges.
_ENDLESS = 100_000


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table."""
    on_terminal = sys.stdout.isatty()
    shown = Table(box=None, pad_edge=False, header_style="bold" if on_terminal else "none")
    for heading in headings:
        shown.add_column(heading, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))
    width = None if on_terminal else _ENDLESS
    console = Console(file=sys.stdout, width=width, highlight=False, soft_wrap=not on_terminal)
    console.print(shown)


def age(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h` or `5 d`."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def moment(when: datetime) -> str:
    """`2024-05-01 12:00:00Z`, whatever the zone of the machine."""
    return f"{when:%Y-%m-%d %H:%M:%S}Z"
