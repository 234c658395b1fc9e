"""The uploads folder is looked through often enough, whatever happened during a look; in virtual time."""

import pytest

from darkroom.local_cloud.watch_timer import LONGEST_PAUSE_S, WatchTimer


class Folder:
    """An uploads folder under a virtual clock; a file counts when two looks in succession have found it."""

    def __init__(self, watch_s: float) -> None:
        self.now = 0.0
        self.timer = WatchTimer(watch_s, monotonic=lambda: self.now)

    def look(self, took_s: float) -> float:
        """Wait for the next look and let it take so long; returns how long was waited."""
        waited = max(0.0, self.timer.due_at - self.now)
        self.now += waited
        assert self.timer.begin()
        self.now += took_s
        self.timer.end()
        return waited


def test_after_a_lock_of_7_seconds_the_next_file_counts_within_the_longest_pause() -> None:
    folder = Folder(watch_s=0.5)
    folder.look(took_s=7.0)
    dropped_at = folder.now
    folder.look(took_s=0.01)
    folder.look(took_s=0.01)
    assert folder.now - dropped_at <= LONGEST_PAUSE_S + 0.6


@pytest.mark.parametrize("took_s", [0.1, 2.0, 60.0, 3600.0])
def test_no_look_makes_the_next_one_wait_longer_than_the_longest_pause(took_s: float) -> None:
    folder = Folder(watch_s=0.5)
    folder.look(took_s)
    assert folder.look(took_s) <= LONGEST_PAUSE_S


def test_quick_looks_keep_the_pace_and_slow_ones_take_a_twentieth_of_the_time() -> None:
    folder = Folder(watch_s=0.5)
    folder.look(took_s=0.01)
    assert folder.look(took_s=0.2) == pytest.approx(0.49)
    assert folder.look(took_s=0.2) == pytest.approx(4.0)


def test_whoever_asks_for_rare_looks_gets_them() -> None:
    folder = Folder(watch_s=60.0)
    folder.look(took_s=1.0)
    assert folder.look(took_s=1.0) == pytest.approx(59.0)


def test_there_is_one_look_at_a_time() -> None:
    timer = WatchTimer(0.5, monotonic=lambda: 0.0)
    assert timer.begin()
    assert not timer.begin()
