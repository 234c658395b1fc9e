"""Messages in a SQLite file, shared by all processes that work under one root directory."""

import json
import secrets
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared.adapters.broker import (
    Delivery,
    Routes,
    backoff_s,
    check_message,
    dead_letter_attributes,
    given_up,
    is_exhausted,
)
from shared.adapters.local_database import LocalDatabase, from_microseconds, to_microseconds
from shared.adapters.local_queue import enqueue
from shared.adapters.system import SystemClock
from shared.messages import DEAD_LETTER_TOPIC, DeadLetter
from shared.ports import Clock
from shared.topology import SUBSCRIPTIONS, Subscription

_COLUMNS = "sequence, id, subscription, data, attributes, published_at, attempts, lease"
#: Messages that become dead letters in one transaction; the rest follow at the next lease.
_BURIED_AT_ONCE = 100
#: What can be leased at `:now`. The second line are messages from before the clock was set back.
_DUE = """(available_at <= :now
    OR (available_at > :now AND lease = '' AND published_at > :now))"""


class LocalBroker:
    """Messages in a SQLite file.

    `backoff_scale` shortens all backoffs: somebody who watches a laptop does not want to wait ten seconds.
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
        # Looking first keeps an idle deliverer, which asks all the time, from taking the one right to write.
        with self._database.reading() as connection:
            if not _available(connection, chosen, now, limit=1):
                return []
        with self._database.transaction() as connection:
            self._bury_exhausted(connection, chosen, now)
            return [self._lease(connection, row, now) for row in _available(connection, chosen, now, limit=limit)]

    def ack(self, delivery: Delivery) -> bool:
        with self._database.transaction() as connection:
            return _remove(connection, _sequence(delivery), delivery)

    def nack(self, delivery: Delivery, now: datetime) -> bool:
        subscription = self._routes.subscriptions[delivery.subscription]
        with self._database.transaction() as connection:
            if is_exhausted(subscription, delivery.delivery_attempt):
                return self._bury(connection, _sequence(delivery), delivery, now=now)
            delay = timedelta(seconds=backoff_s(subscription, delivery.delivery_attempt, self._scale))
            freed = connection.execute(
                "UPDATE messages SET available_at = ?, lease = '' WHERE sequence = ? AND lease = ?",
                (to_microseconds(now + delay), _sequence(delivery), delivery.lease),
            )
            return freed.rowcount == 1

    def release_leases(self, now: datetime) -> int:
        with self._database.transaction() as connection:
            freed = connection.execute(
                "UPDATE messages SET available_at = ?, lease = '' WHERE lease != ''", (to_microseconds(now),)
            )
            return freed.rowcount

    def pending(self) -> dict[str, int]:
        with self._database.reading() as connection:
            counted = dict(connection.execute("SELECT subscription, count(*) FROM messages GROUP BY subscription"))
        return {name: counted.get(name, 0) for name in self._routes.subscriptions}

    def next_due(self, now: datetime, *, subscriptions: Collection[str] | None = None) -> datetime | None:
        with self._database.reading() as connection:
            chosen = self._routes.chosen(subscriptions)
            if _available(connection, chosen, now, limit=1):
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
            "UPDATE messages SET available_at = ?, attempts = ?, lease = ? WHERE sequence = ?",
            (to_microseconds(deadline), attempts + 1, lease, sequence),
        )
        return _delivery((*row[:-2], attempts + 1, lease))

    def _bury_exhausted(self, connection: sqlite3.Connection, chosen: list[Subscription], now: datetime) -> None:
        moment = to_microseconds(now)
        for item in chosen:
            if item.max_attempts is None:
                continue
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM messages WHERE subscription = :name AND attempts >= :most AND {_DUE} "
                "ORDER BY sequence LIMIT :limit",
                {"name": item.name, "most": item.max_attempts, "now": moment, "limit": _BURIED_AT_ONCE},
            ).fetchall()
            for row in rows:
                self._bury(connection, row[0], _delivery(row), now=now)

    def _bury(self, connection: sqlite3.Connection, sequence: int, delivery: Delivery, *, now: datetime) -> bool:
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


def _available(
    connection: sqlite3.Connection, chosen: list[Subscription], now: datetime, *, limit: int
) -> list[tuple[Any, ...]]:
    """Oldest first. One query per subscription, so that a long queue of one does not stand before the others."""
    rows: list[tuple[Any, ...]] = []
    for item in chosen:
        rows += connection.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE subscription = :name AND {_DUE} ORDER BY sequence LIMIT :limit",
            {"name": item.name, "now": to_microseconds(now), "limit": limit},
        )
    return sorted(rows)[:limit]


def _first_due(connection: sqlite3.Connection, subscription: str) -> int | None:
    found: int | None = connection.execute(
        "SELECT min(available_at) FROM messages WHERE subscription = ?", (subscription,)
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
