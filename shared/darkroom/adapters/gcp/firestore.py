"""Jobs in Firestore: one document per job, changed only if its version is still the same.

Never in a transaction: a precondition costs one write beside the read of the job, and of two writers one loses at once,
while contended transactions wait for each other. A document contains the job as JSON, and beside it the fields that
queries need.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import quote

from darkroom.adapters.gcp.errors import translated
from darkroom.adapters.gcp.firestore_indexes import (
    BATCHES,
    COLLECTION,
    EXPIRY_FIELD,
    LABELS,
    SHARD,
    SHARDS,
    TALLIES,
    TALLY_DAYS,
    shard_of,
)
from darkroom.adapters.job_pages import Position, check_countable, matches, order_of, page_of, position_of
from darkroom.adapters.prefixes import end_of_prefix
from darkroom.adapters.system import SystemClock
from darkroom.domain.errors import BadMessage, JobExists, JobNotFound, PermanentError, RevisionConflict
from darkroom.domain.job import Job
from darkroom.runtime.ports import Clock, JobPage, JobQuery

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.firestore import Client, DocumentReference, Query

#: Largest document of Firestore: https://firebase.google.com/docs/firestore/quotas#limits
MAX_DOCUMENT_BYTES = 1_048_576
#: Room for the names and the values of the fields beside the job.
_MARGIN_BYTES = 16_384
#: For one request with all its retries, in seconds.
PATIENCE_S = 30.0
#: Documents in one request of `absent`.
_IDS_AT_ONCE = 300
#: What Firestore accepts as the id of a document.
_ID = re.compile(r"(?!\.{1,2}$)(?!__.*__$)[^/]{1,500}")


class _Calling(TypedDict):
    """What every call of the client is given."""

    retry: "Retry"
    timeout: float


class FirestoreJobStore:
    """Jobs in the default database of a project; the client is built on first use.

    `patience_s` is how long a call is retried while the service does not answer, in seconds.
    """

    def __init__(
        self,
        project: str,
        *,
        client: "Client | None" = None,
        patience_s: float = PATIENCE_S,
        clock: Clock | None = None,
    ) -> None:
        self._project = project
        self._clock = clock or SystemClock()
        self._given = client
        self._patience_s = patience_s

    def create(self, job: Job) -> Job:
        created = job.model_copy(update={"revision": 1})
        fields, document = _fields(created), self._document(job.id)
        with translated(f"create job {job.id}", {"AlreadyExists": JobExists(f"job {job.id} exists already")}):
            written = document.create(fields, **self._calling)
        return _versioned(created, written)

    def get(self, job_id: str) -> Job:
        if not _ID.fullmatch(job_id):
            raise _missing(job_id)
        with translated(f"read job {job_id}"):
            snapshot = self._document(job_id).get(**self._calling)
        if not snapshot.exists:
            raise _missing(job_id)
        return _job(snapshot)

    def save(self, job: Job) -> Job:
        saved = job.model_copy(update={"revision": job.revision + 1})
        fields, document = _fields(saved), self._document(job.id)
        conflict = RevisionConflict(f"job {job.id} was saved by another process since revision {job.revision}")
        try:
            unchanged = self._client.write_option(last_update_time=_update_time(job, conflict))
            with translated(f"save job {job.id}", {"FailedPrecondition": conflict, "NotFound": _missing(job.id)}):
                written = document.update(fields, option=unchanged, **self._calling)
        except RevisionConflict:
            if self.absent([job.id]):  # the service gives the same answer for a deleted and a saved job
                raise _missing(job.id) from None
            raise
        return _versioned(saved, written)

    def query(self, query: JobQuery) -> JobPage:
        position = position_of(query)
        with translated("query jobs"):
            request = structured(self._client, query, position)
            jobs = (_job(snapshot) for snapshot in request.stream(**self._calling))
            # Firestore answers to one range; a second condition on time is met here.
            found = list(islice((job for job in jobs if matches(job, query)), query.limit + 1))
        return page_of(found, query)

    def count(self, query: JobQuery) -> int:
        check_countable(query)
        with translated("count jobs"):
            collection: Any = self._client.collection(COLLECTION)
            by_time = query.updated_before is not None or query.expires_before is not None
            request = _filtered(_in_every_shard(collection) if by_time else collection, query).count()
            ((found,),) = request.get(**self._calling)
        return int(found.value)

    def with_prefix(self, prefix: str, limit: int) -> tuple[Job, ...]:
        from google.cloud.firestore import FieldFilter

        first, end = self._document(prefix), self._document(end_of_prefix(prefix) or "")
        request = self._client.collection(COLLECTION).where(filter=FieldFilter("__name__", ">=", first))
        request = request.where(filter=FieldFilter("__name__", "<", end)).order_by("__name__").limit(limit)
        with translated(f"look up jobs that begin with {prefix}"):
            return tuple(_job(snapshot) for snapshot in request.stream(**self._calling))

    def absent(self, job_ids: Collection[str]) -> set[str]:
        remaining = set(job_ids)
        for chunk in _chunks([job_id for job_id in remaining if _ID.fullmatch(job_id)]):
            with translated("look up jobs"):
                documents = [self._document(job_id) for job_id in chunk]
                snapshots = self._client.get_all(documents, ["revision"], **self._calling)
                remaining -= {snapshot.id for snapshot in snapshots if snapshot.exists}
        return remaining

    def tally(self, scope: str, key: str) -> None:
        # The same key is the same document.
        name = hashlib.sha256(f"{scope}/{key}".encode()).hexdigest()
        with translated(f"count {key} under {scope}"):
            fields = {"scope": scope, EXPIRY_FIELD: self._clock.now() + timedelta(days=TALLY_DAYS)}
            self._client.collection(TALLIES).document(name).set(fields, **self._calling)

    def tallied(self, scope: str) -> int:
        from google.cloud.firestore import FieldFilter

        with translated(f"count under {scope}"):
            collection: Any = self._client.collection(TALLIES)
            request = collection.where(filter=FieldFilter("scope", "==", scope)).count()
            ((found,),) = request.get(**self._calling)
        return int(found.value)

    def delete(self, job_id: str) -> None:
        if _ID.fullmatch(job_id):
            with translated(f"delete job {job_id}"):
                self._document(job_id).delete(**self._calling)

    @cached_property
    def _client(self) -> "Client":
        from google.cloud.firestore import Client

        with translated(f"reach Firestore in project {self._project}"):
            return self._given or Client(project=self._project)

    @cached_property
    def _calling(self) -> "_Calling":
        from google.api_core.exceptions import InternalServerError, ResourceExhausted, ServiceUnavailable
        from google.api_core.retry import Retry, if_exception_type

        # Every call may be made twice: it reads, or it carries its precondition, or it deletes.
        passing = if_exception_type(InternalServerError, ResourceExhausted, ServiceUnavailable)
        retry = Retry(predicate=passing, initial=0.1, maximum=5.0, multiplier=2.0, timeout=self._patience_s)
        return {"retry": retry, "timeout": PATIENCE_S}

    def _document(self, job_id: str) -> "DocumentReference":
        if not _ID.fullmatch(job_id):
            raise BadMessage(f"{job_id[:80]!r} cannot be the id of a job", code="bad_job_id")
        return self._client.collection(COLLECTION).document(job_id)


def label_entry(key: str, value: str) -> str:
    """A label as one element of an array, so that one index answers for every key."""
    return f"{quote(key, safe='')}={value}"


def _missing(job_id: str) -> JobNotFound:
    return JobNotFound(f"there is no job {job_id}")


def _fields(job: Job) -> dict[str, Any]:
    body = job.model_dump_json()
    size, limit = len(body.encode()), MAX_DOCUMENT_BYTES - _MARGIN_BYTES
    if size > limit:
        raise PermanentError(f"job {job.id} has {size} bytes, the limit of a document is {limit}", code="job_too_large")
    return {
        "status": job.status,
        "qc_status": job.qc_status,
        "owner": job.owner,
        LABELS: [label_entry(key, value) for key, value in sorted(job.labels.items())],
        BATCHES: list(job.batches),
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        EXPIRY_FIELD: job.expires_at,
        "revision": job.revision,
        SHARD: shard_of(job.id),
        "job": body,
    }


def _job(snapshot: Any) -> Job:
    return _versioned(Job.model_validate_json(snapshot.get("job")), snapshot)


def _versioned(job: Job, written: Any) -> Job:
    """The job with its version: its revision, and when its document was written, to the nanosecond."""
    return job.model_copy(update={"version": f"{job.revision} {written.update_time.rfc3339()}"})


def _update_time(job: Job, conflict: RevisionConflict) -> Any:
    """When the document of a job was written, from the job's version.

    Raises `conflict` if the version is not that of a document.
    """
    from google.api_core.datetime_helpers import DatetimeWithNanoseconds

    revision, _, moment = job.version.partition(" ")
    if revision != str(job.revision):
        raise conflict
    return DatetimeWithNanoseconds.from_rfc3339(moment)  # type: ignore[no-untyped-call]


def structured(client: "Client", query: JobQuery, position: Position | None) -> "Query":
    """The query for Firestore; `firestore_indexes` lists the index of every possible form."""
    from google.cloud.firestore import Query

    order = order_of(query)
    direction = Query.DESCENDING if order.descending else Query.ASCENDING
    collection = client.collection(COLLECTION)
    request: Query = _filtered(_in_every_shard(collection), query).order_by(order.field, direction=direction)
    request = request.order_by("__name__", direction=direction)
    if position is not None:
        request = request.start_after([position.moment, collection.document(position.job_id)])
    both_times = query.updated_before is not None and query.expires_before is not None
    return request if both_times else request.limit(query.limit + 1)


def _in_every_shard(collection: Any) -> Any:
    """All documents of `collection`, named so that the sharded indexes over time can answer."""
    from google.cloud.firestore import FieldFilter

    return collection.where(filter=FieldFilter(SHARD, "in", list(range(SHARDS))))


def _filtered(collection: Any, query: JobQuery) -> Any:
    from google.cloud.firestore import FieldFilter

    for field, operator, value in _conditions(query):
        collection = collection.where(filter=FieldFilter(field, operator, value))
    return collection


def _conditions(query: JobQuery) -> Iterator[tuple[str, str, str | datetime]]:
    """What Firestore filters by: every equality, and the one range that it sorts by."""
    for field in ("status", "qc_status", "owner"):
        if (value := getattr(query, field)) is not None:
            yield field, "==", value
    if query.label is not None:
        yield LABELS, "array_contains", label_entry(*query.label)
    if query.batch is not None:
        yield BATCHES, "array_contains", query.batch
    before = query.expires_before if query.updated_before is None else query.updated_before
    if before is not None:
        yield order_of(query).field, "<", before


def _chunks(job_ids: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(job_ids)
    while chunk := list(islice(remaining, _IDS_AT_ONCE)):
        yield chunk
