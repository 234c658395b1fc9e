"""What does a stage cost more on the event path than in process?"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from darkroom.domain.errors import JobNotFound
from darkroom.domain.job import FINAL, Job, job_id
from darkroom.local_cloud.cloud import LocalCloud
from darkroom.runtime.bootstrap import processors
from darkroom.runtime.ports import NewObject
from darkroom.runtime.settings import Settings
from tests.bench.effort import Effort
from tests.bench.inprocess import InProcess
from tests.bench.photograph import damaged_jpeg
from tests.bench.table import Table, median, ratio, seconds

WORKERS = 2
#: Jobs that are not counted; several, because each worker opens its models when it first needs them.
WARM_UP_JOBS = 4
TIMEOUT_S = 300.0
#: `auto` here makes the same repairs as `restore` and does not enlarge.
PRESETS = ("restore", "auto")
COLUMNS = (
    "MP",
    "preset",
    "steps",
    "in process s",
    "event path s",
    "time",
    "ms a step above",
    "pictures",
    "messages",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The same photograph in process and through the events, one right after the other."""

    in_process_s: float
    event_path_s: float
    #: Part of `event_path_s`: the stage functions' own account, from reading the input to having the output's bytes.
    in_stages_s: float
    steps: int

    @property
    def above_ms(self) -> float:
        """Milliseconds a step that the event path takes longer."""
        return 1000.0 * (self.event_path_s - self.in_process_s) / self.steps

    @property
    def pictures_ms(self) -> float:
        """The part of it that lies within the stages: pictures are read and decoded, encoded for the next one."""
        return 1000.0 * (self.in_stages_s - self.in_process_s) / self.steps

    @property
    def messages_ms(self) -> float:
        """The rest: objects written, messages published, delivered and acknowledged, the job moved on."""
        return 1000.0 * (self.event_path_s - self.in_stages_s) / self.steps


def run(effort: Effort) -> Table:
    """Measure one photograph at a time, in both ways by turns."""
    threads = max(1, processors() // WORKERS)
    kinds = [(megapixels, preset) for megapixels in effort.events_mp for preset in PRESETS]
    found = {kind: list(_pairs(*kind, effort.repetitions, threads)) for kind in kinds}
    return Table(
        title=f"Event path: through the local cloud with {WORKERS} workers, one photograph at a time",
        columns=COLUMNS,
        rows=tuple((f"{mp:g}", preset, *_row(pairs)) for (mp, preset), pairs in found.items()),
        notes=(
            f"Threads of a stage, in process as in a worker: {threads}. A step's part above in process is spent on "
            "pictures (read and decoded, encoded for the next stage) and on messages (objects written, messages "
            "published, delivered and acknowledged, the job moved on).",
        ),
        raw=tuple(
            {"megapixels": mp, "preset": preset, "pairs": [asdict(pair) for pair in pairs]}
            for (mp, preset), pairs in found.items()
        ),
    )


def _pairs(megapixels: float, preset: str, repetitions: int, threads: int) -> Iterator[Pair]:
    data = damaged_jpeg(megapixels)
    with (
        TemporaryDirectory() as home,
        InProcess(threads) as in_process,
        LocalCloud(Settings(home=Path(home)), workers=WORKERS) as cloud,
    ):
        in_process.develop(data, preset)
        for number in range(WARM_UP_JOBS):
            through(cloud, f"{preset}/warm-up-{number}.jpg", data)
        for number in range(repetitions):
            in_process_s = in_process.develop(data, preset)
            event_path_s, job = through(cloud, f"{preset}/{number}.jpg", data)
            in_stages_s = sum(record.elapsed_ms for record in job.records) / 1000.0
            yield Pair(
                in_process_s=in_process_s,
                event_path_s=event_path_s,
                in_stages_s=in_stages_s,
                steps=len(job.records),
            )


def through(cloud: LocalCloud, name: str, data: bytes) -> tuple[float, Job]:
    """Seconds from the upload to the end of the job, and the job."""
    begun = perf_counter()
    info = cloud.objects.put(cloud.settings.uploads_bucket, name, NewObject(data=data, content_type="image/jpeg"))
    id_ = job_id(info.ref)
    cloud.wait_until(lambda: _has_ended(cloud, id_), timeout_s=TIMEOUT_S)
    elapsed_s = perf_counter() - begun
    job = cloud.jobs.get(id_)
    if job.status != "completed":
        raise RuntimeError(f"{name} is {job.status}: {job.error}")
    return elapsed_s, job


def _has_ended(cloud: LocalCloud, id_: str) -> bool:
    try:
        return cloud.jobs.get(id_).status in FINAL
    except JobNotFound:
        return False


def _row(pairs: list[Pair]) -> tuple[str, ...]:
    in_process_s, event_path_s = median(it.in_process_s for it in pairs), median(it.event_path_s for it in pairs)
    cells = (str(pairs[0].steps), seconds(in_process_s), seconds(event_path_s))
    above = (median(it.above_ms for it in pairs), median(it.pictures_ms for it in pairs))
    messages_ms = median(it.messages_ms for it in pairs)
    return (*cells, ratio(event_path_s, in_process_s), *(f"{value:.0f}" for value in (*above, messages_ms)))
