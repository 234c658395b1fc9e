"""The process that serves the functions: `python -m darkroom.local_cloud.worker SUPERVISOR_PID`.

Standard input is its life line: nothing is ever written to it, and when its other end is closed, by the supervisor or
by the supervisor's death, the worker ends at once. Its port is the first line of standard output, written when all is
imported, so that no request spends its time on that. Signals of the terminal are the supervisor's business; whoever
wants to be rid of a worker kills it.
"""

import ctypes
import os
import signal
import sys
import threading
from typing import TextIO

from werkzeug.serving import WSGIRequestHandler, make_server

from darkroom.domain.topology import SUBSCRIPTIONS
from darkroom.local_cloud.mount import MountedFunctions

#: Number of `prctl` that asks for a signal at the parent's death: linux/prctl.h.
_PR_SET_PDEATHSIG = 1


class Handler(WSGIRequestHandler):
    """Without a line per request: the functions themselves log what matters."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def main() -> None:
    """Serve until the life line is cut."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _die_with(int(sys.argv[1]))
    threading.Thread(target=_end_with_life_line, daemon=True).start()
    port_line = _take_stdout()
    functions = MountedFunctions()
    _warm_up(functions)
    server = make_server("127.0.0.1", 0, functions, threaded=True, request_handler=Handler)
    port_line.write(f"{server.server_port}\n")
    port_line.flush()
    server.serve_forever()


def _die_with(supervisor_pid: int) -> None:
    """On Linux the kernel kills us with the supervisor, even while native code keeps our threads from running."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor_pid:
        sys.exit("the supervisor died before the kernel was asked to tell us")


def _take_stdout() -> TextIO:
    """Keep standard output for the port; what anybody prints goes to the log."""
    private = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return private


def _end_with_life_line() -> None:
    os.read(0, 1)
    os._exit(0)  # requests in flight have nobody left to answer to


def _warm_up(functions: MountedFunctions) -> None:
    """Import what the first request will need."""
    for subscription in SUBSCRIPTIONS:
        functions.application(subscription.function, subscription.entry_point)
    from darkroom.runtime.bootstrap import system

    _limit_opencv(system().settings.threads)
    from darkroom.handlers import stages  # noqa: F401  the pixel libraries
    from darkroom.inference import session  # noqa: F401  the inference library


def _limit_opencv(threads: int) -> None:
    """OpenCV takes every processor unless it is told; the other workers need theirs."""
    import cv2

    if threads > 0:
        cv2.setNumThreads(threads)


if __name__ == "__main__":
    main()
