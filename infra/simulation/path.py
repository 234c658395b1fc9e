"""The path of the pictures, event by event.

    arrivals ──▶ dispatcher ──▶ stage ──▶ dispatcher ──▶ stage ──▶ … ──▶ dispatcher
                  │ one write of Firestore for every event

A stage is a queue before instances that serve one request each and start when messages wait. Pub/Sub keeps few of its
messages under way at first, one more for every answer, and never more than its limit. The dispatcher is a pool of
slots. Firestore accepts writes at a rate that may grow by half every five minutes, and never more than the indexes over
a time allow: 500 a second for each of their shards. Everything else only takes time.
"""

import heapq
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from darkroom.adapters.gcp.firestore_indexes import SHARDS, WRITES_PER_SHARD

#: https://firebase.google.com/docs/firestore/best-practices#ramping_up_traffic: 500 a second, and half as many again
#: every five minutes.
RAMP_START, RAMP_GROWTH, RAMP_EVERY_S = 500.0, 1.5, 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The times of the service itself, without the work; in seconds unless stated otherwise."""

    #: Pictures that arrive in a second.
    arrivals: float = 500.0
    #: From publishing to the function's first instruction.
    message_s: float = 0.1
    #: From asking for an instance to its first request.
    cold_start_s: float = 5.0
    dispatch_s: float = 0.15
    #: Events that the dispatcher serves at once: instances times concurrency.
    dispatch_slots: int = 1000
    #: Most writes in a second however long it lasts: what the sharded indexes over a time take.
    most_writes: float = float(SHARDS * WRITES_PER_SHARD)
    #: Messages of a subscription that Pub/Sub pushes at once, at the start and at the most: a small single-digit number
    #: that grows with every success, and 3,000 where answers take longer than a second,
    #: https://cloud.google.com/pubsub/docs/push
    pushed_at_first: int = 3
    most_pushed: int = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of a number of pictures."""

    pictures: int
    #: From the first arrival to the end of the last picture.
    seconds: float
    #: Busy share of each resource, 0 to 1.
    busy: Mapping[str, float]
    #: Seconds on instances, of work and of starting.
    instance_s: float
    cold_starts: int
    #: Seconds from arrival to end, of the median picture and the 95th of a hundred.
    median_s: float
    p95_s: float

    @property
    def bottleneck(self) -> str:
        """The resource that is busiest."""
        return max(self.busy, key=lambda name: self.busy[name])


@dataclass(slots=True)
class _Stage:
    """Instances of one function, and the requests that wait for them."""

    most: int
    #: Messages that may be under way at once.
    window: int
    idle: int = 0
    started: int = 0
    busy_s: float = 0.0
    waiting: deque[tuple[int, int]] = field(default_factory=deque)

    def free(self) -> bool:
        """Whether one more message may be sent to an instance, one that waits or a new one."""
        return self.started - self.idle < self.window and (self.idle > 0 or self.started < self.most)


@dataclass(slots=True)
class _Writes:
    """When the next write may happen."""

    most: float
    free_at: float = 0.0
    used_s: float = 0.0

    def rate(self, now: float) -> float:
        steps = min(int(now // RAMP_EVERY_S), 50)  # by then it is beyond every limit
        return min(self.most, RAMP_START * math.pow(RAMP_GROWTH, steps))

    def take(self, now: float, count: int) -> float:
        begins = max(now, self.free_at)
        takes = count / self.rate(begins)
        self.free_at = begins + takes
        self.used_s += takes
        return self.free_at


class _Path:
    """The state of a run; `parcel` pictures are simulated together, so that millions can be simulated."""

    def __init__(
        self, steps: Sequence[tuple[str, float]], most: Mapping[str, int], at: Conditions, parcel: int
    ) -> None:
        self.steps, self.at, self.parcel = steps, at, parcel
        self.stages = {name: _Stage(most=most[name], window=at.pushed_at_first) for name, _ in steps}
        self.slots, self.slots_busy_s = [0.0] * at.dispatch_slots, 0.0
        self.writes = _Writes(most=at.most_writes)
        self.events: list[tuple[float, int, int, str]] = []
        self.begun: dict[int, float] = {}
        self.ended: dict[int, float] = {}

    def play(self, count: int) -> None:
        for i in range(count):
            heapq.heappush(self.events, (i * self.parcel / self.at.arrivals, i, 0, "event"))
            self.begun[i] = i * self.parcel / self.at.arrivals
        while self.events:
            now, picture, step, kind = heapq.heappop(self.events)
            if kind == "event":
                self._dispatch(now, picture, step)
            elif kind == "request":
                self.stages[self.steps[step][0]].waiting.append((picture, step))
                self._serve(now, self.steps[step][0])
            else:
                self._free(now, picture, step)

    def _dispatch(self, now: float, picture: int, step: int) -> None:
        begins = max(now, heapq.heappop(self.slots))
        written = self.writes.take(begins, self.parcel)
        # Of a parcel each picture is an event; the slots serve them side by side.
        takes = self.at.dispatch_s * self.parcel
        heapq.heappush(self.slots, begins + takes)
        self.slots_busy_s += takes
        done = max(begins + self.at.dispatch_s, written)
        if step == len(self.steps):
            self.ended[picture] = done
        else:
            heapq.heappush(self.events, (done + self.at.message_s, picture, step, "request"))

    def _serve(self, now: float, name: str) -> None:
        stage = self.stages[name]
        while stage.waiting and stage.free():
            picture, step = stage.waiting.popleft()
            cold = 0.0 if stage.idle else self.at.cold_start_s
            stage.started, stage.idle = (stage.started, stage.idle - 1) if stage.idle else (stage.started + 1, 0)
            takes = self.steps[step][1] * self.parcel
            stage.busy_s += takes
            heapq.heappush(self.events, (now + cold + takes, picture, step, "answer"))

    def _free(self, now: float, picture: int, step: int) -> None:
        name = self.steps[step][0]
        stage = self.stages[name]
        stage.idle, stage.window = stage.idle + 1, min(stage.window + self.parcel, self.at.most_pushed)
        self._serve(now, name)
        heapq.heappush(self.events, (now + self.at.message_s, picture, step + 1, "event"))


def play(
    pictures: int,
    steps: Sequence[tuple[str, float]],
    most: Mapping[str, int],
    *,
    at: Conditions | None = None,
    parcel: int = 1,
) -> Run:
    """Let `pictures` pictures go through `steps` (stage, seconds), with at most so many instances of each stage."""
    conditions = at or Conditions()
    path = _Path(steps, most, conditions, parcel)
    path.play(pictures // parcel)
    total = max(path.ended.values())
    took = sorted(path.ended[i] - path.begun[i] for i in path.ended)
    cold_starts = sum(stage.started for stage in path.stages.values())
    busy = {name: stage.busy_s / (stage.most * total) for name, stage in path.stages.items()}
    busy["dispatcher"] = path.slots_busy_s / (conditions.dispatch_slots * total)
    busy["writes of Firestore"] = path.writes.used_s / total
    busy["arrivals"] = pictures / conditions.arrivals / total
    return Run(
        pictures=pictures,
        seconds=total,
        busy=busy,
        instance_s=sum(stage.busy_s for stage in path.stages.values()) + cold_starts * conditions.cold_start_s,
        cold_starts=cold_starts,
        median_s=took[len(took) // 2],
        p95_s=took[int(len(took) * 0.95)],
    )
