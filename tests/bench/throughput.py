"""How many photographs an hour does this machine finish?"""

import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from darkroom.local_cloud.cloud import LocalCloud
from darkroom.runtime.ports import NewObject
from darkroom.runtime.settings import Settings
from tests.bench.cost import ROOT
from tests.bench.effort import Effort
from tests.bench.photograph import damaged_jpeg
from tests.bench.table import Table, median, ratio, seconds
from tests.e2e.service import all_jobs, ended

WORKERS = 2
#: A round takes a minute; more than so many tell nothing new.
MOST_ROUNDS = 3
TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The same photographs in both ways, one right after the other; seconds."""

    #: From nothing to the first worker that listens.
    cloud_start_s: float
    #: From the first upload to the end of the last job.
    cloud_s: float
    #: The whole command.
    run_s: float


def run(effort: Effort) -> Table:
    """Measure photographs that are all there at once, with two workers and with two processes."""
    data, count = damaged_jpeg(effort.throughput_mp), effort.photographs
    rounds = [_round(data, count) for _ in range(min(effort.repetitions, MOST_ROUNDS))]
    command_s = median(it.run_s for it in rounds)
    ways = {
        f"local cloud, {WORKERS} workers": median(it.cloud_s for it in rounds),
        "· with its start": median(it.cloud_start_s + it.cloud_s for it in rounds),
        f"darkroom run --jobs {WORKERS}, whole command": command_s,
    }
    return Table(
        title=f"Throughput: {count} photographs of {effort.throughput_mp:g} MP, preset restore",
        columns=("way", "seconds", "jobs a minute", "time"),
        rows=tuple((way, seconds(s), f"{60.0 * count / s:.0f}", ratio(s, command_s)) for way, s in ways.items()),
        raw=tuple(asdict(it) for it in rounds),
    )


def _round(data: bytes, count: int) -> Round:
    with TemporaryDirectory() as folder:
        start_s, cloud_s = _through_the_cloud(Path(folder) / "home", data, count)
        return Round(cloud_start_s=start_s, cloud_s=cloud_s, run_s=_by_command(Path(folder), data, count))


def _through_the_cloud(home: Path, data: bytes, count: int) -> tuple[float, float]:
    begun = perf_counter()
    with LocalCloud(Settings(home=home), workers=WORKERS) as cloud:
        ready = perf_counter()
        for number in range(count):
            cloud.objects.put("uploads", f"restore/{number}.jpg", NewObject(data=data, content_type="image/jpeg"))
        cloud.wait_until(lambda: ended(cloud.parts, count), timeout_s=TIMEOUT_S)
        done = perf_counter()
        states = {job.status for job in all_jobs(cloud.parts)}
    if states != {"completed"}:
        raise RuntimeError(f"the jobs are {sorted(states)}")
    return ready - begun, done - ready


def _by_command(folder: Path, data: bytes, count: int) -> float:
    photographs, results = folder / "photographs", folder / "restored"
    photographs.mkdir()
    for number in range(count):
        (photographs / f"{number}.jpg").write_bytes(data)
    told = [str(photographs), "-o", str(results), "--preset", "restore", "--jobs", str(WORKERS)]
    begun = perf_counter()
    subprocess.run([sys.executable, "-m", "darkroom", "run", *told], cwd=ROOT, check=True, capture_output=True)
    elapsed_s = perf_counter() - begun
    if (made := len(list(results.iterdir()))) != count:
        raise RuntimeError(f"darkroom run made {made} results of {count}")
    return elapsed_s
