"""A lock that admits one supervisor for each home directory.

The kernel releases this advisory lock whenever its holder ends.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import TextIO

from darkroom.domain.errors import ConfigurationError

FILE_NAME = "supervisor.lock"


def lock_home(home: Path) -> TextIO:
    """Become the supervisor of `home` until the returned file is closed.

    Raises ConfigurationError, naming the process that holds the lock.
    """
    home.mkdir(parents=True, exist_ok=True)
    lock = (home / FILE_NAME).open("a+", encoding="ascii")
    if not _taken(lock):
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise ConfigurationError(
            f"{home} is served already, by the process with pid {holder}; stop that one, or use another home",
            code="already_served",
        )
    lock.seek(0)
    lock.truncate()
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _taken(lock: TextIO) -> bool:
    """Try several times: a command that checks whether the home is served takes the lock for a moment."""
    for pause_s in (0.02, 0.05, 0.1, None):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if pause_s is not None:
                time.sleep(pause_s)
        else:
            return True
    return False
