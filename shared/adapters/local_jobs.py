"""Jobs in a SQLite file, shared by all processes that work under one root directory."""

import sqlite3
from collections.abc import Collection
from itertools import islice
from pathlib import Path

from shared.adapters.job_pages import Position, check_countable, order_of, page_of, position_of
from shared.adapters.local_database import LocalDatabase, to_microseconds
from shared.errors import JobExists, JobNotFound, RevisionConflict
from shared.job import Job
from shared.ports import JobPage, JobQuery

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
            _write(connection, stored)
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
            _write(connection, saved)
        return saved

    def query(self, query: JobQuery) -> JobPage:
        statement, values = _select(query, position_of(query))
        with self._database.reading() as connection:
            rows = connection.execute(statement, values).fetchall()
        return page_of([Job.model_validate_json(body) for (body,) in rows], query)

    def count(self, query: JobQuery) -> int:
        check_countable(query)
        clauses, values = _conditions(query)
        with self._database.reading() as connection:
            row = connection.execute(
                f"SELECT count(*) FROM jobs WHERE {' AND '.join(clauses) or '1'}", values
            ).fetchone()
        found: int = row[0]
        return found

    def absent(self, job_ids: Collection[str]) -> set[str]:
        remaining, asked = set(job_ids), iter(set(job_ids))
        while chunk := list(islice(asked, _IDS_AT_ONCE)):
            marks = ",".join("?" * len(chunk))
            with self._database.reading() as connection:
                remaining -= {row[0] for row in connection.execute(f"SELECT id FROM jobs WHERE id IN ({marks})", chunk)}
        return remaining

    def delete(self, job_id: str) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def close(self) -> None:
        """Give the database file back; the next use opens it again."""
        self._database.close()


def _revision(connection: sqlite3.Connection, job_id: str) -> int | None:
    row = connection.execute("SELECT revision FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return None if row is None else row[0]


def _write(connection: sqlite3.Connection, job: Job) -> None:
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
    connection.executemany("INSERT INTO job_labels VALUES (?,?,?)", [(job.id, k, v) for k, v in job.labels.items()])
    connection.executemany("INSERT INTO job_batches VALUES (?,?)", [(job.id, batch) for batch in job.batches])


def _select(query: JobQuery, position: Position | None) -> tuple[str, list[str | int]]:
    """The statement for one page and the first job after it."""
    order = order_of(query)
    clauses, values = _conditions(query)
    if position is not None:
        clauses.append(f"({order.field}, id) {'<' if order.descending else '>'} (?, ?)")
        values += [to_microseconds(position.moment), position.job_id]
    where = " AND ".join(clauses) or "1"
    direction = "DESC" if order.descending else "ASC"
    statement = f"SELECT body FROM jobs WHERE {where} ORDER BY {order.field} {direction}, id {direction} LIMIT ?"
    return statement, [*values, query.limit + 1]


def _conditions(query: JobQuery) -> tuple[list[str], list[str | int]]:
    """What the jobs must meet, as SQL with one value for each question mark."""
    asked: dict[str, str | int | None] = {
        "status = ?": query.status,
        "qc_status = ?": query.qc_status,
        "owner = ?": query.owner,
        "updated_at < ?": to_microseconds(query.updated_before) if query.updated_before else None,
        "expires_at < ?": to_microseconds(query.expires_before) if query.expires_before else None,
    }
    given = {clause: value for clause, value in asked.items() if value is not None}
    clauses, values = list(given), list(given.values())
    if query.label is not None:
        clauses.append("id IN (SELECT job_id FROM job_labels WHERE key = ? AND value = ?)")
        values += query.label
    if query.batch is not None:
        clauses.append("id IN (SELECT job_id FROM job_batches WHERE batch = ?)")
        values.append(query.batch)
    return clauses, values
