"""The process that serves the HTTP API on this computer: `python -m darkroom.local_cloud.api_server FILE_DESCRIPTOR`.

It is a separate process, so that a synchronous request does not delay deliveries. The listening socket belongs to the
parent: a process that ended is started again, and meanwhile no client is refused. The process ends when its standard
input is closed, as a worker does.
"""

import signal
import socket
import subprocess
import sys
from typing import IO

from darkroom.domain.errors import ConfigurationError
from darkroom.local_cloud.stdin_watch import exit_when_stdin_closes
from darkroom.local_cloud.worker_pool import environment, log_path
from darkroom.runtime.logs import log
from darkroom.runtime.settings import Settings

#: Default address of the API.
DEFAULT_PORT = 8080
#: The address on which only this computer reaches the API.
LOOPBACK = "127.0.0.1"
#: Number of its log, beside those of the workers, which count from 1.
_LOG_NUMBER = 0
_BACKLOG = 128
_END_S = 5.0
#: Size in bytes from which glibc gives memory back when it is freed. Its own threshold grows with the first bodies, and
#: the memory of later ones then stays with the process (mallopt(3), M_MMAP_THRESHOLD).
_LARGE_BYTES = 1024 * 1024


def listen(port: int, *, host: str = LOOPBACK) -> socket.socket:
    """A socket on an IPv4 address of this computer. Raises ConfigurationError if it cannot be bound."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        raise ConfigurationError(
            f"port {port} of {host} cannot be had: {exc.strerror}; choose another one", code="port_taken"
        ) from exc
    listener.listen(_BACKLOG)
    return listener


class ApiServer:
    """The API of one local cloud."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def pid(self) -> int | None:
        """The process that serves, once it was started."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process, again if it died."""
        if self._process is not None and self._process.poll() is None:
            return
        if self._process is not None:
            log("WARNING", "worker_died", f"The API died with status {self._process.returncode}, it starts again.")
            _close(self._process.stdin)
        with log_path(self._settings.home, _LOG_NUMBER).open("ab") as output:
            descriptor = self._listener.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "darkroom.local_cloud.api_server", str(descriptor)],
                env=environment(self._settings, 1) | {"MALLOC_MMAP_THRESHOLD_": str(_LARGE_BYTES)},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[descriptor],
            )

    def stop(self) -> None:
        """End the process, and give the port back."""
        self._listener.close()
        if self._process is None:
            return
        _close(self._process.stdin)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        pipe.close()


def main() -> None:
    """Serve until standard input is closed."""
    from darkroom.local_cloud.bounded_server import BoundedServer
    from darkroom.local_cloud.mount import MountedFunctions

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    exit_when_stdin_closes()
    application = MountedFunctions().application("api", "api")
    BoundedServer(application, int(sys.argv[1])).serve_forever()


if __name__ == "__main__":
    main()
