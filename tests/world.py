"""A whole Darkroom in one process: real handlers and real stages over any adapters, delivered by hand.

`World.deliver` plays the transport: it leases messages, calls the handler that the subscription names, acknowledges
or, if the handler raises, delivers again. A `Crash` ends a handler as the death of its process would.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from darkroom.adapters.broker import Broker, Delivery
from darkroom.domain.envelope import Message, decode
from darkroom.domain.errors import DarkroomError, PermanentError
from darkroom.domain.job import Job, job_id
from darkroom.domain.messages import DeadLetter, StageEvent, StageRequested
from darkroom.domain.products.messages import ProductMessage
from darkroom.domain.topology import STAGES, SUBSCRIPTIONS, UPLOADS_TOPIC, Subscription, stage_subscription
from darkroom.domain.webhooks import CallbackDue
from darkroom.handlers.batches import handle_batch_message
from darkroom.handlers.dead_letters import record_dead_letter
from darkroom.handlers.events import apply_stage_event
from darkroom.handlers.imports import Fetch, handle_import_message
from darkroom.handlers.stages import run_stage
from darkroom.handlers.uploads import accept_upload
from darkroom.handlers.webhooks import Post, deliver_callback
from darkroom.inference.registry import Registry
from darkroom.runtime.bootstrap import LazyModels
from darkroom.runtime.functions import parse_upload
from darkroom.runtime.ports import JobStore, NewObject, ObjectStore, Usage
from darkroom.runtime.settings import Settings
from darkroom.runtime.system import System
from tests.fakes.memory import ManualClock, MemoryJobStore, MemoryObjectStore
from tests.fakes.memory_broker import MemoryBroker
from tests.fakes.memory_reservations import MemoryReservationStore
from tests.fakes.remembered_models import RememberedModels

BY_SUBSCRIPTION = {stage_subscription(stage).name: stage for stage in STAGES}


class Crash(BaseException):
    """The death of the process; not an Exception, so that no handler can catch it."""


def no_network(url: str) -> bytes:
    """Stands for the network of a test that fetches nothing."""
    raise PermanentError(f"nobody was to fetch {url}", code="url_failed")


def nobody_listens(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Stands for the network of a test that tells nobody."""
    raise PermanentError(f"nobody was to be told at {url}", code="url_failed")


class FixedMeter:
    """Measures the same for everything, so that two runs can be compared bit for bit."""

    def start(self) -> None:
        return None

    def stop(self) -> Usage:
        return Usage(elapsed_ms=1.0, peak_memory_mb=100.0)


@dataclass
class World:
    """The system, its broker, and the clock that both follow."""

    system: System
    broker: Broker
    clock: ManualClock
    #: The adapters themselves, without what `wrap` put around them: for the test's own looks.
    raw_objects: ObjectStore
    raw_jobs: JobStore
    #: Subscription names of all deliveries, in order.
    delivered: list[str] = field(default_factory=list)
    #: What the importer fetches with; there is no network.
    fetch: Fetch = no_network
    #: What callbacks are posted with.
    post: Post = nobody_listens

    def drop(self, name: str, data: bytes, **metadata: str) -> str:
        """Put an upload into its bucket and return the id of its job."""
        new = NewObject(data=data, content_type="image/jpeg", metadata=metadata)
        info = self.raw_objects.put(self.system.settings.uploads_bucket, name, new)
        return job_id(info.ref)

    def job(self, job_id: str) -> Job:
        return self.raw_jobs.get(job_id)

    def handle(self, delivery: Delivery) -> None:
        """Call the handler that serves the delivery's subscription."""
        self.delivered.append(delivery.subscription)
        if delivery.subscription == "dispatcher-uploads":
            accept_upload(self.system, parse_upload(json.loads(delivery.data)))
        elif delivery.subscription == "dispatcher-dead-letters":
            record_dead_letter(self.system, _letter(delivery))
        else:
            self._handle_message(delivery, decode(delivery.data))

    def _handle_message(self, delivery: Delivery, message: Message) -> None:
        if delivery.subscription == "dispatcher-batches":
            assert isinstance(message, ProductMessage)
            handle_batch_message(self.system, message)
        elif delivery.subscription == "importer-imports":
            assert isinstance(message, ProductMessage)
            handle_import_message(self.system, message, self.fetch)
        elif delivery.subscription == "importer-callbacks":
            assert isinstance(message, CallbackDue)
            deliver_callback(self.system, message, post=self.post, signing_key=self.system.settings.signing_key)
        elif delivery.subscription == "dispatcher-stage-events":
            assert isinstance(message, StageEvent)
            apply_stage_event(self.system, message, message_id=delivery.id)
        else:
            assert isinstance(message, StageRequested)
            run_stage(self.system, BY_SUBSCRIPTION[delivery.subscription], message)

    def deliver(
        self,
        *,
        limit: int = 1000,
        order: Callable[[list[Delivery]], list[Delivery]] | None = None,
        subscriptions: Collection[str] | None = None,
    ) -> int:
        """Deliver until nothing is due or `limit` deliveries were made; a failed one is due again after its backoff.

        With `order`, everything that is due is leased at once and delivered in the order that it returns.
        """
        made = 0
        at_once = 100 if order else 1
        while made < limit and (due := self.broker.lease(self.clock.now(), limit=at_once, subscriptions=subscriptions)):
            for delivery in order(due) if order else due:
                self._deliver_one(delivery)
                made += 1
        return made

    def deliver_all(self, rounds: int = 50) -> None:
        """Deliver until the broker is empty, letting backoffs and deadlines pass."""
        for _ in range(rounds):
            self.deliver()
            due = self.broker.next_due(self.clock.now())
            if due is None:
                return
            self.clock.advance(max((due - self.clock.now()).total_seconds(), 0.001))
        raise AssertionError(f"messages were left after {rounds} rounds: {self.broker.pending()}")

    def objects(self) -> dict[str, bytes]:
        """The content of every object of every bucket."""
        settings = self.system.settings
        buckets = (settings.uploads_bucket, settings.artifacts_bucket, settings.results_bucket)
        return {
            f"{bucket}/{info.ref.name}": self.raw_objects.read(info.ref)
            for bucket in buckets
            for info in self.raw_objects.list(bucket)
        }

    def _deliver_one(self, delivery: Delivery) -> None:
        try:
            self.handle(delivery)
        except Exception:  # noqa: BLE001  a function that raises anything is answered with 500
            self.broker.nack(delivery, self.clock.now())
        else:
            self.broker.ack(delivery)


def memory_world(
    *,
    settings: Settings | None = None,
    wrap: Callable[[str, Any], Any] | None = None,
    subscriptions: Collection[Subscription] = SUBSCRIPTIONS,
) -> World:
    """A world in memory. `wrap(port name, port)` may put something around each port that handlers see."""
    clock = ManualClock()
    broker = MemoryBroker(clock, subscriptions=subscriptions)
    objects = MemoryObjectStore(clock, notify={"uploads": UPLOADS_TOPIC}, publisher=broker)
    return assemble(clock, broker, objects=objects, jobs=MemoryJobStore(), settings=settings, wrap=wrap)


@cache
def _models(registry: Path, text: str, *, commercial_only: bool) -> tuple[Registry, RememberedModels]:
    """A registry of that text and its models, opened once for all worlds; each answer is computed once."""
    loaded = Registry.load(registry, commercial_only=commercial_only)
    return loaded, RememberedModels(LazyModels(loaded, threads=1))


def assemble(
    clock: ManualClock,
    broker: Broker,
    *,
    objects: Any,
    jobs: Any,
    reservations: Any = None,
    settings: Settings | None = None,
    wrap: Callable[[str, Any], Any] | None = None,
) -> World:
    """A world over the given adapters."""
    settings = settings or Settings()
    text = settings.registry.read_text(encoding="utf-8")
    registry, models = _models(settings.registry, text, commercial_only=settings.commercial_only)
    wrap = wrap or (lambda _name, port: port)
    system = System(
        settings=settings,
        objects=wrap("objects", objects),
        jobs=wrap("jobs", jobs),
        reservations=wrap("reservations", reservations or MemoryReservationStore()),
        publisher=wrap("publisher", broker),
        backlog=wrap("backlog", broker),
        clock=clock,
        meter=FixedMeter(),
        model_registry=registry,
        models=models,
    )
    return World(system=system, broker=broker, clock=clock, raw_objects=objects, raw_jobs=jobs)


def _letter(delivery: Delivery) -> DeadLetter:
    attributes = dict(delivery.attributes)
    return DeadLetter(
        message_id=delivery.id,
        subscription=attributes["CloudPubSubDeadLetterSourceSubscription"],
        deliveries=int(attributes["CloudPubSubDeadLetterSourceDeliveryCount"]),
        data=delivery.data,
        attributes=attributes,
    )


@dataclass
class Faults:
    """Records every call of a port's method, and crashes at a chosen one."""

    #: Index of the call to crash at, counted over all ports; None never crashes.
    at: int | None = None
    #: Whether the crash comes before the call has any effect, or after it took effect and before its answer arrives.
    when: str = "before"
    calls: list[str] = field(default_factory=list)
    reached: bool = False

    def wrap(self, name: str, port: Any) -> Any:
        return _Wrapped(self, name, port)

    def call(self, what: str, action: Callable[[], Any]) -> Any:
        index = len(self.calls)
        self.calls.append(what)
        crash = index == self.at and not self.reached
        self.reached |= crash
        if not crash:
            return action()
        if self.when == "after":
            with suppress(DarkroomError):  # a refusal is an answer too; the process dies before it hears it
                action()
        raise Crash(what)


class _Wrapped:
    def __init__(self, faults: Faults, name: str, port: Any) -> None:
        self._faults, self._name, self._port = faults, name, port

    def __getattr__(self, method: str) -> Any:
        bound = getattr(self._port, method)
        if not callable(bound):
            return bound

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._faults.call(f"{self._name}.{method}", lambda: _whole(bound(*args, **kwargs)))

        return call


def _whole(result: Any) -> Any:
    """A lazy listing is read to its end, so that the call has happened when it returns."""
    return iter(list(result)) if isinstance(result, Iterator) else result
