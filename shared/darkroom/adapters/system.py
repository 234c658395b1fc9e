"""The clock and the meter of the process that we run in."""

import re
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from darkroom.runtime.ports import Usage

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
#: Written to clear_refs, sets the high-water mark of resident memory back to the current size: proc(5).
_RESET_PEAK = "5"
_HIGH_WATER_MARK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


class SystemClock:
    """The computer's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ProcessMeter:
    """Measures the whole process, so it is exact only while one piece of work runs in it at a time.

    On Linux the peak is that since `start`. Where the kernel does not let us set its mark back, it is the highest
    since the process began.
    """

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def start(self) -> None:
        _reset_peak()
        self._started = time.perf_counter()

    def stop(self) -> Usage:
        elapsed_ms = 1000.0 * (time.perf_counter() - self._started)
        return Usage(elapsed_ms=elapsed_ms, peak_memory_mb=peak_memory_bytes() / 1e6)


def peak_memory_bytes() -> int:
    """Highest resident memory of this process since it began, or since the mark was set back."""
    found = _HIGH_WATER_MARK.search(_STATUS.read_text()) if _STATUS.exists() else None
    if found:
        return int(found[1]) * 1024
    # getrusage counts in KiB on Linux and in bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _reset_peak() -> bool:
    """Whether the kernel could set the mark back; it cannot outside Linux, nor where /proc is read-only."""
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True
