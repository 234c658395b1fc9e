"""Prints the progress of jobs.

Every line of the job's history is printed once, as it comes. On a terminal, jobs under way have one line each, which
changes in place, and only the end of a job stays.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from darkroom.cli.support.text import printable
from darkroom.domain.history import entries_since, occurrences
from darkroom.domain.job import FINAL, Job

#: Most jobs that are shown at a time; more would scroll out of sight.
MAX_LIVE = 12
_MARKS = {"completed": ("done", "bold green"), "failed": ("failed", "bold red"), "cancelled": ("cancelled", "yellow")}


class JobLines:
    """Shows jobs; use it in a `with` statement."""

    def __init__(self, console: Console, result_path: Callable[[Job], str]) -> None:
        self._console = console
        self._result_path = result_path
        #: Lines of history that were shown, by job.
        self._shown: dict[str, int] = {}
        self._live_jobs: dict[str, Job] = {}
        self._live = Live(console=console, get_renderable=self._table, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self, job: Job) -> None:
        """Show what is new about a job."""
        seen, self._shown[job.id] = self._shown.get(job.id, 0), occurrences(job.history)
        new = entries_since(job.history, seen)
        if not self._console.is_terminal:
            for entry in new:
                self._print(Text(f"{printable(job.display_name)}: {entry.action}: {printable(entry.text)}"))
        if job.status not in FINAL:
            self._live_jobs[job.id] = job
        elif self._live_jobs.pop(job.id, None) or new:
            self._print(self._end(job))
        if self._console.is_terminal:
            self._live.refresh()

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    def _end(self, job: Job) -> Text:
        word, style = _MARKS[job.status]
        line = Text.assemble((f"{word:<10}", style), (printable(job.source.ref.name), "bold"), "  ")
        if job.status == "completed":
            line.append(f"score {_scores(job)}, {job.qc_status}\n{'':<10}→ {self._result_path(job)}")
        elif job.error:
            line.append(printable(f"{job.error.code}: {job.error.message}"))
        return line

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        jobs = list(self._live_jobs.values())
        for job in jobs[:MAX_LIVE]:
            table.add_row(Text(_standing(job), style="cyan"), Text(printable(job.source.ref.name)))
        if len(jobs) > MAX_LIVE:
            table.add_row("", f"… and {len(jobs) - MAX_LIVE} more")
        return table


def _standing(job: Job) -> str:
    """The current step of a job, `denoise 2/6`; without the total before the job has a plan."""
    index = len(job.records)
    if index >= len(job.plan):
        return job.status
    of = f" {index + 1}/{len(job.plan)}" if index else ""
    return f"{job.plan[index].stage}{of}"


def _scores(job: Job) -> str:
    scores = [f"{report.score:.1f}" for report in (job.before, job.after) if report]
    return " → ".join(scores)
