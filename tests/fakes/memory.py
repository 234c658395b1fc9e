"""Everything in memory, for runs in one process and for tests; every promise of the ports holds, across threads too."""

import threading
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from darkroom.adapters.finalized import finalized_event
from darkroom.adapters.job_pages import check_countable, matches, order_of, page_of, position_of
from darkroom.adapters.object_rules import already_there, check_object, crc32c_base64, generation_gone, not_found
from darkroom.adapters.system import SystemClock
from darkroom.domain.errors import JobExists, JobNotFound, RevisionConflict
from darkroom.domain.job import Job
from darkroom.domain.messages import ObjectRef
from darkroom.runtime.ports import Clock, JobPage, JobQuery, NewObject, ObjectInfo, Publisher


class ManualClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, start: datetime = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> datetime:
        """The time after `seconds` have passed."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            return self._now


class MemoryObjectStore:
    """Buckets in memory. Writes into a bucket of `notify` publish the finalized event on the topic given there."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        notify: Mapping[str, str] | None = None,
        publisher: Publisher | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._notify = dict(notify or {}) if publisher else {}
        self._publisher = publisher
        self._objects: dict[tuple[str, str], tuple[ObjectInfo, bytes]] = {}
        self._generation = 0
        self._lock = threading.RLock()

    def stat(self, bucket: str, name: str) -> ObjectInfo:
        with self._lock:
            if (bucket, name) not in self._objects:
                raise not_found(bucket, name)
            return self._objects[bucket, name][0]

    def read(self, ref: ObjectRef) -> bytes:
        with self._lock:
            found = self._objects.get((ref.bucket, ref.name))
            if found is None or found[0].ref != ref:
                raise generation_gone(ref)
            return found[1]

    def read_latest(self, bucket: str, name: str) -> bytes:
        with self._lock:
            return self.read(self.stat(bucket, name).ref)

    def create(self, bucket: str, name: str, new: NewObject) -> ObjectInfo:
        check_object(name, new)
        with self._lock:
            if (bucket, name) in self._objects:
                raise already_there(bucket, name)
            return self._write(bucket, name, new)

    def put(self, bucket: str, name: str, new: NewObject) -> ObjectInfo:
        check_object(name, new)
        with self._lock:
            return self._write(bucket, name, new)

    def list(self, bucket: str, prefix: str = "", *, after: str = "") -> Iterator[ObjectInfo]:
        with self._lock:
            found = [
                info
                for (where, name), (info, _) in self._objects.items()
                if where == bucket and name.startswith(prefix) and name > after
            ]
        yield from sorted(found, key=lambda info: info.ref.name)

    def delete(self, ref: ObjectRef) -> None:
        with self._lock:
            found = self._objects.get((ref.bucket, ref.name))
            if found is not None and found[0].ref == ref:
                del self._objects[ref.bucket, ref.name]

    def _write(self, bucket: str, name: str, new: NewObject) -> ObjectInfo:
        self._generation += 1
        info = ObjectInfo(
            ref=ObjectRef(bucket=bucket, name=name, generation=self._generation),
            size_bytes=len(new.data),
            content_type=new.content_type,
            crc32c=crc32c_base64(new.data),
            metadata=dict(new.metadata),
            created_at=self._clock.now(),
        )
        self._objects[bucket, name] = (info, bytes(new.data))
        if self._publisher and bucket in self._notify:
            self._publisher.publish(self._notify[bucket], *finalized_event(info))
        return info


class MemoryJobStore:
    """Jobs in memory."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._tallies: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def create(self, job: Job) -> Job:
        with self._lock:
            if job.id in self._jobs:
                raise JobExists(f"job {job.id} exists already")
            return self._store(job, revision=1)

    def get(self, job_id: str) -> Job:
        with self._lock:
            return self._stored(job_id)

    def save(self, job: Job) -> Job:
        with self._lock:
            stored = self._stored(job.id)
            if stored.revision != job.revision:
                raise RevisionConflict(f"job {job.id} has revision {stored.revision}, not {job.revision}")
            return self._store(job, revision=job.revision + 1)

    def query(self, query: JobQuery) -> JobPage:
        order, position = order_of(query), position_of(query)

        def key(job: Job) -> tuple[datetime, str]:
            return getattr(job, order.field), job.id

        with self._lock:
            found = sorted((j for j in self._jobs.values() if matches(j, query)), key=key, reverse=order.descending)
        if position is not None:
            last = (position.moment, position.job_id)
            found = [job for job in found if (key(job) < last if order.descending else key(job) > last)]
        return page_of(found[: query.limit + 1], query)

    def count(self, query: JobQuery) -> int:
        check_countable(query)
        with self._lock:
            return sum(matches(job, query) for job in self._jobs.values())

    def with_prefix(self, prefix: str, limit: int) -> tuple[Job, ...]:
        with self._lock:
            return tuple(self._jobs[job_id] for job_id in sorted(self._jobs) if job_id.startswith(prefix))[:limit]

    def absent(self, job_ids: Collection[str]) -> set[str]:
        with self._lock:
            return set(job_ids) - self._jobs.keys()

    def tally(self, scope: str, key: str) -> None:
        with self._lock:
            self._tallies.setdefault(scope, set()).add(key)

    def tallied(self, scope: str) -> int:
        with self._lock:
            return len(self._tallies.get(scope, ()))

    def delete(self, job_id: str) -> None:
        with self._lock:
            self._jobs.pop(job_id, None)

    def _stored(self, job_id: str) -> Job:
        if job_id not in self._jobs:
            raise JobNotFound(f"there is no job {job_id}")
        return self._jobs[job_id]

    def _store(self, job: Job, *, revision: int) -> Job:
        self._jobs[job.id] = job.model_copy(update={"revision": revision})
        return self._jobs[job.id]
