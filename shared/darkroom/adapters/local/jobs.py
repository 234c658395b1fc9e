"""Jobs in a SQLite file, shared by all processes that work under one root directory."""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from darkroom.adapters.job_pages import Position, check_countable, order_of, page_of, position_of
from darkroom.adapters.local.database import LocalDatabase, to_microseconds
from darkroom.adapters.prefixes import end_of_prefix
from darkroom.domain.errors import JobExists, JobNotFound, RevisionConflict
from darkroom.domain.job import Job
from darkroom.runtime.ports import JobPage, JobQuery

#: Ids in one statement; SQLite allows 32,766 parameters.
_IDS_AT_ONCE = 1000


class LocalJobStore:
    """Jobs in a SQLite file."""

    def __init__(self, root: Path) -> None:
        self._database = LocalDatabase(root)

    def create(self, job: Job) -> Job:
        stored = job.model_copy(update={"revision": 1})
        with self._database.transaction() as connection:
            if _revision(connection, job.id) is not None:
                raise JobExists(f"job {job.id} exists already")
            write_job(connection, stored)
        return stored

    def get(self, job_id: str) -> Job:
        with self._database.reading() as connection:
            row = connection.execute("SELECT body FROM jobs WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            raise JobNotFound(f"there is no job {job_id}")
        return Job.model_validate_json(row[0])

    def save(self, job: Job) -> Job:
        saved = job.model_copy(update={"revision": job.revision + 1})
        with self._database.transaction() as connection:
            stored = _revision(connection, job.id)
            if stored is None:
                raise JobNotFound(f"there is no job {job.id}")
            if stored != job.revision:
                raise RevisionConflict(f"job {job.id} has revision {stored}, not {job.revision}")
            write_job(connection, saved)
        return saved

    def query(self, query: JobQuery) -> JobPage:
        statement, values = _select(query, position_of(query))
        with self._database.reading() as connection:
            rows = connection.execute(statement, values).fetchall()
        return page_of([Job.model_validate_json(body) for (body,) in rows], query)

    def count(self, query: JobQuery) -> int:
        check_countable(query)
        statement, values = _counted(query)
        with self._database.reading() as connection:
            row = connection.execute(statement, values).fetchone()
        found: int = row[0]
        return found

    def with_prefix(self, prefix: str, limit: int) -> tuple[Job, ...]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT body FROM jobs WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
                (prefix, end_of_prefix(prefix), limit),
            ).fetchall()
        return tuple(Job.model_validate_json(body) for (body,) in rows)

    def absent(self, job_ids: Collection[str]) -> set[str]:
        remaining, ids = set(job_ids), iter(set(job_ids))
        while chunk := list(islice(ids, _IDS_AT_ONCE)):
            marks = ",".join("?" * len(chunk))
            with self._database.reading() as connection:
                remaining -= {row[0] for row in connection.execute(f"SELECT id FROM jobs WHERE id IN ({marks})", chunk)}
        return remaining

    def tally(self, scope: str, key: str) -> None:
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO tallies (scope, key) VALUES (?, ?)", (scope, key))

    def tallied(self, scope: str) -> int:
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM counters WHERE name = ?", (f"tally {scope}",)).fetchone()
        return row[0] if row else 0

    def delete(self, job_id: str) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def close(self) -> None:
        """Give the database file back; the next use opens it again."""
        self._database.close()


def _revision(connection: sqlite3.Connection, job_id: str) -> int | None:
    row = connection.execute("SELECT revision FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return None if row is None else row[0]


def write_job(connection: sqlite3.Connection, job: Job) -> None:
    """Write a job with its labels and batches and replace the earlier version."""
    connection.execute("DELETE FROM jobs WHERE id = ?", (job.id,))
    connection.execute(
        "INSERT INTO jobs (id, revision, status, qc_status, owner, updated_at, expires_at, body) "
        "VALUES (?,?,?,?,?,?,?,?)",
        (
            job.id,
            job.revision,
            job.status,
            job.qc_status,
            job.owner,
            to_microseconds(job.updated_at),
            to_microseconds(job.expires_at),
            job.model_dump_json(),
        ),
    )
    fields = (job.status, job.qc_status, job.owner, to_microseconds(job.updated_at))
    connection.executemany(
        "INSERT INTO job_labels (job_id, key, value, status, qc_status, owner, updated_at) VALUES (?,?,?,?,?,?,?)",
        [(job.id, key, value, *fields) for key, value in job.labels.items()],
    )
    connection.executemany(
        "INSERT INTO job_batches (job_id, batch, status, qc_status, owner, updated_at) VALUES (?,?,?,?,?,?)",
        [(job.id, batch, *fields) for batch in job.batches],
    )


def _select(query: JobQuery, position: Position | None) -> tuple[str, list[str | int]]:
    """The statement for one page and the first job after it."""
    order = order_of(query)
    source = _source(query)
    column, job_id = source.column(order.field), source.job_id
    clauses, values = _conditions(query, source)
    if position is not None:
        clauses.append(f"({column}, {job_id}) {'<' if order.descending else '>'} (?, ?)")
        values += [to_microseconds(position.moment), position.job_id]
    where = " AND ".join(clauses) or "1"
    direction = "DESC" if order.descending else "ASC"
    statement = (
        f"SELECT jobs.body FROM {source.tables} WHERE {where} "
        f"ORDER BY {column} {direction}, {job_id} {direction} LIMIT ?"
    )
    return statement, [*values, query.limit + 1]


def _counted(query: JobQuery) -> tuple[str, list[str | int]]:
    """The statement that counts: from the kept counts where they answer, or else from an index."""
    is_timed = query.updated_before is not None or query.expires_before is not None
    is_owner_in_batch = query.batch is not None and query.owner is not None
    if query.label is None and not is_timed and not is_owner_in_batch:
        return _kept_count(query)
    source = _source(query)
    clauses, values = _conditions(query, source)
    return f"SELECT count(*) FROM {source.tables} WHERE {' AND '.join(clauses) or '1'}", values


def _kept_count(query: JobQuery) -> tuple[str, list[str | int]]:
    scope = "all"
    if query.batch is not None:
        scope = f"batch {query.batch}"
    elif query.owner is not None:
        scope = f"owner {query.owner}"
    given = {"status": query.status, "qc_status": query.qc_status}
    conditions: dict[str, str] = {"scope": scope, **{name: value for name, value in given.items() if value is not None}}
    where = " AND ".join(f"{name} = ?" for name in conditions)
    return f"SELECT coalesce(sum(jobs), 0) FROM job_counts WHERE {where}", list(conditions.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """From which table a query reads its conditions and its order."""

    table: str
    #: Condition that finds the rows, and its values.
    clauses: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    @property
    def tables(self) -> str:
        # A CROSS JOIN keeps its order: https://www.sqlite.org/optoverview.html#crossjoin
        return "jobs" if self.table == "jobs" else f"{self.table} CROSS JOIN jobs ON jobs.id = {self.job_id}"

    @property
    def job_id(self) -> str:
        return "jobs.id" if self.table == "jobs" else f"{self.table}.job_id"

    def column(self, name: str) -> str:
        """A column, from the memberships where they have it."""
        return f"jobs.{name}" if name == "expires_at" else f"{self.table}.{name}"


def _source(query: JobQuery) -> _Source:
    if query.label is not None:
        clauses = ("job_labels.key = ?", "job_labels.value = ?")
        return _Source(table="job_labels", clauses=clauses, values=query.label)
    if query.batch is not None:
        return _Source(table="job_batches", clauses=("job_batches.batch = ?",), values=(query.batch,))
    return _Source(table="jobs")


def _conditions(query: JobQuery, source: _Source) -> tuple[list[str], list[str | int]]:
    """What the jobs must meet, as SQL with one value for each question mark."""
    clauses: dict[str, str | int | None] = {
        f"{source.column('status')} = ?": query.status,
        f"{source.column('qc_status')} = ?": query.qc_status,
        f"{source.column('owner')} = ?": query.owner,
        f"{source.column('updated_at')} < ?": to_microseconds(query.updated_before) if query.updated_before else None,
        f"{source.column('expires_at')} < ?": to_microseconds(query.expires_before) if query.expires_before else None,
    }
    given = {clause: value for clause, value in clauses.items() if value is not None}
    return [*source.clauses, *given], [*source.values, *given.values()]
