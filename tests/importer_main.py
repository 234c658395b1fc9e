"""The importer as a function whose internet is a server on this computer: the tests serve it instead of its `main.py`.

Names and addresses are those of the internet, and every check of the guard is made; only the connection goes to the
port in the environment variable `SHOP_PORT`.
"""

import os
import socket

import functions_framework

from darkroom.importer import entrypoint
from darkroom.outbound.fetching import Fetcher

PUBLIC = "93.184.216.34"
INSIDE = "10.1.2.3"


def resolve(host: str, port: int) -> list[str]:
    """Everything lies on the public internet but the host that does not."""
    return [INSIDE if host == "inside.example" else PUBLIC]


def connect(address: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to the server of the tests, whatever the address is."""
    return socket.create_connection(("127.0.0.1", int(os.environ["SHOP_PORT"])), timeout=timeout_s)


HERE = Fetcher(resolve=resolve, connect=connect)
on_import = functions_framework.cloud_event(entrypoint.import_function(HERE))
on_callback = functions_framework.cloud_event(entrypoint.webhook_function(HERE))
