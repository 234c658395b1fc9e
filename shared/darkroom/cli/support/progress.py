"""Reports the progress and the outcome of a batch.

Results on stdout: a line per file, or JSON. Everything else on stderr: a progress bar if that is a terminal, each
failure as it happens, and a line of sums.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from darkroom.cli.support.output_paths import LeftOut
from darkroom.cli.support.process_file import FileOutcome
from darkroom.cli.support.text import counted, duration, printable

if TYPE_CHECKING:  # imported where there is a terminal
    from rich.progress import Progress


def report(outcomes: Iterable[FileOutcome], *, total: int, as_json: bool, debug: bool, counts: Counter[str]) -> None:
    """Print every outcome when it arrives, and count it in `counts`. Failures go to stderr, also with JSON."""
    with _bar(total) as bar:
        for outcome in outcomes:
            counts[outcome.status] += 1
            if as_json:
                bar.result(json.dumps(outcome.to_json()))
            elif outcome.status == "done":
                bar.result(_line(outcome))
            if outcome.status == "failed":
                bar.failure(_failure(outcome, debug=debug))
            bar.advance()


def _failure(outcome: FileOutcome, *, debug: bool) -> str:
    line = f"{printable(outcome.source)}: {printable(outcome.error)}"
    return f"{outcome.traceback}{line}" if debug and outcome.traceback else line


def sums(counts: Counter[str], left_out: Sequence[LeftOut], started: float) -> str:
    """`12 done, 3 there already, 1 failed, 12.3 s`, and what in the folders was not worked on."""
    said = [f"{counts['done']} done"]
    if counts["skipped"]:
        said.append(f"{counts['skipped']} there already (--overwrite makes them again)")
    if counts["failed"]:
        said.append(f"{counts['failed']} failed")
    said.append(duration(time.perf_counter() - started))
    total = ", ".join(said)
    return f"{total}; {left_out_sentence(left_out)}" if left_out else total


def left_out_sentence(left_out: Sequence[LeftOut]) -> str:
    """`left out 2 files that are no pictures: a.txt, b.txt; 1 link to a folder: c`, with at most three names each."""
    kinds = (
        ("no picture", "file that is no picture", "files that are no pictures"),
        ("link to a folder", "link to a folder", "links to folders"),
        ("link to nothing", "link to nothing", "links to nothing"),
        ("neither file nor folder", "special file", "special files"),
    )
    groups = []
    for why, one, many in kinds:
        paths = [each.path for each in left_out if each.why == why]
        if paths:
            names = ", ".join(printable(path) for path in paths[:3]) + (", …" if len(paths) > 3 else "")
            groups.append(f"{counted(len(paths), one, many)}: {names}")
    return f"left out {'; '.join(groups)}"


def _line(outcome: FileOutcome) -> str:
    """`photos/a.jpg → out/a.jpg: denoise, finish; score 41.0 → 63.2; 0.85 s`."""
    said = [", ".join(outcome.stages), *(f"no {stage}: {reason}" for stage, reason in outcome.left_out)]
    if outcome.score_before is not None and outcome.score_after is not None:
        said.append(f"score {outcome.score_before:.1f} → {outcome.score_after:.1f}")
    said.append(duration(outcome.elapsed_s))
    said.extend(outcome.notes)
    said.extend(f"needs review: {message}" for _, message in outcome.review_reasons)
    return printable(f"{outcome.source} → {outcome.result}: {'; '.join(said)}")


class _Bar:
    """No bar: results go to stdout, failures to stderr."""

    def result(self, line: str) -> None:
        click.echo(line)

    def failure(self, line: str) -> None:
        click.echo(line, err=True)

    def advance(self) -> None:
        """Nothing moves."""


class _LiveBar(_Bar):
    """A bar at the bottom of the terminal; every line appears above it."""

    def __init__(self, progress: "Progress", total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total)

    def result(self, line: str) -> None:
        if sys.stdout.isatty():
            self.failure(line)
        else:  # a file or a pipe gets the line, and the terminal only the bar
            super().result(line)

    def failure(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def advance(self) -> None:
        self._progress.advance(self._task)


@contextmanager
def _bar(total: int) -> Iterator[_Bar]:
    """A bar with count and time left on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty() or total < 2:
        yield _Bar()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as progress:
        yield _LiveBar(progress, total)
