"""Nothing that a person or a deliverer waits for takes more work because there is more around it.

The work is counted in instructions of SQLite's virtual machine, at two sizes.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from darkroom.adapters.local.broker import LocalBroker
from darkroom.adapters.local.database import FILE_NAME, KEPT_FREE_PAGES
from darkroom.adapters.local.jobs import LocalJobStore
from darkroom.adapters.local.objects import LocalObjectStore
from darkroom.domain.envelope import STEPS_DONE
from darkroom.domain.job import Job
from darkroom.runtime.ports import JobQuery, NewObject
from tests.contract.jobs import START, make_job
from tests.fakes.memory import ManualClock
from tests.growth import sqlite_steps

FEW, MANY = 100, 1000
#: B-trees grow by a level now and then; a scan would be ten times as much.
SLACK = 1.3
CONTENT = NewObject(data=b"x", content_type="text/plain")


def _job(number: int) -> Job:
    """Every tenth is Anna's, and waits for a review; all have one label and belong to one batch."""
    rare = number % 10 == 0
    return make_job(
        f"{number * 2654435761 % 2**32:08x}{number:016x}",
        minutes=number,
        owner="anna" if rare else "ben",
        status="completed",
        qc_status="needs_review" if rare else "auto_approved",
        labels={"sku_id": "s"},
        batches=("b",),
    )


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[int, LocalJobStore]:
    made = {}
    for size in (FEW, MANY):
        made[size] = LocalJobStore(tmp_path_factory.mktemp("jobs") / str(size))
        for number in range(size):
            made[size].create(_job(number))
    return made


def _same_at_both_sizes(
    stores: dict[int, LocalJobStore], work: Callable[[LocalJobStore], object], *, least: int = 0
) -> None:
    few, many = (sqlite_steps(stores[size], lambda store=stores[size]: work(store)) for size in (FEW, MANY))
    assert least <= few
    assert many <= SLACK * few, f"{few} steps among {FEW} jobs, {many} among {MANY}"


PAGES = (
    JobQuery(limit=5),
    JobQuery(limit=5, status="completed"),
    JobQuery(limit=5, qc_status="needs_review"),
    JobQuery(limit=5, status="completed", qc_status="needs_review"),
    JobQuery(limit=5, owner="anna"),
    JobQuery(limit=5, owner="anna", status="completed"),
    JobQuery(limit=5, owner="anna", qc_status="needs_review"),
    JobQuery(limit=5, owner="anna", status="failed"),
    JobQuery(limit=5, owner="anna", qc_status="rejected"),
    JobQuery(limit=5, status="pending", qc_status="auto_approved"),
    JobQuery(limit=5, label=("sku_id", "s")),
    JobQuery(limit=5, label=("sku_id", "s"), owner="anna"),
    JobQuery(limit=5, batch="b"),
    JobQuery(limit=5, batch="b", status="failed"),
    JobQuery(limit=5, status="processing", updated_before=START.replace(year=2030)),
    JobQuery(limit=5, label=("sku_id", "s"), updated_before=START.replace(year=2030)),
    JobQuery(limit=5, expires_before=START),
)


@pytest.mark.parametrize("query", PAGES, ids=repr)
def test_a_page_of_jobs_takes_the_same_however_many_there_are(
    stores: dict[int, LocalJobStore], query: JobQuery
) -> None:
    _same_at_both_sizes(stores, lambda store: store.query(query))


COUNTS = (
    JobQuery(),
    JobQuery(status="completed"),
    JobQuery(status="completed", qc_status="needs_review"),
    JobQuery(owner="anna"),
    JobQuery(owner="anna", status="completed"),
    JobQuery(owner="anna", status="completed", qc_status="needs_review"),
    JobQuery(batch="b"),
    JobQuery(batch="b", status="completed"),
)


@pytest.mark.parametrize("query", COUNTS, ids=repr)
def test_a_count_takes_the_same_however_many_jobs_there_are(stores: dict[int, LocalJobStore], query: JobQuery) -> None:
    _same_at_both_sizes(stores, lambda store: store.count(query))
    assert stores[MANY].count(query) == (MANY // 10 if query.owner or query.qc_status else MANY)


def test_every_page_of_a_label_takes_the_same(stores: dict[int, LocalJobStore]) -> None:
    def steps(store: LocalJobStore) -> Iterator[int]:
        query = JobQuery(limit=50, label=("sku_id", "s"), updated_before=START.replace(year=2030))
        while True:
            yield sqlite_steps(store, lambda asked=query: store.query(asked))
            page = store.query(query)
            if page.next_cursor is None:
                return
            query = replace(query, cursor=page.next_cursor)

    few, many = (list(steps(stores[size])) for size in (FEW, MANY))
    assert (len(few), len(many)) == (FEW // 50, MANY // 50)
    assert max(many) <= SLACK * max(few)


def test_a_job_is_found_by_its_first_digits_without_looking_at_others(stores: dict[int, LocalJobStore]) -> None:
    wanted = _job(FEW // 2)
    _same_at_both_sizes(stores, lambda store: store.with_prefix(wanted.short_id, 4))
    assert stores[MANY].with_prefix(wanted.short_id, 4) == stores[FEW].with_prefix(wanted.short_id, 4)


def test_counting_what_was_refused_reads_none_of_it(tmp_path: Path) -> None:
    taken = []
    for size in (FEW, MANY):
        store = LocalJobStore(tmp_path / str(size))
        for number in range(size):
            store.tally("refused b", f"{number:06d}")
        taken.append(sqlite_steps(store, lambda store=store: store.tallied("refused b")))
        assert store.tallied("refused b") == size
    assert taken[0] == taken[1]


def test_listing_by_prefix_reads_the_objects_of_the_prefix_only(tmp_path: Path) -> None:
    taken = []
    for size in (FEW, MANY):
        store = LocalObjectStore(tmp_path / str(size))
        for number in range(size):
            store.create("artifacts", f"{number:04d}/00-assess.json", CONTENT)
        taken.append(sqlite_steps(store, lambda store=store: list(store.list("artifacts", "0007/"))))
        assert [info.ref.name for info in store.list("artifacts", "0007/")] == ["0007/00-assess.json"]
    assert taken[1] <= SLACK * taken[0]


def test_results_whose_files_were_deleted_take_no_rows_after_the_next_start(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    for number in range(FEW):
        store.create("results", f"{number}/result.jpg", CONTENT)
    kept, *deleted = store.list("results")
    for info in deleted:
        (tmp_path / "results" / info.ref.name).unlink()
    assert store.forget_missing("results") == len(deleted)
    assert store.forget_missing("results") == 0
    assert list(store.list("results")) == [kept]
    assert sqlite_steps(store, lambda: list(store.list("results"))) < FEW


def test_no_row_is_removed_while_the_folder_of_results_is_not_there(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    info = store.create("results", "result.jpg", CONTENT)
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    assert store.forget_missing("results") == 0
    (tmp_path / "results").mkdir()
    assert store.forget_missing("results") == 0
    (tmp_path / "results").rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / "results")
    assert store.read(info.ref) == CONTENT.data


def _queue(root: Path, clock: ManualClock, size: int) -> LocalBroker:
    """So many messages in backoff, and one that can be leased."""
    broker = LocalBroker(root / str(size), clock=clock)
    for _ in range(size):
        broker.publish("imports", b"row", {})
    for delivery in broker.lease(clock.now(), limit=size):
        broker.nack(delivery, clock.now())
    broker.publish("imports", b"ready", {})
    return broker


def test_messages_in_backoff_are_not_looked_at(tmp_path: Path) -> None:
    taken = []
    for size in (FEW, MANY):
        clock = ManualClock()
        broker = _queue(tmp_path, clock, size)
        taken.append(
            sqlite_steps(
                broker,
                lambda broker=broker, clock=clock: (
                    broker.lease(clock.now()),
                    broker.lease(clock.now()),
                    broker.next_due(clock.now()),
                ),
            )
        )
    assert taken[1] <= SLACK * taken[0]


def test_a_long_queue_costs_its_first_message_no_more(tmp_path: Path) -> None:
    taken = []
    for size in (FEW, MANY):
        clock = ManualClock()
        broker = LocalBroker(tmp_path / str(size), clock=clock)
        for number in range(size):
            broker.publish("stage-assess", b"x", {STEPS_DONE: str(number % 7)})
        taken.append(sqlite_steps(broker, lambda broker=broker, clock=clock: broker.lease(clock.now())))
    assert taken[1] <= SLACK * taken[0]


def test_what_purged_jobs_took_is_given_back_to_the_disk(tmp_path: Path) -> None:
    store = LocalJobStore(tmp_path)
    jobs = [store.create(make_job(f"job-{number}", display_name="n" * 20_000)) for number in range(500)]
    store.close()
    full = (tmp_path / FILE_NAME).stat().st_size
    for job in jobs:
        store.delete(job.id)
    store.close()
    assert full > 2 * KEPT_FREE_PAGES * 4096
    assert (tmp_path / FILE_NAME).stat().st_size <= 1.1 * KEPT_FREE_PAGES * 4096
