"""Searches the highest quality whose file stays within a size limit."""

import math
from collections.abc import Callable
from dataclasses import dataclass

#: Share of the limit from which a file is accepted without a further search.
_CLOSE_ENOUGH = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A file and its quality."""

    quality: float
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)


def best_below(
    write: Callable[[float], bytes], limit_bytes: int, *, low: float, high: float, step: float
) -> Attempt | None:
    """The file of the highest quality in [low, high] that is at most `limit_bytes` long; None if even `low` is longer.

    `write` must return larger files for higher qualities, apart from small exceptions. The next quality is interpolated
    in the logarithm of the size, which needs four to six files; bisection needs seven.
    """
    top = Attempt(quality=high, data=write(high))
    if top.size <= limit_bytes:
        return top
    best = Attempt(quality=low, data=write(low))
    if best.size > limit_bytes:
        return None
    while top.quality - best.quality > step and best.size < _CLOSE_ENOUGH * limit_bytes:
        quality = _between(best, top, limit_bytes, step)
        tried = Attempt(quality=quality, data=write(quality))
        if tried.size <= limit_bytes:
            best = tried
        else:
            top = tried
    return best


def _between(best: Attempt, top: Attempt, limit_bytes: int, step: float) -> float:
    """A quality inside the bracket, on the grid of `step`, not too near to either end."""
    span = top.quality - best.quality
    share = math.log(limit_bytes / best.size) / max(math.log(top.size / best.size), 1e-9)
    steps = round(min(max(share, 0.1), 0.9) * span / step)
    return best.quality + step * min(max(steps, 1), math.ceil(span / step) - 1)
