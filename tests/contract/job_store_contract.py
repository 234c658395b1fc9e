"""What every `darkroom.runtime.ports.JobStore` promises. An adapter inherits the suite and gives `store`."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from darkroom.domain.errors import BadMessage, JobExists, JobNotFound, RevisionConflict
from darkroom.domain.job import Job
from darkroom.runtime.ports import JobQuery, JobStore
from tests.contract.jobs import START, make_job
from tests.fakes.memory import MemoryJobStore

WRITERS = 8
SAVES = 25


def everything(store: JobStore, query: JobQuery) -> list[Job]:
    """The jobs of all pages."""
    return [job for page in pages(store, query) for job in page]


def pages(store: JobStore, query: JobQuery) -> list[tuple[Job, ...]]:
    found = []
    while True:
        page = store.query(query)
        found.append(page.jobs)
        if page.next_cursor is None:
            return found
        query = replace(query, cursor=page.next_cursor)


def ids(jobs: list[Job]) -> list[str]:
    return [job.id for job in jobs]


class JobStoreContract:
    def test_a_created_job_has_revision_1_and_comes_back_equal(self, store: JobStore) -> None:
        job = make_job(labels={"sku": "Ä-1", "empty": ""}, owner="me").noted(START, "created", "„quoted“ \n 写真")
        created = store.create(job)
        assert created == job.model_copy(update={"revision": 1})
        assert store.get(job.id) == created

    def test_creating_a_job_a_second_time_raises_and_changes_nothing(self, store: JobStore) -> None:
        first = store.create(make_job(owner="first"))
        with pytest.raises(JobExists, match="job-1"):
            store.create(make_job(owner="second"))
        assert store.get("job-1") == first

    def test_of_sixteen_threads_that_create_one_job_exactly_one_succeeds(self, store: JobStore) -> None:
        def create(number: int) -> Job | None:
            try:
                return store.create(make_job(owner=f"owner-{number}"))
            except JobExists:
                return None

        with ThreadPoolExecutor(16) as pool:
            winners = [job for job in pool.map(create, range(16)) if job is not None]
        assert winners == [store.get("job-1")]

    @pytest.mark.parametrize("job_id", ["absent", "", "a/b", ".", "..", "__x__"])
    def test_a_job_that_is_not_there_is_not_found(self, store: JobStore, job_id: str) -> None:
        store.create(make_job())
        with pytest.raises(JobNotFound):
            store.get(job_id)

    def test_saving_stores_the_next_revision(self, store: JobStore) -> None:
        job = store.create(make_job())
        for revision in (2, 3, 4):
            job = store.save(job.noted(START, "changed", f"to {revision}"))
            assert (job.revision, store.get(job.id)) == (revision, job)
        assert [entry.text for entry in job.history] == ["to 2", "to 3", "to 4"]

    def test_saving_an_old_revision_raises_and_changes_nothing(self, store: JobStore) -> None:
        old = store.create(make_job())
        saved = store.save(old.noted(START, "changed", "by somebody"))
        with pytest.raises(RevisionConflict, match="job-1"):
            store.save(old.noted(START, "changed", "by us"))
        with pytest.raises(RevisionConflict):
            store.save(saved.model_copy(update={"revision": saved.revision + 1}))
        assert store.get(old.id) == saved

    def test_saving_a_job_that_is_gone_raises(self, store: JobStore) -> None:
        job = store.create(make_job())
        store.delete(job.id)
        with pytest.raises(JobNotFound):
            store.save(job)
        with pytest.raises(JobNotFound):
            store.get(job.id)

    def test_no_update_is_lost_when_eight_writers_save_in_loops(self, store: JobStore) -> None:
        store.create(make_job())
        barrier = threading.Barrier(WRITERS)

        def write(writer: int) -> None:
            barrier.wait(timeout=60)
            for number in range(SAVES):
                self._save(store, f"{writer}/{number}")

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, range(WRITERS)))
        job = store.get("job-1")
        assert sorted(entry.text for entry in job.history) == sorted(
            f"{writer}/{number}" for writer in range(WRITERS) for number in range(SAVES)
        )
        assert job.revision == 1 + WRITERS * SAVES

    @staticmethod
    def _save(store: JobStore, text: str) -> None:
        while True:
            try:
                store.save(store.get("job-1").noted(START, "saved", text))
                return
            except RevisionConflict:
                continue

    def test_a_deleted_job_is_gone_and_can_be_deleted_again(self, store: JobStore) -> None:
        store.create(make_job(labels={"sku": "1"}))
        for _ in range(2):
            store.delete("job-1")
            with pytest.raises(JobNotFound):
                store.get("job-1")
        assert everything(store, JobQuery(label=("sku", "1"))) == []
        assert store.create(make_job()).revision == 1

    def test_jobs_are_found_by_the_first_characters_of_their_ids(self, store: JobStore) -> None:
        for job_id in ("aa0", "ab1", "ab2", "ab3", "ac", "b"):
            store.create(make_job(job_id))
        assert [job.id for job in store.with_prefix("ab", 9)] == ["ab1", "ab2", "ab3"]
        assert [job.id for job in store.with_prefix("ab", 2)] == ["ab1", "ab2"]
        assert [job.id for job in store.with_prefix("b", 9)] == ["b"]
        assert store.with_prefix("c", 9) == ()

    def test_the_same_thing_is_counted_once(self, store: JobStore) -> None:
        assert store.tallied("refused a") == 0
        for scope, key in (("refused a", "1"), ("refused a", "2"), ("refused a", "1"), ("refused b", "1")):
            store.tally(scope, key)
        assert (store.tallied("refused a"), store.tallied("refused b"), store.tallied("refused")) == (2, 1, 0)

    def test_absent_are_the_ids_that_are_not_stored(self, store: JobStore) -> None:
        for number in range(3):
            store.create(make_job(f"job-{number}"))
        asked = [*(f"job-{number}" for number in range(5)), "a/b", "job-1"]
        assert store.absent(asked) == {"job-3", "job-4", "a/b"}
        assert store.absent([]) == set()
        assert len(store.absent([f"other-{number}" for number in range(1500)])) == 1500

    def test_jobs_come_newest_first_and_of_the_same_moment_in_order_of_ids(self, store: JobStore) -> None:
        for job_id, minutes in (("b", 1), ("a", 2), ("d", 1), ("c", 1), ("e", 0)):
            store.create(make_job(job_id, minutes=minutes))
        assert ids(everything(store, JobQuery())) == ["a", "d", "c", "b", "e"]

    def test_a_saved_job_moves_to_its_new_place(self, store: JobStore) -> None:
        for number in range(3):
            store.create(make_job(f"job-{number}", minutes=number))
        store.save(store.get("job-0").noted(START + timedelta(minutes=9), "changed", ""))
        assert ids(everything(store, JobQuery())) == ["job-0", "job-2", "job-1"]

    def test_conditions_on_time_are_strict_and_answer_oldest_first(self, store: JobStore) -> None:
        for number in (2, 0, 3, 1):
            store.create(make_job(f"job-{number}", minutes=number))
        limit = START + timedelta(minutes=2)
        assert ids(everything(store, JobQuery(updated_before=limit))) == ["job-0", "job-1"]
        assert ids(everything(store, JobQuery(expires_before=limit + timedelta(days=30)))) == ["job-0", "job-1"]

    def test_without_a_condition_on_time_jobs_come_oldest_first_if_the_query_says_so(self, store: JobStore) -> None:
        for job_id, minutes in (("b", 1), ("a", 2), ("d", 1), ("c", 1), ("e", 0)):
            store.create(make_job(job_id, minutes=minutes))
        assert ids(everything(store, JobQuery(order="oldest_first", limit=2))) == ["e", "b", "c", "d", "a"]

    def test_two_conditions_on_time_must_both_hold(self, store: JobStore) -> None:
        for number in range(6):
            expires_at = START + timedelta(days=number % 2)
            store.create(make_job(f"job-{number}", minutes=number, expires_at=expires_at))
        before = START + timedelta(minutes=5)
        query = JobQuery(updated_before=before, expires_before=START + timedelta(hours=1), limit=1)
        assert ids(everything(store, query)) == ["job-0", "job-2", "job-4"]

    def test_every_condition_that_is_given_must_hold(self, store: JobStore) -> None:
        fields: dict[str, dict[str, object]] = {
            "all": {"status": "completed", "qc_status": "approved", "owner": "me", "labels": {"k": "v", "x": "y"}},
            "status": {"status": "failed", "qc_status": "approved", "owner": "me", "labels": {"k": "v"}},
            "qc": {"status": "completed", "qc_status": "rejected", "owner": "me", "labels": {"k": "v"}},
            "owner": {"status": "completed", "qc_status": "approved", "owner": "you", "labels": {"k": "v"}},
            "label": {"status": "completed", "qc_status": "approved", "owner": "me", "labels": {"k": "w", "v": "k"}},
        }
        for number, (job_id, values) in enumerate(fields.items()):
            store.create(make_job(job_id, minutes=-number, **values))
        query = JobQuery(status="completed", qc_status="approved", owner="me", label=("k", "v"))
        assert ids(everything(store, query)) == ["all"]
        assert ids(everything(store, replace(query, status=None))) == ["all", "status"]
        assert ids(everything(store, replace(query, qc_status=None))) == ["all", "qc"]
        assert ids(everything(store, replace(query, owner=None))) == ["all", "owner"]
        assert ids(everything(store, replace(query, label=None))) == ["all", "label"]

    def test_an_empty_owner_is_a_condition_like_any_other(self, store: JobStore) -> None:
        store.create(make_job("nobody"))
        store.create(make_job("somebody", owner="me"))
        assert ids(everything(store, JobQuery(owner=""))) == ["nobody"]

    def test_labels_are_never_mixed_up(self, store: JobStore) -> None:
        store.create(make_job("one", labels={"a=b": "c"}))
        store.create(make_job("two", labels={"a": "b=c"}))
        store.create(make_job("three", labels={"a%3Db": "c", "sku_id": "4711/ü"}))
        assert ids(everything(store, JobQuery(label=("a=b", "c")))) == ["one"]
        assert ids(everything(store, JobQuery(label=("a", "b=c")))) == ["two"]
        assert ids(everything(store, JobQuery(label=("sku_id", "4711/ü")))) == ["three"]

    def test_jobs_of_a_batch_are_found_by_it_and_may_belong_to_several(self, store: JobStore) -> None:
        for number in range(4):
            store.create(make_job(f"job-{number}", minutes=number, batches=("odd",) if number % 2 else ("even", "all")))
        store.save(store.get("job-1").in_batch("all"))
        assert ids(everything(store, JobQuery(batch="all"))) == ["job-2", "job-1", "job-0"]
        assert ids(everything(store, JobQuery(batch="odd", status="pending"))) == ["job-3", "job-1"]
        assert everything(store, JobQuery(batch="none")) == []

    def test_a_count_is_that_of_the_jobs_that_the_query_finds(self, store: JobStore) -> None:
        rng = random.Random(3)
        for number in range(30):
            store.create(_random_job(rng, f"job-{number:02d}"))
        for query in (
            JobQuery(),
            JobQuery(status="failed"),
            JobQuery(status="failed", owner="me", qc_status="approved"),
            JobQuery(label=("k", "a"), owner=""),
            JobQuery(batch="one", status="completed"),
            JobQuery(batch="two", updated_before=START + timedelta(minutes=4)),
            JobQuery(expires_before=START + timedelta(days=2), owner="me"),
            JobQuery(batch="nobody"),
        ):
            assert store.count(query) == len(everything(store, query)), query
        assert store.count(JobQuery(limit=1)) == 30

    def test_conditions_that_exclude_each_other_are_refused(self, store: JobStore) -> None:
        both = JobQuery(label=("k", "v"), batch="b")
        for ask in (store.query, store.count):
            with pytest.raises(BadMessage, match="label 'k' and batch 'b' exclude each other"):
                ask(both)
        with pytest.raises(BadMessage, match="one condition on time"):
            store.count(JobQuery(updated_before=START, expires_before=START))

    def test_a_batch_can_be_counted_while_its_jobs_change(self, store: JobStore) -> None:
        job = store.create(make_job(batches=("b",), status="pending"))
        store.save(job.model_copy(update={"status": "failed"}))
        assert [store.count(JobQuery(batch="b", status=status)) for status in ("pending", "failed")] == [0, 1]
        store.delete(job.id)
        assert store.count(JobQuery(batch="b")) == 0

    def test_queries_follow_saves(self, store: JobStore) -> None:
        job = store.create(make_job(labels={"k": "old"}, status="pending"))
        store.save(job.model_copy(update={"status": "failed", "labels": {"k": "new"}}))
        assert everything(store, JobQuery(status="pending")) == []
        assert everything(store, JobQuery(label=("k", "old"))) == []
        assert ids(everything(store, JobQuery(status="failed", label=("k", "new")))) == ["job-1"]

    def test_pages_hold_as_many_jobs_as_asked_and_together_every_job_once(self, store: JobStore) -> None:
        for number in range(7):
            store.create(make_job(f"job-{number}", minutes=number // 3))
        found = pages(store, JobQuery(limit=3))
        assert [len(page) for page in found] == [3, 3, 1]
        assert ids([job for page in found for job in page]) == [f"job-{n}" for n in (6, 5, 4, 3, 2, 1, 0)]

    def test_the_last_page_says_so_even_if_it_is_full_or_empty(self, store: JobStore) -> None:
        assert (store.query(JobQuery()).jobs, store.query(JobQuery()).next_cursor) == ((), None)
        for number in range(4):
            store.create(make_job(f"job-{number}"))
        assert [len(page) for page in pages(store, JobQuery(limit=2))] == [2, 2]

    def test_paging_misses_no_job_that_stays_as_it_is_while_others_change(self, store: JobStore) -> None:
        for number in range(12):
            store.create(make_job(f"job-{number:02d}", minutes=number))
        seen, query = [], JobQuery(limit=3)
        for changed in (11, 6, 0, 3):
            page = store.query(query)
            seen += ids(list(page.jobs))
            assert page.next_cursor is not None or changed == 3
            query = replace(query, cursor=page.next_cursor)
            # The job at the cursor itself is deleted, another one jumps to the front, a new one appears.
            store.delete(page.jobs[-1].id)
            if changed in (0, 3):
                store.delete(f"job-{changed:02d}")
            elif f"job-{changed:02d}" not in (page.jobs[-1].id,):
                store.save(store.get(f"job-{changed:02d}").noted(START + timedelta(hours=1), "changed", ""))
            store.create(make_job(f"new-{changed:02d}", minutes=90 + changed))
        untouched = {f"job-{number:02d}" for number in (10, 8, 7, 5, 4, 2, 1)}
        assert untouched <= set(seen)
        assert all(seen.count(job_id) == 1 for job_id in untouched)

    @pytest.mark.parametrize("limit", [0, -1, 1001])
    def test_a_limit_out_of_range_is_refused(self, store: JobStore, limit: int) -> None:
        with pytest.raises(BadMessage, match=f"limit {limit} is not between 1 and 1000"):
            store.query(JobQuery(limit=limit))

    @pytest.mark.parametrize("cursor", ["", "x", "!!!", "bnVsbA==", "WzEsMiwzXQ==", "é"])
    def test_a_cursor_that_no_query_made_is_refused(self, store: JobStore, cursor: str) -> None:
        with pytest.raises(BadMessage, match="cursor"):
            store.query(JobQuery(cursor=cursor))

    def test_a_cursor_of_a_query_in_another_order_is_refused(self, store: JobStore) -> None:
        for number in range(2):
            store.create(make_job(f"job-{number}"))
        cursor = store.query(JobQuery(limit=1)).next_cursor
        with pytest.raises(BadMessage, match="cursor"):
            store.query(JobQuery(limit=1, cursor=cursor, expires_before=START))

    def test_random_queries_are_answered_as_by_the_store_in_memory(self, store: JobStore) -> None:
        rng, reference = random.Random(7), MemoryJobStore()
        for number in range(30):
            job = _random_job(rng, f"job-{number:02d}")
            assert reference.create(job) == store.create(job)
        for _ in range(40):
            query = _random_query(rng)
            assert pages(store, query) == pages(reference, query), query


def _random_job(rng: random.Random, job_id: str) -> Job:
    return make_job(
        job_id,
        minutes=rng.randrange(6),
        status=rng.choice(["pending", "processing", "completed", "failed"]),
        qc_status=rng.choice(["pending", "approved"]),
        owner=rng.choice(["", "me"]),
        labels={key: rng.choice("ab") for key in rng.sample(["k", "l"], rng.randrange(3))},
        expires_at=START + timedelta(days=rng.randrange(5)),
        batches=tuple(rng.sample(["one", "two"], rng.randrange(3))),
    )


def _random_query(rng: random.Random) -> JobQuery:
    def maybe(value: object) -> object:
        return value if rng.random() < 0.35 else None

    # Of the two that exclude each other at most one.
    label, batch = rng.choice([(maybe((rng.choice("kl"), rng.choice("ab"))), None), (None, maybe("one"))])
    return JobQuery(
        status=maybe(rng.choice(["pending", "processing", "completed", "failed"])),
        qc_status=maybe(rng.choice(["pending", "approved"])),
        owner=maybe(rng.choice(["", "me"])),
        label=label,
        batch=batch,
        updated_before=maybe(START + timedelta(minutes=rng.randrange(7))),
        expires_before=maybe(START + timedelta(days=rng.randrange(6))),
        order=rng.choice(["newest_first", "oldest_first"]),
        limit=rng.choice([1, 4, 100]),
    )
