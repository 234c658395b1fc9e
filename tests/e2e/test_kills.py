"""Nothing is lost while the workers are killed at random moments."""

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from darkroom.local_cloud.cloud import LocalCloud
from darkroom.local_cloud.supervisor import Delivered, Intervals
from darkroom.runtime.settings import Settings
from tests.e2e.service import drop, ended, require_each_done_once
from tests.photographs import small_jpeg

SUBJECTS = ("astronaut", "chelsea", "coffee", "rocket")
PRESETS = ("auto", "restore", "denoise", "sharpen")
SEED = 1931
#: Deliveries between two kills, at least and at most: so the kills hit slow machines and fast ones alike.
BETWEEN_KILLS = (20, 120)
#: Most seconds from the last of these deliveries to the kill, which comes in the middle of something else.
DELAY_S = 0.1
TIMEOUT_S = 240.0
#: Photographs with the number of kills that they must see: a quick run and, in `make bench`, a long one.
RUNS = [(50, 2), pytest.param(200, 10, marks=pytest.mark.endurance)]


class Killer:
    """Kills a random worker at random moments, from a seed."""

    def __init__(self, cloud: LocalCloud, seen: list[Delivered]) -> None:
        self.kills = 0
        self._cloud = cloud
        self._seen = seen
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Killer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        chance = random.Random(SEED)
        due = chance.randint(*BETWEEN_KILLS)
        while not self._stop.wait(0.002):
            if len(self._seen) >= due and not self._stop.wait(chance.uniform(0.0, DELAY_S)):
                self._kill(chance.random())
                due = len(self._seen) + chance.randint(*BETWEEN_KILLS)

    def _kill(self, which: float) -> None:
        workers = self._cloud.workers
        if workers:
            os.kill(workers[int(which * len(workers))].process.pid, signal.SIGKILL)
            self.kills += 1


@pytest.mark.parametrize(("photographs", "kills"), RUNS)
def test_photographs_are_each_done_once_while_workers_are_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], photographs: int, kills: int
) -> None:
    chance = random.Random(SEED)
    names = [f"{chance.choice(PRESETS)}/{number:03d}.jpg" for number in range(photographs)]
    for number, name in enumerate(names):
        side, noise = chance.choice((64, 96, 128)), chance.choice((0.0, 8.0, 15.0))
        drop(tmp_path, name, small_jpeg(side, name=chance.choice(SUBJECTS), seed=number, noise=noise))
    seen: list[Delivered] = []
    started = time.monotonic()
    with LocalCloud(
        Settings(home=tmp_path), workers=2, intervals=Intervals(watch_s=0.05), observe=seen.append
    ) as cloud:
        with Killer(cloud, seen) as killer:
            cloud.wait_until(lambda: ended(cloud.parts, photographs), timeout_s=TIMEOUT_S)
        elapsed_s = time.monotonic() - started
        require_each_done_once(cloud.parts, names)
    broken = sum(it.answer.status is None for it in seen)
    again = sum(it.delivery.delivery_attempt > 1 for it in seen)
    assert killer.kills >= kills
    assert broken > 0
    with capsys.disabled():
        sys.stdout.write(
            f"\n{photographs} photographs in {elapsed_s:.1f} s: {killer.kills} workers killed, "
            f"{len(seen)} deliveries, {broken} broken off, {again} redeliveries, nothing lost, nothing twice\n"
        )
