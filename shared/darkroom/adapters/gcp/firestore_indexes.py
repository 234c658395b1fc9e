"""The indexes that Firestore must have for the queries of `darkroom.adapters.gcp.firestore`.

The emulator runs every query without any index. The service refuses a query that lacks one.

Firestore accepts 500 writes a second for each index over a value that grows with time, such as `updated_at`:
https://firebase.google.com/docs/firestore/solutions/shard-timestamp
So every index over a time starts with a shard, a number from 0 to 7 derived from the id of the job. The limit then
is 500 writes a second for each shard. A query that sorts by time names all shards, and Firestore merges their answers.

Firestore also merges indexes that end in the same order. So one index for each equality and order serves every
combination of equalities:
https://firebase.google.com/docs/firestore/query-data/index-overview#taking_advantage_of_index_merging
Counts by equalities alone use the index that every single field has by itself.
"""

import zlib
from dataclasses import dataclass
from typing import Literal

from darkroom.adapters.job_pages import Order, order_of
from darkroom.runtime.ports import JobQuery

COLLECTION = "jobs"
#: Collection with one document for each counted key; the index of its field `scope` answers the count.
TALLIES = "tallies"
#: Collection with one document for each owner with reservations.
RESERVATIONS = "reservations"
#: Time field after which Firestore deletes a document of the collections `jobs` and `tallies`.
EXPIRY_FIELD = "expires_at"
#: Days after which Firestore deletes a counted key. The bucket deletes the records of a batch after fewer days.
TALLY_DAYS = 100
#: Array field with one element per label.
LABELS = "labels"
#: Array field with the ids of the batches to which a job belongs.
BATCHES = "batches"
#: Field with the shard of the job.
SHARD = "shard"
#: Number of shards. An `in` condition accepts at most 30 values: https://firebase.google.com/docs/firestore/quotas
SHARDS = 8
#: Writes a second that one index over a growing value accepts; source: the page on sharded timestamps above.
WRITES_PER_SHARD = 500
#: Collection and field without a single-field index: never queried, or queried only through the composite indexes
#: below.
UNINDEXED_FIELDS: tuple[tuple[str, str], ...] = (
    *((COLLECTION, field) for field in ("created_at", "job", "revision", SHARD, "updated_at")),
    (RESERVATIONS, "body"),
)

Mode = Literal["ASCENDING", "DESCENDING", "CONTAINS"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A composite index: its fields in order, each with its mode."""

    fields: tuple[tuple[str, Mode], ...]
    collection: str = COLLECTION


_EQUALITIES: tuple[tuple[str, Mode], ...] = (
    ("status", "ASCENDING"),
    ("qc_status", "ASCENDING"),
    ("owner", "ASCENDING"),
    (LABELS, "CONTAINS"),
    (BATCHES, "CONTAINS"),
)
_ORDERS = (
    Order(field="updated_at", descending=True),
    Order(field="updated_at", descending=False),
    Order(field="expires_at", descending=False),
)


def shard_of(job_id: str) -> int:
    """The shard of a job, from 0 to SHARDS - 1; the same for every version of the job."""
    return zlib.crc32(job_id.encode()) % SHARDS


def _index(equalities: tuple[tuple[str, Mode], ...], order: Order) -> Index:
    sorted_by: tuple[str, Mode] = (order.field, "DESCENDING" if order.descending else "ASCENDING")
    return Index(fields=((SHARD, "ASCENDING"), *equalities, sorted_by))


REQUIRED_INDEXES: tuple[Index, ...] = tuple(
    _index(equalities, order) for equalities in ((), *((each,) for each in _EQUALITIES)) for order in _ORDERS
)


def indexes_of(query: JobQuery) -> set[Index]:
    """The composite indexes that Firestore merges to answer `query` in its order."""
    given = {
        "status": query.status,
        "qc_status": query.qc_status,
        "owner": query.owner,
        LABELS: query.label,
        BATCHES: query.batch,
    }
    used = [equality for equality in _EQUALITIES if given[equality[0]] is not None]
    order = order_of(query)
    return {_index((equality,), order) for equality in used} or {_index((), order)}
