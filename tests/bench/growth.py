"""What one look costs among few and among many, in processor time of the process on the local backend."""

import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from darkroom.adapters.local.broker import LocalBroker
from darkroom.adapters.local.jobs import LocalJobStore
from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.cli.support.errors import Interrupted
from darkroom.cli.support.service import Service, find_job
from darkroom.cli.support.wait import wait_for
from darkroom.domain.job import Job
from darkroom.domain.products.batches import Batch, Refusal, RowTotals
from darkroom.handlers.batches import progress_of, record_refusal
from darkroom.runtime.ports import JobQuery, NewObject
from darkroom.runtime.system import System
from tests.bench.effort import Effort
from tests.bench.table import Raw, Table, median
from tests.contract.jobs import START, make_job
from tests.fakes.memory import ManualClock
from tests.world import memory_world

_LATER = START + timedelta(days=365)
_ID = "b" * 24
#: A folder of 20,000 objects takes minutes to make.
_MOST_OBJECTS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    what: str
    #: Makes so many, and returns the look.
    prepare: Callable[[Path, int], Callable[[], object]]


def run(effort: Effort) -> Table:
    """Prepare each case at both sizes, and look."""
    sizes = effort.growth
    rows: list[tuple[str, ...]] = []
    raw: list[Raw] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(_CASES):
            taken = [_ms(case.prepare(Path(folder) / f"{number}-{size}", size), effort.repetitions) for size in sizes]
            rows.append((case.what, *(f"{value:.2f}" for value in taken)))
            raw.append({"what": case.what, "sizes": list(sizes), "cpu_ms": taken})
    columns = ("one look", *(f"among {size:,}, ms" for size in sizes))
    return Table(title="Growth", columns=columns, rows=tuple(rows), raw=tuple(raw))


def _ms(look: Callable[[], object], repetitions: int) -> float:
    taken = []
    for _ in range(max(repetitions, 1)):
        begun = time.process_time()
        look()
        taken.append(1000.0 * (time.process_time() - begun))
    return median(taken)


def _job(number: int) -> Job:
    return make_job(
        f"{number * 2654435761 % 2**32:08x}{number:016x}",
        minutes=number % 500_000,
        owner="anna" if number % 10 else "ben",
        status="completed",
        qc_status="auto_approved" if number % 10 else "needs_review",
        labels={"sku_id": "s"},
        batches=(_ID,),
    )


def _jobs(root: Path, size: int) -> LocalJobStore:
    """Jobs that several cases look at."""
    store = LocalJobStore(root.parent / f"jobs-{size}")
    for number in range(store.count(JobQuery()), size):
        store.create(_job(number))
    return store


def _system(jobs: LocalJobStore) -> System:
    return replace(memory_world().system, jobs=jobs)


def _page_of_owner(root: Path, size: int) -> Callable[[], object]:
    jobs = _jobs(root, size)
    return lambda: jobs.query(JobQuery(owner="ben", limit=20))


def _counts(root: Path, size: int) -> Callable[[], object]:
    jobs = _jobs(root, size)
    return lambda: [
        jobs.count(JobQuery(owner=owner, status=status))
        for owner in (None, "ben")
        for status in ("completed", "failed")
    ]


def _page_of_label(root: Path, size: int) -> Callable[[], object]:
    jobs = _jobs(root, size)
    return lambda: jobs.query(JobQuery(label=("sku_id", "s"), updated_before=_LATER, limit=200))


def _short_id(root: Path, size: int) -> Callable[[], object]:
    system, wanted = _system(_jobs(root, size)), _job(size // 2)
    return lambda: find_job(system, wanted.short_id)


def _look_while_waiting(root: Path, size: int) -> Callable[[], object]:
    jobs = LocalJobStore(root)
    ids = [jobs.create(make_job(f"{number:024x}", minutes=-1_000_000)).id for number in range(size)]
    looks = 0

    def pause(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks % 10 == 0:
            raise KeyboardInterrupt

    def ten_looks() -> None:
        with suppress(Interrupted):
            wait_for(Service(system=_system(jobs), pause=pause), ids, timeout_s=None)

    return ten_looks


def _lease_beside_backoff(root: Path, size: int) -> Callable[[], object]:
    clock = ManualClock()
    broker = LocalBroker(root, clock=clock)
    for _ in range(size):
        broker.publish("imports", b"row", {})
    for delivery in broker.lease(clock.now(), limit=size):
        broker.nack(delivery, clock.now())
    return lambda: (broker.lease(clock.now()), broker.next_due(clock.now()))


def _list_by_prefix(root: Path, size: int) -> Callable[[], object]:
    objects = LocalObjectStore(root)
    for number in range(min(size, _MOST_OBJECTS)):
        objects.create("artifacts", f"{number:06d}/a.json", NewObject(data=b"x", content_type="text/plain"))
    return lambda: list(objects.list("artifacts", "000003/"))


def _view_of_batch(root: Path, size: int) -> Callable[[], object]:
    world = memory_world()
    system = replace(world.system, jobs=LocalJobStore(root))
    totals = RowTotals(accepted=size, duplicates=0, rejected=0)
    batch = Batch(id=_ID, kind="import", owner="anna", created_at=START, rows=totals)
    for number in range(size):
        record_refusal(system, _ID, Refusal(what=str(number), code="url_failed", message="404"))
    return lambda: progress_of(system, batch)


_CASES = (
    _Case(what="a page of one owner's jobs", prepare=_page_of_owner),
    _Case(what="four counts", prepare=_counts),
    _Case(what="a page of a batch by label", prepare=_page_of_label),
    _Case(what="`show` by a short id", prepare=_short_id),
    _Case(what="ten looks of `submit --wait`, the first at every job", prepare=_look_while_waiting),
    _Case(what="a lease beside messages in backoff", prepare=_lease_beside_backoff),
    _Case(what=f"a listing by prefix, at most {_MOST_OBJECTS:,} objects", prepare=_list_by_prefix),
    _Case(what="a view of a batch of refused rows", prepare=_view_of_batch),
)
