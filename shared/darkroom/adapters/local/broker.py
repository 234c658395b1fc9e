"""Messages in a SQLite file, shared by all processes that work under one root directory."""

import json
import secrets
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from darkroom.adapters.broker import (
    Delivery,
    Routes,
    backoff_s,
    check_message,
    dead_letter_attributes,
    given_up,
    is_exhausted,
)
from darkroom.adapters.local.database import LocalDatabase, from_microseconds, to_microseconds
from darkroom.adapters.local.queue import enqueue
from darkroom.adapters.system import SystemClock
from darkroom.domain.messages import DEAD_LETTER_TOPIC, DeadLetter
from darkroom.domain.topology import SUBSCRIPTIONS, Subscription
from darkroom.runtime.ports import Clock

_COLUMNS = "sequence, id, subscription, data, attributes, published_at, attempts, lease"
#: Messages that become available again in one transaction; the rest follow at the next lease.
_DUE_AT_ONCE = 1000
#: Those of them that become dead letters in one transaction.
_DEAD_LETTERS_AT_ONCE = 100
#: Messages whose lease or backoff has ended, and those in backoff from before the clock was set back.
_DUE = (
    "subscription = :name AND due_at IS NOT NULL AND due_at <= :now",
    "subscription = :name AND due_at IS NOT NULL AND lease = '' AND published_at > :now",
)
_READY = "subscription = :name AND due_at IS NULL"


class LocalBroker:
    """Messages in a SQLite file.

    `backoff_scale` multiplies all backoffs.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock | None = None,
        subscriptions: Collection[Subscription] = SUBSCRIPTIONS,
        backoff_scale: float = 1.0,
    ) -> None:
        self._database = LocalDatabase(root)
        self._clock = clock or SystemClock()
        self._routes = Routes(subscriptions)
        self._scale = backoff_scale

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        check_message(topic, data)
        receivers = self._routes.of(topic)
        with self._database.transaction() as connection:
            return enqueue(connection, receivers, data=data, attributes=attributes, now=self._clock.now())

    def lease(self, now: datetime, *, limit: int = 1, subscriptions: Collection[str] | None = None) -> list[Delivery]:
        chosen = self._routes.chosen(subscriptions)
        # This read first keeps an idle caller, which polls all the time, from taking the write lock.
        with self._database.reading() as connection:
            if not any(_can_be_leased(connection, item, now) for item in chosen):
                return []
        with self._database.transaction() as connection:
            for item in chosen:
                self._free_due(connection, item, now)
            return [self._lease(connection, row, now) for row in _ready(connection, chosen, limit)]

    def ack(self, delivery: Delivery) -> bool:
        with self._database.transaction() as connection:
            return _remove(connection, _sequence(delivery), delivery)

    def nack(self, delivery: Delivery, now: datetime) -> bool:
        subscription = self._routes.subscriptions[delivery.subscription]
        with self._database.transaction() as connection:
            if is_exhausted(subscription, delivery.delivery_attempt):
                return self._give_up(connection, _sequence(delivery), delivery, now=now)
            delay = timedelta(seconds=backoff_s(subscription, delivery.delivery_attempt, self._scale))
            freed = connection.execute(
                "UPDATE messages SET due_at = ?, lease = '' WHERE sequence = ? AND lease = ?",
                (to_microseconds(now + delay), _sequence(delivery), delivery.lease),
            )
            return freed.rowcount == 1

    def release_leases(self, now: datetime) -> int:
        with self._database.transaction() as connection:
            freed = connection.execute(
                "UPDATE messages SET due_at = ?, lease = '' WHERE lease != ''", (to_microseconds(now),)
            )
            return freed.rowcount

    def pending(self) -> dict[str, int]:
        with self._database.reading() as connection:
            counted = dict(connection.execute("SELECT subscription, count(*) FROM messages GROUP BY subscription"))
        return {name: counted.get(name, 0) for name in self._routes.subscriptions}

    def waiting_since(self) -> Mapping[str, datetime]:
        # The oldest by sequence, which an index finds at once; times differ from that order only by a clock set back.
        oldest = "SELECT published_at FROM messages WHERE subscription = ? ORDER BY sequence LIMIT 1"
        with self._database.reading() as connection:
            found = {name: connection.execute(oldest, (name,)).fetchone() for name in self._routes.subscriptions}
        return {name: from_microseconds(row[0]) for name, row in found.items() if row}

    def next_due(self, now: datetime, *, subscriptions: Collection[str] | None = None) -> datetime | None:
        with self._database.reading() as connection:
            chosen = self._routes.chosen(subscriptions)
            if any(_can_be_leased(connection, item, now) for item in chosen):
                return now
            due = [_first_due(connection, item.name) for item in chosen]
        moments = [moment for moment in due if moment is not None]
        return max(now, from_microseconds(min(moments))) if moments else None

    def dead_letters(self) -> list[DeadLetter]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id, subscription, deliveries, data, attributes FROM dead_letters ORDER BY sequence"
            ).fetchall()
        return [
            DeadLetter(message_id=id_, subscription=name, deliveries=n, data=data, attributes=json.loads(text))
            for id_, name, n, data, text in rows
        ]

    def close(self) -> None:
        """Give the database file back; the next use opens it again."""
        self._database.close()

    def _lease(self, connection: sqlite3.Connection, row: Sequence[Any], now: datetime) -> Delivery:
        sequence, _, name, *_, attempts, _ = row
        deadline = now + timedelta(seconds=self._routes.subscriptions[name].ack_deadline_s)
        lease = f"{sequence}:{secrets.token_hex(8)}"
        connection.execute(
            "UPDATE messages SET due_at = ?, attempts = ?, lease = ? WHERE sequence = ?",
            (to_microseconds(deadline), attempts + 1, lease, sequence),
        )
        return _delivery((*row[:-2], attempts + 1, lease))

    def _free_due(self, connection: sqlite3.Connection, item: Subscription, now: datetime) -> None:
        """Make available what is due, or a dead letter of it after its last attempt. Each message passes here once."""
        buried = 0
        for sequence, attempts in _due(connection, item, now):
            if not is_exhausted(item, attempts):
                connection.execute("UPDATE messages SET due_at = NULL WHERE sequence = ?", (sequence,))
            elif buried < _DEAD_LETTERS_AT_ONCE:
                (row,) = connection.execute(f"SELECT {_COLUMNS} FROM messages WHERE sequence = ?", (sequence,))
                buried += self._give_up(connection, sequence, _delivery(row), now=now)

    def _give_up(self, connection: sqlite3.Connection, sequence: int, delivery: Delivery, *, now: datetime) -> bool:
        if not _remove(connection, sequence, delivery):
            return False
        letter = given_up(delivery)
        connection.execute(
            "INSERT INTO dead_letters (id, subscription, deliveries, data, attributes, given_up_at) "
            "VALUES (?,?,?,?,?,?)",
            (
                letter.message_id,
                letter.subscription,
                letter.deliveries,
                letter.data,
                json.dumps(letter.attributes, ensure_ascii=False),
                to_microseconds(now),
            ),
        )
        receivers = self._routes.dead_letter_subscriptions(DEAD_LETTER_TOPIC)
        enqueue(connection, receivers, data=delivery.data, attributes=dead_letter_attributes(delivery), now=now)
        return True


def _can_be_leased(connection: sqlite3.Connection, item: Subscription, now: datetime) -> bool:
    exists = " OR ".join(f"EXISTS (SELECT 1 FROM messages WHERE {condition})" for condition in (_READY, *_DUE))
    row = connection.execute(f"SELECT {exists}", {"name": item.name, "now": to_microseconds(now)}).fetchone()
    return bool(row[0])


def _due(connection: sqlite3.Connection, item: Subscription, now: datetime) -> list[tuple[int, int]]:
    """Sequence and attempts of some messages that are due."""
    values = {"name": item.name, "now": to_microseconds(now), "limit": _DUE_AT_ONCE}
    found: dict[int, int] = {}
    for condition in _DUE:
        found |= dict(
            connection.execute(f"SELECT sequence, attempts FROM messages WHERE {condition} LIMIT :limit", values)
        )
    return sorted(found.items())


def _ready(connection: sqlite3.Connection, chosen: list[Subscription], limit: int) -> list[tuple[Any, ...]]:
    """The first available messages. One query per subscription, so that each stops at its limit."""
    found: list[tuple[int, int, tuple[Any, ...]]] = []
    for item in chosen:
        rows = connection.execute(
            f"SELECT -precedence, {_COLUMNS} FROM messages WHERE {_READY} "
            "ORDER BY precedence DESC, sequence LIMIT :limit",
            {"name": item.name, "limit": limit},
        )
        found += [(rank, sequence, (sequence, *row)) for rank, sequence, *row in rows]
    return [row for _, _, row in sorted(found)[:limit]]


def _first_due(connection: sqlite3.Connection, subscription: str) -> int | None:
    found: int | None = connection.execute(
        "SELECT min(due_at) FROM messages WHERE subscription = ? AND due_at IS NOT NULL", (subscription,)
    ).fetchone()[0]
    return found


def _remove(connection: sqlite3.Connection, sequence: int, delivery: Delivery) -> bool:
    """Whether the message was there and had the delivery's lease, which is none after leases were released."""
    removed = connection.execute("DELETE FROM messages WHERE sequence = ? AND lease = ?", (sequence, delivery.lease))
    return removed.rowcount == 1


def _sequence(delivery: Delivery) -> int:
    return int(delivery.lease.partition(":")[0])


def _delivery(row: Sequence[Any]) -> Delivery:
    _, message_id, name, data, attributes, published_at, attempts, lease = row
    return Delivery(
        id=message_id,
        subscription=name,
        data=data,
        attributes=json.loads(attributes),
        delivery_attempt=attempts,
        published_at=from_microseconds(published_at),
        lease=lease,
    )
