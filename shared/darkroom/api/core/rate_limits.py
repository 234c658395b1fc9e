"""Limits the rate of requests with a token bucket for each key and each address.

A full bucket allows the requests of one minute at once; then it refills continuously. Buckets are in the memory of one
process, so N instances together allow N times the rate.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from darkroom.domain.http_errors import TooManyRequests
from darkroom.runtime.ports import Clock

#: Buckets in memory; the least recently used one is dropped first, and starts full again.
MAX_CALLERS = 10_000


@dataclass(slots=True, kw_only=True)
class _Bucket:
    tokens: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimiter:
    """The buckets of one process."""

    clock: Clock
    #: Allowed requests a minute.
    per_minute: int
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, caller: str) -> None:
        """Count one request of `caller`. Raises TooManyRequests if the bucket is empty."""
        with self._lock:
            bucket = self._refilled(caller)
            if bucket.tokens < 1.0:
                wait_s = max(1, ceil((1.0 - bucket.tokens) * 60.0 / self.per_minute))
                raise TooManyRequests(
                    f"more than {self.per_minute} requests a minute; try again in {wait_s} s",
                    limit=self.per_minute,
                    retry_after_s=wait_s,
                )
            bucket.tokens -= 1.0

    def _refilled(self, caller: str) -> _Bucket:
        now, full = self.clock.now(), float(self.per_minute)
        bucket = self._buckets.setdefault(caller, _Bucket(tokens=full, at=now))
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
        refill = (now - bucket.at).total_seconds() * self.per_minute / 60.0
        bucket.tokens, bucket.at = min(full, bucket.tokens + max(refill, 0.0)), now
        return bucket
