"""The contract of message brokers, and the rules that all brokers share.

    publish ──▶ waiting ──lease──▶ leased ──ack──▶ deleted
                  ▲                  │
                  ├──── deadline ────┤
                  └─ nack, backoff ──┴─ after max_attempts ──▶ topic dead-letters

A delivery is counted when it is leased. The rules are those of Pub/Sub push subscriptions.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from darkroom.adapters.finalized import rfc3339
from darkroom.domain.envelope import STEPS_DONE
from darkroom.domain.errors import BadMessage, ConfigurationError
from darkroom.domain.messages import DeadLetter
from darkroom.domain.topology import Subscription
from darkroom.runtime.ports import Publisher

#: Largest message of Pub/Sub: https://cloud.google.com/pubsub/quotas#resource_limits
MAX_MESSAGE_BYTES = 10_000_000
#: Precedence of urgent messages; greater than every number of steps, which has three digits, and every precedence.
_URGENT_PRECEDENCE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One handing over of one message to one subscription."""

    #: Id of the message, the same in every delivery and every subscription.
    id: str
    subscription: str
    data: bytes
    attributes: Mapping[str, str]
    #: 1 at the first delivery.
    delivery_attempt: int
    published_at: datetime
    #: Names this delivery; a later delivery of the same message has another one.
    lease: str


class Broker(Publisher, Protocol):
    """Keeps messages until they are acknowledged. The caller passes the time; no call waits.

    Clocks are set back now and then: a message that is not leased and was published later than now is due.
    """

    def lease(self, now: datetime, *, limit: int = 1, subscriptions: Collection[str] | None = None) -> list[Delivery]:
        """The first available messages, each now leased until its subscription's ack deadline.

        Those of greater precedence come first, and of the same precedence the oldest. See `precedence_of`.

        Messages that were delivered `max_attempts` times and whose last lease has expired become dead letters here.
        """

    def ack(self, delivery: Delivery) -> bool:
        """Delete the message. Return False and change nothing if it was leased again or deleted already."""

    def nack(self, delivery: Delivery, now: datetime) -> bool:
        """Deliver the message again after its backoff, or make it a dead letter if that was its last attempt.

        Returns False and changes nothing if it was leased again or deleted already.
        """

    def release_leases(self, now: datetime) -> int:
        """Make all leased messages available at once, and return how many they were.

        For a deliverer that starts after it was killed. The deliveries that it broke off count as attempts like those
        whose lease expired: the message itself may have crashed it, for example by using all memory, and must
        become a dead letter in the end.
        """

    def pending(self) -> dict[str, int]:
        """How many messages each subscription has that are not acknowledged; 0 for idle ones."""

    def waiting_since(self) -> Mapping[str, datetime] | None:
        """See `darkroom.runtime.ports.Backlog`."""

    def next_due(self, now: datetime, *, subscriptions: Collection[str] | None = None) -> datetime | None:
        """When there will be something to lease: `now` if there is already, None if there is no message at all."""

    def dead_letters(self) -> list[DeadLetter]:
        """All messages that were given up, oldest first, whether or not their dead letters were acknowledged."""


class Routes:
    """Which subscriptions does a topic have?"""

    def __init__(self, subscriptions: Iterable[Subscription]) -> None:
        self.subscriptions = {subscription.name: subscription for subscription in subscriptions}
        self._topics: dict[str, list[Subscription]] = {}
        for subscription in self.subscriptions.values():
            self._topics.setdefault(subscription.topic, []).append(subscription)

    def of(self, topic: str) -> list[Subscription]:
        """The topic's subscriptions. Raises ConfigurationError if there is none: its messages would vanish."""
        if topic not in self._topics:
            known = ", ".join(sorted(self._topics))
            raise ConfigurationError(f"topic {topic!r} has no subscription, only these topics have any: {known}")
        return self._topics[topic]

    def chosen(self, names: Collection[str] | None) -> list[Subscription]:
        """The named subscriptions, or all of them."""
        return [item for item in self.subscriptions.values() if names is None or item.name in names]

    def dead_letter_subscriptions(self, topic: str) -> list[Subscription]:
        """As `of`, but a topic for dead letters may have none: `Broker.dead_letters` still lists them."""
        return self._topics.get(topic, [])


def precedence_of(subscription: Subscription, attributes: Mapping[str, str]) -> int:
    """The precedence of a message in a queue on one machine: the number of finished steps of its job.

    So a started job is finished before the next one starts, and few artifacts exist at the same time. Messages
    of the subscription's urgent types go before all others.
    """
    if attributes.get("type") in subscription.urgent_types:
        return _URGENT_PRECEDENCE
    steps = attributes.get(STEPS_DONE, "0")
    return subscription.precedence + (int(steps) if steps.isascii() and steps.isdigit() and len(steps) < 4 else 0)


def check_message(topic: str, data: bytes) -> None:
    """Raises BadMessage, with value and limit, for what Pub/Sub would refuse or its push could not deliver."""
    if not data:
        # A push of a message without data has no `data` key, and functions-framework answers it with 400 for ever.
        raise BadMessage(f"message for topic {topic} has no data", code="empty_message")
    if len(data) > MAX_MESSAGE_BYTES:
        raise BadMessage(
            f"message for topic {topic} has {len(data)} bytes, at most {MAX_MESSAGE_BYTES} are allowed",
            code="message_too_large",
        )


def is_exhausted(subscription: Subscription, attempts: int) -> bool:
    """Whether a message that was delivered `attempts` times is given up."""
    return subscription.max_attempts is not None and attempts >= subscription.max_attempts


def backoff_s(subscription: Subscription, attempts: int, scale: float) -> float:
    """Seconds until a message that failed `attempts` times is delivered again: more each time, up to the longest."""
    # Beyond every longest backoff; the cap keeps the power finite for messages that are tried for ever.
    grown = subscription.min_backoff_s * subscription.backoff_factor ** min(attempts - 1, 64)
    return min(grown, subscription.max_backoff_s) * scale


def dead_letter_attributes(delivery: Delivery) -> dict[str, str]:
    """The attributes of a message on the dead-letter topic, as Pub/Sub sets them.

    https://cloud.google.com/pubsub/docs/dead-letter-topics#how_dead_letter_topics_work
    """
    return dict(delivery.attributes) | {
        "CloudPubSubDeadLetterSourceSubscription": delivery.subscription,
        "CloudPubSubDeadLetterSourceDeliveryCount": str(delivery.delivery_attempt),
        "CloudPubSubDeadLetterSourceTopicPublishTime": rfc3339(delivery.published_at),
    }


def given_up(delivery: Delivery) -> DeadLetter:
    """The record of a message after its last delivery."""
    return DeadLetter(
        message_id=delivery.id,
        subscription=delivery.subscription,
        deliveries=delivery.delivery_attempt,
        data=delivery.data,
        attributes=dict(delivery.attributes),
    )
