"""Adds a message to the tables of the local broker.

The object store uses it too: it publishes in the transaction that writes the object.
"""

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from darkroom.adapters.broker import precedence_of
from darkroom.adapters.local.database import to_microseconds
from darkroom.domain.topology import Subscription


def enqueue(
    connection: sqlite3.Connection,
    subscriptions: Sequence[Subscription],
    *,
    data: bytes,
    attributes: Mapping[str, str],
    now: datetime,
) -> str:
    """Add a message to each subscription, within the caller's transaction, and return its id."""
    message_id = uuid.uuid4().hex
    text = json.dumps(dict(attributes), ensure_ascii=False)
    connection.executemany(
        "INSERT INTO messages (id, subscription, data, attributes, published_at, precedence) VALUES (?,?,?,?,?,?)",
        [
            (message_id, item.name, data, text, to_microseconds(now), precedence_of(item, attributes))
            for item in subscriptions
        ],
    )
    return message_id
