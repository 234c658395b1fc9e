"""Reservations in the SQLite file of the local backend."""

import secrets
import sqlite3
from pathlib import Path

from darkroom.adapters.local.database import LocalDatabase
from darkroom.domain.errors import RevisionConflict
from darkroom.domain.quota import Reservations

#: Created on first use: a home without limits never has the table.
_TABLE = "CREATE TABLE IF NOT EXISTS reservations (owner TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID"


class LocalReservationStore:
    """Reservations in a SQLite file."""

    def __init__(self, root: Path) -> None:
        self._database = LocalDatabase(root)

    def get(self, owner: str) -> Reservations:
        with self._database.transaction() as connection:
            return _stored(connection, owner)

    def save(self, reservations: Reservations) -> Reservations:
        owner = reservations.owner
        with self._database.transaction() as connection:
            if _stored(connection, owner).version != reservations.version:
                raise RevisionConflict(f"the reservations of {owner!r} were saved by another process")
            connection.execute("DELETE FROM reservations WHERE owner = ?", (owner,))
            if not reservations.entries:
                return Reservations(owner=owner)
            saved = reservations.model_copy(update={"version": secrets.token_hex(8)})
            connection.execute("INSERT INTO reservations VALUES (?, ?)", (owner, saved.model_dump_json()))
            return saved

    def close(self) -> None:
        """Give the database file back; the next use opens it again."""
        self._database.close()


def _stored(connection: sqlite3.Connection, owner: str) -> Reservations:
    connection.execute(_TABLE)
    row = connection.execute("SELECT body FROM reservations WHERE owner = ?", (owner,)).fetchone()
    return Reservations(owner=owner) if row is None else Reservations.model_validate_json(row[0])
