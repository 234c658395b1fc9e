"""The order of job queries, and the cursors of their pages.

Every job store pages by key: a cursor contains the sort key and the id of the last job of its page. It stays valid
when jobs change.
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from darkroom.domain.errors import BadMessage
from darkroom.domain.job import Job
from darkroom.runtime.ports import JobPage, JobQuery

MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Jobs are sorted by `field`, then by id, both in the same direction."""

    field: Literal["updated_at", "expires_at"]
    descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The job after which a page starts."""

    moment: datetime
    job_id: str


def order_of(query: JobQuery) -> Order:
    """The order of the query; a condition on time answers oldest first, by its own field."""
    if query.expires_before is not None and query.updated_before is None:
        return Order(field="expires_at", descending=False)
    return Order(field="updated_at", descending=query.updated_before is None and query.order == "newest_first")


def position_of(query: JobQuery) -> Position | None:
    """The start of the page; None for the first page.

    Raises BadMessage if the cursor does not belong to this kind of query, the limit is out of range, or two conditions
    exclude each other.
    """
    check_conditions(query)
    if not 1 <= query.limit <= MAX_LIMIT:
        raise BadMessage(f"limit {query.limit} is not between 1 and {MAX_LIMIT}", code="bad_limit")
    return None if query.cursor is None else _decode(query.cursor, order_of(query).field)


def check_conditions(query: JobQuery) -> None:
    """Raises BadMessage for conditions that no store can meet together: Firestore supports one array condition only."""
    if query.label is not None and query.batch is not None:
        raise BadMessage(f"label {query.label[0]!r} and batch {query.batch!r} exclude each other", code="bad_query")


def check_countable(query: JobQuery) -> None:
    """Raises BadMessage for a query that cannot be counted: Firestore counts by one range only."""
    check_conditions(query)
    if query.updated_before is not None and query.expires_before is not None:
        raise BadMessage("jobs are counted by one condition on time, not by two", code="bad_query")


def page_of(jobs: list[Job], query: JobQuery) -> JobPage:
    """The page from the matching jobs that follow its position, of which one more than `limit` was fetched."""
    page = tuple(jobs[: query.limit])
    return JobPage(jobs=page, next_cursor=_encode(page[-1], query) if len(jobs) > query.limit else None)


def matches(job: Job, query: JobQuery) -> bool:
    """Whether a job meets every condition of a query."""
    return (
        (query.status is None or job.status == query.status)
        and (query.qc_status is None or job.qc_status == query.qc_status)
        and (query.owner is None or job.owner == query.owner)
        and (query.label is None or job.labels.get(query.label[0]) == query.label[1])
        and (query.batch is None or query.batch in job.batches)
        and (query.updated_before is None or job.updated_at < query.updated_before)
        and (query.expires_before is None or job.expires_at < query.expires_before)
    )


def _encode(job: Job, query: JobQuery) -> str:
    field = order_of(query).field
    text = json.dumps([field, getattr(job, field).isoformat(), job.id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _decode(cursor: str, field: str) -> Position:
    try:
        stored, moment, job_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        position = Position(moment=datetime.fromisoformat(moment), job_id=str(job_id))
    except (ValueError, TypeError) as exc:
        raise BadMessage(f"cursor {cursor[:80]!r} was not returned by a query", code="bad_cursor") from exc
    if stored != field or position.moment.tzinfo is None:
        raise BadMessage(
            f"cursor {cursor[:80]!r} belongs to a query sorted by {stored}, not {field}", code="bad_cursor"
        )
    return position
