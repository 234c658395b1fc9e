"""Which indexes must Firestore have for the queries that `shared.adapters.firestore` makes?

The emulator runs every query without any; the service refuses those that lack one. Firestore merges indexes that
end in the same order, so one per equality and order serves every combination of equalities:
https://firebase.google.com/docs/firestore/query-data/index-overview#taking_advantage_of_index_merging
Queries without any equality use the index that every single field has by itself, and so do counts by equalities alone.
"""

from dataclasses import dataclass
from typing import Literal

from shared.adapters.job_pages import Order, order_of
from shared.ports import JobQuery

COLLECTION = "jobs"
#: Array field with one element per label.
LABELS = "labels"
#: Array field with the ids of the batches to which a job belongs.
BATCHES = "batches"
#: Never asked for: without this exemption every write would index a text of many kilobytes.
UNINDEXED_FIELDS: tuple[str, ...] = ("job",)

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


def _index(equality: tuple[str, Mode], order: Order) -> Index:
    return Index(fields=(equality, (order.field, "DESCENDING" if order.descending else "ASCENDING")))


REQUIRED_INDEXES: tuple[Index, ...] = tuple(_index(equality, order) for equality in _EQUALITIES for order in _ORDERS)


def indexes_of(query: JobQuery) -> set[Index]:
    """The composite indexes that Firestore merges to answer `query`."""
    given = {
        "status": query.status,
        "qc_status": query.qc_status,
        "owner": query.owner,
        LABELS: query.label,
        BATCHES: query.batch,
    }
    return {_index(equality, order_of(query)) for equality in _EQUALITIES if given[equality[0]] is not None}
