"""Sends one request to a worker."""

import http.client
from dataclasses import dataclass

from darkroom.local_cloud.push_request import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a request ended."""

    #: HTTP status, or None if there was no response: the worker ended or the deadline passed.
    status: int | None
    #: Body of the response, or the reason why there is none.
    text: str
    #: Whether the deadline passed; the worker may still process the request.
    timed_out: bool = False
    #: Whether the connection was refused, so that no function received the request.
    refused: bool = False

    @property
    def is_ack(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(port: int, envelope: Envelope) -> Answer:
    """Post to a worker on this computer, on a new connection.

    A connection costs 0.1 ms on loopback; one that is kept could be dead when it is needed, and it would be unknown
    whether the request had arrived.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=envelope.timeout_s)
    try:
        connection.request("POST", envelope.path, body=envelope.body, headers=envelope.headers)
        response = connection.getresponse()
        return Answer(status=response.status, text=response.read().decode(errors="replace"))
    except TimeoutError:
        return Answer(status=None, text=f"no answer within {envelope.timeout_s:g} s", timed_out=True)
    except ConnectionRefusedError:
        return Answer(status=None, text="the worker does not listen any more", refused=True)
    except (OSError, http.client.HTTPException) as exc:
        return Answer(status=None, text=f"the connection broke: {type(exc).__name__} {exc}".rstrip())
    finally:
        connection.close()
