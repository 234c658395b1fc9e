"""What a process needs once is built once, also by those who come at the same time."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from darkroom.runtime.lazy import Lazy


def test_whoever_comes_while_it_is_built_waits_and_gets_the_same() -> None:
    built = []

    @Lazy
    def slow() -> object:
        time.sleep(0.05)
        built.append(object())
        return built[-1]

    with ThreadPoolExecutor(20) as pool:
        given = list(pool.map(lambda _: slow(), range(20)))
    assert len(built) == 1
    assert set(map(id, given)) == {id(built[0])}


def test_what_could_not_be_built_is_tried_again() -> None:
    attempts = []

    @Lazy
    def late() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("not yet")
        return "built"

    with pytest.raises(ValueError, match="not yet"):
        late()
    assert [late(), late()] == ["built", "built"]
    assert len(attempts) == 2


def test_it_can_be_forgotten() -> None:
    @Lazy
    def fresh() -> object:
        return object()

    first = fresh()
    fresh.cache_clear()
    assert fresh() is not first
