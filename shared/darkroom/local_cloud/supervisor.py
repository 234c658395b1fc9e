"""Leases messages and sends them to the workers.

One thread owns all the state. It sleeps until a worker writes a line, a request ends, or 10 ms have passed; then it
checks in SQLite whether anything was committed. Requests and scans of the uploads folder block. They run in threads of
their own, which return their outcome to the loop.

    any commit ──▶ lease ──▶ thread: POST ──▶ outcome ──▶ ack or nack ──▶ lease …
"""

import os
import selectors
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Event
from typing import Any, Literal

from darkroom.adapters.broker import Delivery
from darkroom.adapters.local.database import LocalDatabase
from darkroom.adapters.system import SystemClock
from darkroom.domain.errors import TransientError
from darkroom.domain.topology import SUBSCRIPTIONS
from darkroom.local_cloud.push_client import Answer, post
from darkroom.local_cloud.push_request import Envelope, envelope, schedule_tick
from darkroom.local_cloud.watch_timer import WatchTimer
from darkroom.local_cloud.worker_pool import DISPATCHES_PER_WORKER, Worker, WorkerPool
from darkroom.runtime.bootstrap import LocalParts
from darkroom.runtime.logs import log
from darkroom.runtime.settings import Settings

#: Seconds between two checks for commits of other processes, while a worker is free.
POLL_S = 0.010
#: Longest sleep while no worker is free, in seconds; the end of a request wakes the loop earlier.
_BUSY_S = 0.5
#: Time budget of a sweep in seconds, so that its worker is soon free for deliveries.
_SWEEP_BUDGET_S = 20.0
#: Timeout of the request for a sweep, in seconds; the worker goes on, since it may have other requests.
_SWEEP_TIMEOUT_S = 600.0

Kind = Literal["dispatch", "stage"]
_SUBSCRIPTIONS: dict[Kind, tuple[str, ...]] = {
    "dispatch": tuple(each.name for each in SUBSCRIPTIONS if each.function == "dispatcher"),
    "stage": tuple(each.name for each in SUBSCRIPTIONS if each.function != "dispatcher"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """The intervals of the periodic work."""

    #: Seconds between two scans of the uploads folder; a file is registered when two scans find it unchanged.
    watch_s: float = 0.5
    #: Seconds between two sweeps.
    sweep_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One delivery with its response."""

    delivery: Delivery
    answer: Answer
    worker: int
    elapsed_ms: float


Observer = Callable[[Delivered], None]


class Supervisor:
    """Delivers messages to workers until `stop` is called."""

    def __init__(
        self, settings: Settings, parts: LocalParts, *, worker_pool: WorkerPool, intervals: Intervals, observe: Observer
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._worker_pool = worker_pool
        self._intervals = intervals
        self._observe = observe
        self._clock = SystemClock()
        self._database = LocalDatabase(settings.home)
        self._version = -1
        #: How long to sleep, and when to work even without an event or a commit; monotonic clock.
        self._patience_s, self._due_at = POLL_S, 0.0
        self._watch_timer = WatchTimer(intervals.watch_s)
        self._sweep_at = time.monotonic() + intervals.sweep_s
        self._outcomes: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._in_flight = 0
        #: Answers that the broker could not accept yet, and when they are sent again; monotonic clock.
        self._unsettled: list[Delivered] = []
        self._settle_at = float("inf")
        #: Leased deliveries that came to a dead worker.
        self._returned: dict[Kind, list[Delivery]] = {"dispatch": [], "stage": []}
        self._stopping = Event()
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = os.pipe()
        self._pool = ThreadPoolExecutor(max_workers=worker_pool.size * (1 + DISPATCHES_PER_WORKER) + 1)

    def stop(self) -> None:
        """Start no more work; `run` returns when the running requests have ended. May be called from any thread."""
        self._stopping.set()
        self._wake()

    def run(self) -> None:
        """Work until `stop`."""
        os.set_blocking(self._wake_reader, False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, partial(os.read, self._wake_reader, 4096))
        released = self._parts.broker.release_leases(self._clock.now())
        abandoned = self._parts.objects.remove_abandoned()
        self._parts.objects.forget_missing(self._settings.results_bucket)
        text = f"Delivering in {self._settings.home}; {released} deliveries were broken off, {abandoned} writes too."
        log("INFO", "supervisor_started", text)
        try:
            while not self._stopping.is_set() or self._in_flight:
                self._turn_or_wait()
        finally:
            self._worker_pool.close()
            self._pool.shutdown(wait=True)

    def close(self) -> None:
        """Release all resources, after `run` has returned."""
        self._selector.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)
        self._database.close()

    def _turn_or_wait(self) -> None:
        """Run one turn; after an error of the store, wait. Messages that were not acknowledged are delivered again."""
        try:
            self._turn()
        except TransientError as exc:
            log("WARNING", "delivery_failed", f"{exc}.")
            time.sleep(_BUSY_S)

    def _turn(self) -> None:
        ready = self._selector.select(self._patience_s)
        if not ready and not self._changed() and time.monotonic() < self._due_at:
            return
        for key, _ in ready:
            key.data()
        while not self._outcomes.empty():
            self._outcomes.get()()
        self._settle_again()
        if not self._stopping.is_set():
            self._work()

    def _work(self) -> None:
        for worker in self._worker_pool.start_missing():
            self._selector.register(worker.stdout_fd, selectors.EVENT_READ, partial(self._hear, worker))
        self._watch()
        self._sweep()
        self._deliver()
        rooms = self._rooms()
        self._patience_s = POLL_S if rooms else _BUSY_S
        timers = (self._watch_timer.due_at, self._sweep_at, self._settle_at, self._worker_pool.due_at)
        self._due_at = min(*timers, self._message_due_at(rooms))

    def _hear(self, worker: Worker) -> None:
        """Handle a worker that wrote its port or ended."""
        descriptor = worker.stdout_fd
        if not worker.listen():
            self._selector.unregister(descriptor)
            self._worker_pool.reap(worker)

    def _rooms(self) -> list[Kind]:
        """The kinds of request for which a worker is free; the dispatcher comes first."""
        free: dict[Kind, Worker | None] = {
            "dispatch": self._worker_pool.free_for_dispatch(),
            "stage": self._worker_pool.free_for_stage(),
        }
        return [kind for kind, worker in free.items() if worker is not None]

    def _deliver(self) -> None:
        """Lease messages and send them while workers are free."""
        for kind in self._rooms():
            while (worker := self._free(kind)) and (delivery := self._lease(kind)):
                self._hand_out(worker, kind, delivery)

    def _free(self, kind: Kind) -> Worker | None:
        return self._worker_pool.free_for_stage() if kind == "stage" else self._worker_pool.free_for_dispatch()

    def _lease(self, kind: Kind) -> Delivery | None:
        if self._returned[kind]:
            return self._returned[kind].pop()
        leased = self._parts.broker.lease(self._clock.now(), subscriptions=_SUBSCRIPTIONS[kind])
        return leased[0] if leased else None

    def _message_due_at(self, rooms: list[Kind]) -> float:
        """When the next backoff or deadline ends, so that a message can be leased without another commit."""
        names = [name for kind in rooms for name in _SUBSCRIPTIONS[kind]]
        now = self._clock.now()
        due = self._parts.broker.next_due(now, subscriptions=names) if names else None
        return time.monotonic() + (due - now).total_seconds() if due else float("inf")

    def _changed(self) -> bool:
        """Whether another process committed since the last call: https://www.sqlite.org/pragma.html#pragma_data_version"""
        with self._database.reading() as connection:
            version: int = connection.execute("PRAGMA data_version").fetchone()[0]
        before, self._version = self._version, version
        return version != before

    def _hand_out(self, worker: Worker, kind: Kind, delivery: Delivery) -> None:
        started = time.monotonic()

        def settle(answer: Answer) -> None:
            if answer.refused:  # still leased, and no function received it: another worker gets it
                self._returned[kind].append(delivery)
                return
            elapsed_ms = 1000.0 * (time.monotonic() - started)
            self._settle(Delivered(delivery=delivery, answer=answer, worker=worker.number, elapsed_ms=elapsed_ms))

        self._post(worker, kind, request=envelope(delivery), then=settle)

    def _post(
        self, worker: Worker, kind: Kind, *, request: Envelope, then: Callable[[Answer], None], may_kill: bool = True
    ) -> None:
        """Send a request from a thread; `then` runs in the loop."""
        assert worker.port is not None
        self._occupy(worker, kind, 1)

        def ended(answer: Answer) -> None:
            self._occupy(worker, kind, -1)
            worker.answered |= answer.status is not None
            if answer.timed_out and may_kill:
                worker.process.kill()  # it may be blocked for ever; a new worker replaces it
            then(answer)

        self._aside(partial(post, worker.port, request), ended)

    def _occupy(self, worker: Worker, kind: Kind, change: int) -> None:
        if kind == "stage":
            worker.stages += change
        else:
            worker.dispatches += change

    def _settle(self, delivered: Delivered) -> None:
        """Acknowledge or reject the delivery. If the broker fails, as on a full disk, keep the response."""
        try:
            self._acknowledge(delivered)
        except TransientError as exc:
            log("WARNING", "delivery_failed", f"The answer is kept: {exc}.", event_id=delivered.delivery.id)
            self._unsettled.append(delivered)
            self._settle_at = self._due_at = time.monotonic() + _BUSY_S
            return
        self._observe(delivered)

    def _settle_again(self) -> None:
        if time.monotonic() < self._settle_at:
            return
        kept, self._unsettled, self._settle_at = self._unsettled, [], float("inf")
        for delivered in kept:
            self._settle(delivered)

    def _acknowledge(self, delivered: Delivered) -> None:
        delivery, answer = delivered.delivery, delivered.answer
        if answer.is_ack:
            self._parts.broker.ack(delivery)
            return
        self._parts.broker.nack(delivery, self._clock.now())
        text = f"{delivery.subscription} attempt {delivery.delivery_attempt}: {answer.status} {answer.text[:200]}"
        fields = {"job_id": delivery.attributes.get("job_id"), "event_id": delivery.id, "worker": delivered.worker}
        log("WARNING", "delivery_failed", f"{text.rstrip('.')}.", **fields)

    def _watch(self) -> None:
        if self._watch_timer.begin():
            look = partial(self._parts.objects.discover, self._settings.uploads_bucket)
            self._aside(look, lambda _: self._watch_timer.end())

    def _sweep(self) -> None:
        worker = self._worker_pool.free_for_dispatch()
        if time.monotonic() < self._sweep_at or worker is None:
            return
        self._sweep_at = float("inf")

        def swept(answer: Answer) -> None:
            self._sweep_at = time.monotonic() + self._intervals.sweep_s
            _report_sweep(answer)

        tick = schedule_tick(_SWEEP_BUDGET_S, timeout_s=_SWEEP_TIMEOUT_S)
        self._post(worker, "dispatch", request=tick, then=swept, may_kill=False)

    def _aside(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do `work` in a thread and `then` with its result in the loop."""
        self._in_flight += 1

        def done(future: "Future[Any]") -> None:
            self._outcomes.put(partial(self._back, future, then))
            self._wake()

        self._pool.submit(work).add_done_callback(done)

    def _back(self, future: "Future[Any]", then: Callable[[Any], None]) -> None:
        self._in_flight -= 1
        try:
            result = future.result()
        except TransientError as exc:
            log("WARNING", "watch_failed", f"{exc}.")
            result = None
        then(result)

    def _wake(self) -> None:
        os.write(self._wake_writer, b".")


def _report_sweep(answer: Answer) -> None:
    if not answer.is_ack:
        log("WARNING", "delivery_failed", f"The sweep failed: {answer.status} {answer.text[:200]}.")
