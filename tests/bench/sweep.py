"""The memory of a purge, over the number of expired jobs.

`python -m tests.bench.sweep ADAPTER JOBS [whole]` measures one of them, in a process of its own. Linux only.
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

from darkroom.adapters.local.jobs import LocalJobStore
from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.domain.job import Job, job_id
from darkroom.handlers.schedule import sweep
from darkroom.runtime.ports import JobQuery, JobStore
from tests.bench.child import memory_mb
from tests.bench.effort import Effort
from tests.bench.table import Raw, Table, ratio, seconds
from tests.photographs import small_jpeg
from tests.world import World, assemble, memory_world

_UNLIMITED_S = 1e6


def run(effort: Effort) -> Table:
    """Measure each adapter at each size, and at the largest one the alternative: to read all jobs first."""
    rows: list[tuple[str, ...]] = []
    raw: list[Raw] = []
    for adapter in ("sqlite", "memory"):
        told = [_measured(adapter, count) for count in effort.expired_jobs]
        whole = _measured(adapter, effort.expired_jobs[-1], "whole")
        rows += [_row(adapter, each, whole) for each in told]
        rows.append(_row(f"{adapter}, all read first", whole, whole))
        raw += [*told, whole]
    return Table(
        title="Sweep: purging expired jobs",
        columns=("what", "jobs", "kB a job", "before MB", "more at the peak, MB", "of all read first", "CPU s"),
        rows=tuple(rows),
        notes=("Resident memory of a process; the memory adapter holds the jobs themselves, before the sweep.",),
        raw=tuple(raw),
    )


def _row(what: str, told: Raw, whole: Raw) -> tuple[str, ...]:
    more, most = float(str(told["more_mb"])), float(str(whole["more_mb"]))
    size, before, cpu = (float(str(told[name])) for name in ("job_kb", "before_mb", "cpu_s"))
    return what, str(told["jobs"]), f"{size:.0f}", f"{before:.0f}", f"{more:.1f}", ratio(more, most), seconds(cpu)


def _measured(adapter: str, count: int, *how: str) -> Raw:
    command = [sys.executable, "-m", "tests.bench.sweep", adapter, str(count), *how]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    told: Raw = json.loads(answer.stdout.splitlines()[-1])
    return told


def main() -> None:
    """Fill a store, purge it, and print what that took."""
    adapter, count, *how = sys.argv[1:]
    with TemporaryDirectory() as folder:
        print(json.dumps(_purged(adapter, int(count), Path(folder), whole=bool(how))))


def _purged(adapter: str, count: int, home: Path, *, whole: bool) -> Raw:
    job = _finished_job()
    world = _world(adapter, home)
    _fill(world.raw_jobs, job, count)
    world.clock.advance(world.system.settings.retention_s + 1)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew, see proc(5)
    before, cpu = memory_mb("VmRSS"), time.process_time()
    kept = list(_all(world.system.jobs, world)) if whole else []
    assert sweep(world.system, budget_s=_UNLIMITED_S).purged == count
    return {
        "what": f"{adapter} {'whole' if kept else 'streamed'}",
        "jobs": count,
        "job_kb": len(job.model_dump_json()) / 1000,
        "before_mb": before,
        "more_mb": memory_mb("VmHWM") - before,
        "cpu_s": time.process_time() - cpu,
    }


def _world(adapter: str, home: Path) -> World:
    world = memory_world()
    if adapter == "memory":
        return world
    objects, jobs = LocalObjectStore(home, clock=world.clock), LocalJobStore(home)
    return assemble(world.clock, world.broker, objects=objects, jobs=jobs)


def _finished_job() -> Job:
    """A job as a photograph leaves it behind."""
    world = memory_world()
    made = world.drop("restore/cat.jpg", small_jpeg(64, noise=20))
    world.deliver_all()
    return world.job(made)


def _fill(jobs: JobStore, job: Job, count: int) -> None:
    for n in range(count):
        ref = job.source.ref.model_copy(update={"name": f"restore/{n}.jpg"})
        source = job.source.model_copy(update={"ref": ref})
        expires_at = job.expires_at - timedelta(milliseconds=n)
        jobs.create(job.model_copy(update={"id": job_id(ref), "source": source, "expires_at": expires_at}))


def _all(jobs: JobStore, world: World) -> Iterator[Job]:
    query = JobQuery(expires_before=world.clock.now())
    while True:
        page = jobs.query(query)
        yield from page.jobs
        if page.next_cursor is None:
            return
        query = replace(query, cursor=page.next_cursor)


if __name__ == "__main__":
    main()
