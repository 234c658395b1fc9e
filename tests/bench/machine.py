"""On which machine was it measured, and how busy was it?"""

import os
import platform
import re
from pathlib import Path

from darkroom.runtime.bootstrap import processors

_CPU_INFO = Path("/proc/cpuinfo")


def describe_machine() -> str:
    """One line: processor, cores, load at this moment."""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{_model()}, {processors()} cores, load average {load} at the start, Python {platform.python_version()}"


def _model() -> str:
    told = _CPU_INFO.read_text() if _CPU_INFO.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    return f"{found[1] if found else platform.processor()} ({platform.machine()})"
