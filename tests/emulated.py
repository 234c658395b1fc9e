"""Google's Pub/Sub behind the `Broker` interface, so that a `World` can be delivered from the emulator by hand.

Topics and subscriptions are made as `darkroom.domain.topology` says, each message is pulled, and acknowledgement,
redelivery and the deadline are the service's own.
"""

import time
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from google.cloud import pubsub_v1

from darkroom.adapters.broker import Delivery
from darkroom.adapters.gcp.pubsub import PubsubPublisher
from darkroom.domain.messages import DeadLetter
from darkroom.domain.topology import SUBSCRIPTIONS, Subscription

#: Seconds for which a message is waited for; a cold emulator on a busy machine takes longer than one.
PATIENCE_S = 4.0


class PulledBroker:
    """Subscriptions of one project on a Pub/Sub emulator."""

    def __init__(
        self, project: str, publisher: PubsubPublisher, *, subscriptions: Collection[Subscription] = SUBSCRIPTIONS
    ) -> None:
        self._project = project
        self._publisher = publisher
        self._client = pubsub_v1.SubscriberClient()
        self._names = [subscription.name for subscription in subscriptions]
        self._create(subscriptions)

    def _create(self, subscriptions: Collection[Subscription]) -> None:
        topics = pubsub_v1.PublisherClient()
        for topic in {subscription.topic for subscription in subscriptions}:
            topics.create_topic(name=topics.topic_path(self._project, topic))
        for item in subscriptions:
            request: dict[str, Any] = {
                "name": self._path(item.name),
                "topic": topics.topic_path(self._project, item.topic),
                "ack_deadline_seconds": item.ack_deadline_s,
            }
            if item.max_attempts:
                dead = topics.topic_path(self._project, "dead-letters")
                request["dead_letter_policy"] = {
                    "dead_letter_topic": dead,
                    "max_delivery_attempts": item.max_attempts,
                }
            self._client.create_subscription(request=request)

    def _path(self, name: str) -> str:
        path: str = self._client.subscription_path(self._project, name)
        return path

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        return self._publisher.publish(topic, data, attributes)

    def lease(self, now: datetime, *, limit: int = 1, subscriptions: Collection[str] | None = None) -> list[Delivery]:
        """What is there; an empty answer only after every subscription stayed empty for a while."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = [d for name in subscriptions or self._names for d in self._pull(name, limit)]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def _pull(self, name: str, limit: int) -> list[Delivery]:
        request = {"subscription": self._path(name), "max_messages": limit, "return_immediately": True}
        answer = self._client.pull(request=request, timeout=10.0)
        return [self._delivery(name, received) for received in answer.received_messages]

    def _delivery(self, name: str, received: Any) -> Delivery:
        message = received.message
        return Delivery(
            id=message.message_id,
            subscription=name,
            data=message.data,
            attributes=dict(message.attributes),
            delivery_attempt=received.delivery_attempt or 1,
            published_at=message.publish_time,
            lease=received.ack_id,
        )

    def ack(self, delivery: Delivery) -> bool:
        self._client.acknowledge(subscription=self._path(delivery.subscription), ack_ids=[delivery.lease])
        return True

    def nack(self, delivery: Delivery, now: datetime) -> bool:
        self._client.modify_ack_deadline(
            subscription=self._path(delivery.subscription), ack_ids=[delivery.lease], ack_deadline_seconds=0
        )
        return True

    def release_leases(self, now: datetime) -> int:
        raise NotImplementedError("the service decides when a lease ends")

    def next_due(self, now: datetime, *, subscriptions: Collection[str] | None = None) -> datetime | None:
        """The service does not tell; `lease` waits instead."""
        return None

    def pending(self) -> dict[str, int]:
        """The service does not tell; asking for messages until none comes says the same."""
        return dict.fromkeys(self._names, 0)

    def waiting_since(self) -> Mapping[str, datetime] | None:
        """The emulator measures nothing."""
        return None

    def dead_letters(self) -> list[DeadLetter]:
        raise NotImplementedError("dead letters come through their subscription")
