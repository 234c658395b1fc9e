"""Builds the HTTP request of a delivery.

The requests are those of Google Cloud: a raw Pub/Sub push, or a binary CloudEvent for an object that was finalized.

* https://cloud.google.com/pubsub/docs/push#receive_push
* https://cloud.google.com/eventarc/docs/workflows/cloudevents
"""

import base64
import json
from dataclasses import dataclass
from urllib.parse import quote

from darkroom.adapters.broker import Delivery
from darkroom.adapters.finalized import rfc3339
from darkroom.domain.topology import SUBSCRIPTIONS, UPLOADS_TOPIC, Subscription

#: Project id in the names of subscriptions and topics on one machine.
PROJECT = "local"
_SUBSCRIPTIONS = {subscription.name: subscription for subscription in SUBSCRIPTIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A POST request to a function."""

    path: str
    headers: dict[str, str]
    body: bytes
    #: Seconds to wait for the answer.
    timeout_s: float


def envelope(delivery: Delivery) -> Envelope:
    """The request that hands a delivery to its function."""
    subscription = _SUBSCRIPTIONS[delivery.subscription]
    is_upload = subscription.topic == UPLOADS_TOPIC
    return Envelope(
        path=function_path(subscription.function, subscription.entry_point),
        headers={"Content-Type": "application/json"} | (_finalized_headers(delivery) if is_upload else {}),
        body=delivery.data if is_upload else _push_body(delivery, subscription),
        timeout_s=subscription.ack_deadline_s,
    )


def schedule_tick(budget_s: float, *, timeout_s: float) -> Envelope:
    """The request of the schedule to the dispatcher: a sweep of at most `budget_s` seconds."""
    path, body = function_path("dispatcher", "on_schedule"), json.dumps({"budget_s": budget_s}).encode()
    return Envelope(path=path, headers={"Content-Type": "application/json"}, body=body, timeout_s=timeout_s)


def function_path(folder: str, entry_point: str) -> str:
    """Where a worker serves a function."""
    return f"/{folder}/{entry_point}"


def _push_body(delivery: Delivery, subscription: Subscription) -> bytes:
    message = {
        "data": base64.b64encode(delivery.data).decode(),
        "messageId": delivery.id,
        "publishTime": rfc3339(delivery.published_at),
        "attributes": dict(delivery.attributes),
    }
    body = {
        "subscription": f"projects/{PROJECT}/subscriptions/{subscription.name}",
        "message": message,
        "deliveryAttempt": delivery.delivery_attempt,
    }
    return json.dumps(body).encode()


def _finalized_headers(delivery: Delivery) -> dict[str, str]:
    bucket, name = delivery.attributes["bucketId"], delivery.attributes["objectId"]
    return {
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.storage.object.v1.finalized",
        "ce-source": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
        # Headers are ASCII: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
        "ce-subject": f"objects/{quote(name)}",
        "ce-bucket": bucket,
        "ce-id": delivery.id,
        "ce-time": delivery.attributes["eventTime"],
    }
