"""A server of the HTTP API with a bounded number of threads."""

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer

from darkroom.local_cloud.worker import Handler

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: Connections that are served at the same time: room for a queue of pictures, streams of events and an open album.
MAX_THREADS = 64
#: Seconds after which a refused client may try again.
RETRY_AFTER_S = 2
#: Seconds that a refusal may delay the next connection, and bytes of the request that are read from the socket.
_REFUSAL_S, _UNREAD_BYTES = 0.1, 65_536


class BoundedServer(ThreadedWSGIServer):
    """Uses one thread for each connection, at most `MAX_THREADS`; further connections are refused at once."""

    daemon_threads = True

    def __init__(self, application: "WSGIApplication", descriptor: int, *, threads: int = MAX_THREADS) -> None:
        super().__init__("127.0.0.1", 0, application, handler=Handler, fd=descriptor)
        self._free = threading.BoundedSemaphore(threads)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            _refuse(request)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()


def _refuse(connection: socket.socket) -> None:
    """Answer 503 without waiting for the client's request."""
    detail = f"more than {MAX_THREADS} connections at the same time; try again."
    body = json.dumps({"title": "Service Unavailable", "status": 503, "code": "busy", "detail": detail}).encode()
    head = (
        "HTTP/1.0 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: {RETRY_AFTER_S}\r\nConnection: close\r\n\r\n"
    )
    try:
        connection.settimeout(_REFUSAL_S)
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(_UNREAD_BYTES)  # what is left unread would reset the connection before the answer is read
    except OSError:
        return  # the client has disconnected
