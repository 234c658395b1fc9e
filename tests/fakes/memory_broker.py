"""Messages in memory, for runs in one process and for tests."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from darkroom.adapters.broker import (
    Delivery,
    Routes,
    backoff_s,
    check_message,
    dead_letter_attributes,
    given_up,
    is_exhausted,
    precedence_of,
)
from darkroom.adapters.system import SystemClock
from darkroom.domain.messages import DEAD_LETTER_TOPIC, DeadLetter
from darkroom.domain.topology import SUBSCRIPTIONS, Subscription
from darkroom.runtime.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A message in one subscription: its last delivery, with attempt 0 and no lease before the first."""

    delivery: Delivery
    available_at: datetime

    @property
    def is_leased(self) -> bool:
        return self.delivery.lease != ""

    def is_due(self, now: datetime) -> bool:
        """Whether the message can be leased; one that was published later than now is older than it looks."""
        return self.available_at <= now or (not self.is_leased and self.delivery.published_at > now)


class MemoryBroker:
    """Messages in memory."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        subscriptions: Collection[Subscription] = SUBSCRIPTIONS,
        backoff_scale: float = 1.0,
    ) -> None:
        self._clock = clock or SystemClock()
        self._routes = Routes(subscriptions)
        self._scale = backoff_scale
        #: Per subscription, by sequence number: messages keep their place when they are delivered again.
        self._waiting: dict[str, dict[int, _Waiting]] = {name: {} for name in self._routes.subscriptions}
        self._given_up: list[DeadLetter] = []
        self._sequence = 0
        self._lock = threading.RLock()

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        check_message(topic, data)
        with self._lock:
            return self._publish(self._routes.of(topic), data, attributes, self._clock.now())

    def lease(self, now: datetime, *, limit: int = 1, subscriptions: Collection[str] | None = None) -> list[Delivery]:
        with self._lock:
            chosen = self._routes.chosen(subscriptions)
            self._give_up_exhausted(chosen, now)
            available = sorted(
                (-precedence_of(item, waiting.delivery.attributes), sequence, item.name)
                for item in chosen
                for sequence, waiting in self._waiting[item.name].items()
                if waiting.is_due(now)
            )
            return [self._lease(name, sequence, now) for _, sequence, name in available[:limit]]

    def ack(self, delivery: Delivery) -> bool:
        with self._lock:
            sequence = self._leased(delivery)
            return sequence is not None and bool(self._waiting[delivery.subscription].pop(sequence))

    def nack(self, delivery: Delivery, now: datetime) -> bool:
        with self._lock:
            sequence = self._leased(delivery)
            if sequence is None:
                return False
            subscription = self._routes.subscriptions[delivery.subscription]
            if is_exhausted(subscription, delivery.delivery_attempt):
                self._give_up(sequence, delivery, now)
                return True
            delay = timedelta(seconds=backoff_s(subscription, delivery.delivery_attempt, self._scale))
            free = _Waiting(delivery=replace(delivery, lease=""), available_at=now + delay)
            self._waiting[delivery.subscription][sequence] = free
            return True

    def release_leases(self, now: datetime) -> int:
        with self._lock:
            leased = [
                (messages, sequence, waiting.delivery)
                for messages in self._waiting.values()
                for sequence, waiting in messages.items()
                if waiting.is_leased
            ]
            for messages, sequence, delivery in leased:
                messages[sequence] = _Waiting(delivery=replace(delivery, lease=""), available_at=now)
            return len(leased)

    def pending(self) -> dict[str, int]:
        with self._lock:
            return {name: len(messages) for name, messages in self._waiting.items()}

    def waiting_since(self) -> Mapping[str, datetime]:
        with self._lock:
            return {
                name: min(each.delivery.published_at for each in messages.values())
                for name, messages in self._waiting.items()
                if messages
            }

    def next_due(self, now: datetime, *, subscriptions: Collection[str] | None = None) -> datetime | None:
        with self._lock:
            chosen = self._routes.chosen(subscriptions)
            waiting = [each for item in chosen for each in self._waiting[item.name].values()]
            due = [now if each.is_due(now) else each.available_at for each in waiting]
            return min(due, default=None)

    def dead_letters(self) -> list[DeadLetter]:
        with self._lock:
            return list(self._given_up)

    def _publish(
        self, subscriptions: list[Subscription], data: bytes, attributes: Mapping[str, str], now: datetime
    ) -> str:
        self._sequence += 1
        for item in subscriptions:
            delivery = Delivery(
                id=str(self._sequence),
                subscription=item.name,
                data=data,
                attributes=dict(attributes),
                delivery_attempt=0,
                published_at=now,
                lease="",
            )
            self._waiting[item.name][self._sequence] = _Waiting(delivery=delivery, available_at=now)
        return str(self._sequence)

    def _lease(self, subscription: str, sequence: int, now: datetime) -> Delivery:
        last = self._waiting[subscription][sequence].delivery
        self._sequence += 1
        delivery = replace(last, delivery_attempt=last.delivery_attempt + 1, lease=f"{sequence}:{self._sequence}")
        deadline = now + timedelta(seconds=self._routes.subscriptions[subscription].ack_deadline_s)
        self._waiting[subscription][sequence] = _Waiting(delivery=delivery, available_at=deadline)
        return delivery

    def _leased(self, delivery: Delivery) -> int | None:
        """The sequence number of the message, if `delivery` still is its last one."""
        sequence = int(delivery.lease.partition(":")[0])
        waiting = self._waiting[delivery.subscription].get(sequence)
        return sequence if waiting is not None and waiting.delivery.lease == delivery.lease else None

    def _give_up_exhausted(self, chosen: list[Subscription], now: datetime) -> None:
        for item in chosen:
            for sequence, waiting in list(self._waiting[item.name].items()):
                if waiting.is_due(now) and is_exhausted(item, waiting.delivery.delivery_attempt):
                    self._give_up(sequence, waiting.delivery, now)

    def _give_up(self, sequence: int, delivery: Delivery, now: datetime) -> None:
        del self._waiting[delivery.subscription][sequence]
        self._given_up.append(given_up(delivery))
        receivers = self._routes.dead_letter_subscriptions(DEAD_LETTER_TOPIC)
        self._publish(receivers, delivery.data, dead_letter_attributes(delivery), now)
