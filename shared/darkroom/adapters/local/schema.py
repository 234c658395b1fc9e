"""The tables of the local database, and how a file of an earlier version is brought up to date.

Moments are microseconds since 1970 in UTC.
"""

import sqlite3

_FIRST = (
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE objects (
        bucket TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL,
        size INTEGER NOT NULL, crc32c TEXT NOT NULL, content_type TEXT NOT NULL, metadata TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,  -- of the file; with its size, shows whether the file was changed
        path BLOB NOT NULL,         -- below the bucket's folder
        staged TEXT,                -- file with the content until it is moved to its path
        PRIMARY KEY (bucket, name)) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX objects_by_path ON objects (bucket, path)",
    "CREATE INDEX objects_staged ON objects (staged) WHERE staged IS NOT NULL",
    """CREATE TABLE jobs (
        id TEXT PRIMARY KEY, revision INTEGER NOT NULL, status TEXT NOT NULL, qc_status TEXT NOT NULL,
        owner TEXT NOT NULL, updated_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, body TEXT NOT NULL)""",
    "CREATE INDEX jobs_by_update ON jobs (updated_at, id)",
    "CREATE INDEX jobs_by_status ON jobs (status, updated_at, id)",
    "CREATE INDEX jobs_by_expiry ON jobs (expires_at, id)",
    """CREATE TABLE job_labels (
        job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (job_id, key)) WITHOUT ROWID""",
    "CREATE INDEX job_labels_by_value ON job_labels (key, value, job_id)",
    """CREATE TABLE messages (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, subscription TEXT NOT NULL,
        data BLOB NOT NULL, attributes TEXT NOT NULL, published_at INTEGER NOT NULL,
        available_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        lease TEXT NOT NULL DEFAULT '')""",
    "CREATE INDEX messages_by_subscription ON messages (subscription, sequence)",
    "CREATE INDEX messages_by_time ON messages (subscription, available_at)",
    """CREATE TABLE dead_letters (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, subscription TEXT NOT NULL,
        deliveries INTEGER NOT NULL, data BLOB NOT NULL, attributes TEXT NOT NULL, given_up_at INTEGER NOT NULL)""",
)
_BATCHES = (
    """CREATE TABLE job_batches (
        job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, batch TEXT NOT NULL,
        PRIMARY KEY (job_id, batch)) WITHOUT ROWID""",
    "CREATE INDEX job_batches_by_batch ON job_batches (batch, job_id)",
)
#: Every list is read from an index in the order of the list, and stops when the page is full.
_JOB_INDEXES = (
    "CREATE INDEX jobs_by_verdict ON jobs (qc_status, updated_at, id)",
    "CREATE INDEX jobs_by_status_verdict ON jobs (status, qc_status, updated_at, id)",
    "CREATE INDEX jobs_by_owner ON jobs (owner, updated_at, id)",
    "CREATE INDEX jobs_by_owner_status ON jobs (owner, status, updated_at, id)",
    "CREATE INDEX jobs_by_owner_verdict ON jobs (owner, qc_status, updated_at, id)",
)
#: Labels and batches repeat what their job is filtered and sorted by, so that their index answers alone.
_MEMBERSHIPS = (
    *(
        statement
        for table in ("job_labels", "job_batches")
        for statement in (
            *(
                f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''"
                for column in ("status", "qc_status", "owner")
            ),
            f"ALTER TABLE {table} ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0",
            f"UPDATE {table} SET (status, qc_status, owner, updated_at) = "
            f"(SELECT status, qc_status, owner, updated_at FROM jobs WHERE id = {table}.job_id)",
        )
    ),
    "DROP INDEX job_labels_by_value",
    "DROP INDEX job_batches_by_batch",
    "CREATE INDEX job_labels_by_update ON job_labels (key, value, updated_at, job_id, owner, status, qc_status)",
    "CREATE INDEX job_batches_by_update ON job_batches (batch, updated_at, job_id, owner, qc_status)",
    "CREATE INDEX job_batches_by_status ON job_batches (batch, status, updated_at, job_id, owner, qc_status)",
)


def _counting(table: str, scopes: tuple[str, ...]) -> tuple[str, ...]:
    """Triggers that keep `job_counts` for the rows of `table`; scopes are SQL over `row`."""
    added = "".join(
        f"INSERT INTO job_counts VALUES ({scope.replace('row.', 'NEW.')}, NEW.status, NEW.qc_status, 1) "
        "ON CONFLICT DO UPDATE SET jobs = jobs + 1; "
        for scope in scopes
    )
    removed = "".join(
        f"UPDATE job_counts SET jobs = jobs - 1 WHERE {where}; DELETE FROM job_counts WHERE {where} AND jobs <= 0; "
        for scope in scopes
        for where in (f"scope = {scope.replace('row.', 'OLD.')} AND status = OLD.status AND qc_status = OLD.qc_status",)
    )
    return (
        f"CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN {added} END",
        f"CREATE TRIGGER {table}_removed AFTER DELETE ON {table} BEGIN {removed} END",
        f"CREATE TRIGGER {table}_changed AFTER UPDATE OF status, qc_status, owner ON {table} "
        f"BEGIN {removed} {added} END",
    )


#: How many jobs there are of each status and verdict, in all, of each owner and in each batch.
_COUNTS = (
    """CREATE TABLE job_counts (
        scope TEXT NOT NULL, status TEXT NOT NULL, qc_status TEXT NOT NULL, jobs INTEGER NOT NULL,
        PRIMARY KEY (scope, status, qc_status)) WITHOUT ROWID""",
    "INSERT INTO job_counts SELECT 'all', status, qc_status, count(*) FROM jobs GROUP BY 2, 3",
    "INSERT INTO job_counts SELECT 'owner ' || owner, status, qc_status, count(*) FROM jobs GROUP BY 1, 2, 3",
    "INSERT INTO job_counts SELECT 'batch ' || batch, status, qc_status, count(*) FROM job_batches GROUP BY 1, 2, 3",
    *_counting("jobs", ("'all'", "'owner ' || row.owner")),
    *_counting("job_batches", ("'batch ' || row.batch",)),
)
#: A message that can be leased has no `due_at`; one that is leased or in backoff is found by its `due_at` alone.
_MESSAGES = (
    """CREATE TABLE new_messages (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, subscription TEXT NOT NULL,
        data BLOB NOT NULL, attributes TEXT NOT NULL, published_at INTEGER NOT NULL,
        due_at INTEGER,             -- when the lease or the backoff ends; NULL once the message can be leased
        precedence INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0, lease TEXT NOT NULL DEFAULT '')""",
    """INSERT INTO new_messages (sequence, id, subscription, data, attributes, published_at, due_at, attempts, lease)
        SELECT sequence, id, subscription, data, attributes, published_at,
               CASE WHEN attempts > 0 THEN available_at END, attempts, lease FROM messages""",
    "DROP TABLE messages",
    "ALTER TABLE new_messages RENAME TO messages",
    "CREATE INDEX messages_ready ON messages (subscription, precedence DESC, sequence) WHERE due_at IS NULL",
    "CREATE INDEX messages_due ON messages (subscription, due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX messages_waiting ON messages (subscription, published_at) WHERE due_at IS NOT NULL AND lease = ''",
    "CREATE INDEX messages_leased ON messages (lease) WHERE lease != ''",
)
#: The trigger also counts what a batch of an earlier release refused: one object for each thing.
_TALLIES = (
    "CREATE TABLE tallies (scope TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (scope, key)) WITHOUT ROWID",
    """CREATE TRIGGER tallies_added AFTER INSERT ON tallies BEGIN
        INSERT INTO counters VALUES ('tally ' || NEW.scope, 1) ON CONFLICT DO UPDATE SET value = value + 1; END""",
    """INSERT INTO tallies SELECT 'refused ' || substr(name, 9, 24), name FROM objects
        WHERE name GLOB 'batches/????????????????????????/refused/*.json'""",
)
#: What each version adds to the one before; version 2 is that of release 0.1.0.
_VERSIONS = (_FIRST, _BATCHES, (*_JOB_INDEXES, *_MEMBERSHIPS, *_COUNTS, *_MESSAGES), _TALLIES)
#: Grows with every change of the tables.
SCHEMA_VERSION = len(_VERSIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the tables in the file; 0 for a new file."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make or change the tables, each version in one transaction."""
    for version in range(version_of(connection), SCHEMA_VERSION):
        connection.execute("BEGIN IMMEDIATE")
        for statement in _VERSIONS[version]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")
