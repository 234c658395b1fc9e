"""The memory and the processor time of a purge, over the number of expired jobs.

`python -m tests.bench.sweep JOBS [whole]` measures one number of jobs, in a process of its own. Linux only.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from darkroom.adapters.local.jobs import LocalJobStore, write_job
from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.domain.job import Job, job_id
from darkroom.handlers.schedule import sweep
from darkroom.runtime.ports import JobQuery
from tests.bench.child import memory_mb
from tests.bench.effort import Effort
from tests.bench.table import Raw, Table, ratio, seconds
from tests.photographs import small_jpeg
from tests.world import World, assemble, memory_world

#: Time budget of the measured sweep, in seconds; longer than any sweep takes.
_UNLIMITED_S = 1e6


def run(effort: Effort) -> Table:
    """Measure a purge of each size, and of the middle size also with all jobs in memory at once."""
    sizes = effort.expired_jobs
    compared = sizes[len(sizes) // 2]
    whole = _measured(compared, "whole")
    figures = [_measured(size) for size in sizes]
    rows = [*(_row("page by page", each, whole) for each in figures), _row("all jobs at once", whole, whole)]
    return Table(
        title="Sweep: purging expired jobs on the local backend",
        columns=(
            "jobs are read",
            "jobs",
            "kB a job",
            "MB before",
            "MB more at the peak",
            f"of all {compared:,} at once",
            "CPU s",
        ),
        rows=tuple(rows),
        notes=("Resident memory of a process that holds the modules of the whole service.",),
        raw=(*figures, whole),
    )


def _row(what: str, figures: Raw, whole: Raw) -> tuple[str, ...]:
    more, most = float(str(figures["more_mb"])), float(str(whole["more_mb"]))
    size, before, cpu = (float(str(figures[name])) for name in ("job_kb", "before_mb", "cpu_s"))
    return what, f"{figures['jobs']:,}", f"{size:.1f}", f"{before:.0f}", f"{more:.1f}", ratio(more, most), seconds(cpu)


def _measured(count: int, *how: str) -> Raw:
    command = [sys.executable, "-m", "tests.bench.sweep", str(count), *how]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: Raw = json.loads(finished.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Fill a store, purge it, and print the figures as JSON."""
    count, *how = sys.argv[1:]
    with TemporaryDirectory() as folder:
        print(json.dumps(_purged(int(count), Path(folder), whole=bool(how))))


def _purged(count: int, home: Path, *, whole: bool) -> Raw:
    job = _finished_job()
    world = memory_world()
    jobs = LocalJobStore(home)
    world = assemble(world.clock, world.broker, objects=LocalObjectStore(home, clock=world.clock), jobs=jobs)
    _fill(jobs, job, count)
    world.clock.advance(world.system.settings.retention_s + 1)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew, see proc(5)
    before, cpu = memory_mb("VmRSS"), time.process_time()
    kept = list(_all(world)) if whole else []
    assert sweep(world.system, budget_s=_UNLIMITED_S).purged == count
    return {
        "what": "all jobs at once" if kept else "page by page",
        "jobs": count,
        "job_kb": len(job.model_dump_json()) / 1000,
        "before_mb": before,
        "more_mb": memory_mb("VmHWM") - before,
        "cpu_s": time.process_time() - cpu,
    }


def _finished_job() -> Job:
    """A job as a photograph leaves it behind."""
    world = memory_world()
    created = world.drop("restore/cat.jpg", small_jpeg(64, noise=20))
    world.deliver_all()
    return world.job(created)


def _fill(jobs: LocalJobStore, job: Job, count: int) -> None:
    """Store copies of a job in one transaction: one commit instead of one a job."""
    with jobs._database.transaction() as connection:
        for number in range(count):
            ref = job.source.ref.model_copy(update={"name": f"restore/{number}.jpg"})
            copied = {
                "id": job_id(ref),
                "source": job.source.model_copy(update={"ref": ref}),
                "expires_at": job.expires_at - timedelta(milliseconds=number),
                "revision": 1,
            }
            write_job(connection, job.model_copy(update=copied))


def _all(world: World) -> Iterator[Job]:
    query = JobQuery(expires_before=world.clock.now())
    while True:
        page = world.system.jobs.query(query)
        yield from page.jobs
        if page.next_cursor is None:
            return
        query = replace(query, cursor=page.next_cursor)


if __name__ == "__main__":
    main()
