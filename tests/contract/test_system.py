"""The clock and the meter of a real process."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from darkroom.adapters.system import ProcessMeter, SystemClock, peak_memory_bytes

MEASURE = """
from darkroom.adapters.system import ProcessMeter
meter = ProcessMeter()
big = bytearray(b"x" * 200_000_000)
del big
meter.start()
small = bytearray(b"x" * 50_000_000)
first = meter.stop()
meter.start()
second = meter.stop()
print(first.peak_memory_mb, second.peak_memory_mb, first.elapsed_ms)
"""


def test_the_clock_tells_the_time_in_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


def test_elapsed_time_grows_and_begins_anew_with_every_start() -> None:
    meter = ProcessMeter()
    meter.start()
    first, second = meter.stop(), meter.stop()
    assert 0 <= first.elapsed_ms <= second.elapsed_ms
    assert first.peak_memory_mb > 1


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux lets a process set its peak back")
def test_the_peak_is_that_since_the_start() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    first, second, elapsed_ms = map(float, done.stdout.split())
    assert 50 < first < 200
    assert second < 200
    assert elapsed_ms > 0


def test_the_peak_is_at_least_what_is_held() -> None:
    held = bytearray(b"x" * 30_000_000)
    assert peak_memory_bytes() > len(held)
