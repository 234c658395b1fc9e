"""The process that serves the functions: `python -m darkroom.local_cloud.worker SUPERVISOR_PID`.

Nothing is written to its standard input. When the supervisor closes it or ends, the worker ends at once. The first line
of standard output is the port. The worker writes it when all modules are imported, so that no request waits for an
import. A worker ignores the signals of the terminal; it is ended by closing its standard input or by SIGKILL.
"""

import ctypes
import os
import signal
import sys
from typing import TextIO

from werkzeug.serving import WSGIRequestHandler, make_server

from darkroom.domain.topology import SUBSCRIPTIONS
from darkroom.local_cloud.mount import MountedFunctions
from darkroom.local_cloud.stdin_watch import exit_when_stdin_closes

#: Option of `prctl` that requests a signal when the parent ends; source: linux/prctl.h.
_PR_SET_PDEATHSIG = 1


class Handler(WSGIRequestHandler):
    """Writes no line for a request: the functions log their own work."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def main() -> None:
    """Serve until standard input is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _die_with(int(sys.argv[1]))
    exit_when_stdin_closes()
    port_line = _take_stdout()
    functions = MountedFunctions()
    _warm_up(functions)
    server = make_server("127.0.0.1", 0, functions, threaded=True, request_handler=Handler)
    port_line.write(f"{server.server_port}\n")
    port_line.flush()
    server.serve_forever()


def _die_with(supervisor_pid: int) -> None:
    """On Linux, request SIGKILL when the supervisor ends, also while native code blocks all threads."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor_pid:
        sys.exit("the supervisor ended before this worker could request a signal")


def _take_stdout() -> TextIO:
    """Reserve standard output for the port; all other output goes to the log."""
    private = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return private


def _warm_up(functions: MountedFunctions) -> None:
    """Import what the first request will need."""
    for subscription in SUBSCRIPTIONS:
        functions.application(subscription.function, subscription.entry_point)
    from darkroom.runtime.bootstrap import system

    _limit_opencv(system().settings.threads)
    from darkroom.handlers import stages  # noqa: F401  the pixel libraries
    from darkroom.inference import session  # noqa: F401  the inference library


def _limit_opencv(threads: int) -> None:
    """Limit the threads of OpenCV, which uses every processor by default; the other workers need theirs."""
    import cv2

    if threads > 0:
        cv2.setNumThreads(threads)


if __name__ == "__main__":
    main()
