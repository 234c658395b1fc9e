"""Defines the entry points of the importer.

They are separate from the other entry points, so that no other function imports the code that fetches.
"""

from collections.abc import Callable
from functools import cache

from cloudevents.http import CloudEvent

from darkroom.auth.signing import signing_key
from darkroom.domain.envelope import decode, wrong_message
from darkroom.domain.products.messages import ProductMessage
from darkroom.domain.webhooks import CallbackDue
from darkroom.handlers.imports import Fetch, handle_import_message
from darkroom.handlers.webhooks import deliver_callback
from darkroom.importer.fetching import persistent, polite
from darkroom.outbound.fetching import Fetcher
from darkroom.outbound.fetching import fetch as fetch_public
from darkroom.outbound.hosts import Hosts
from darkroom.runtime.bootstrap import system
from darkroom.runtime.functions import CloudFunction, parse_pubsub, reported


def serving(fetch: Callable[[str], bytes]) -> CloudFunction:
    """The function that fetches with `fetch`, which raises UnfetchableUrl."""

    @cache
    def fetch_politely() -> Fetch:
        return polite(fetch, Hosts(system().settings.import_per_host))

    @reported
    def on_import(event: CloudEvent) -> None:
        message = decode(parse_pubsub(event.data).data)
        if not isinstance(message, ProductMessage):
            raise wrong_message("the importer", message, expected="a message of an import")
        handle_import_message(system(), message, fetch_politely())

    return on_import


def telling(fetcher: Fetcher) -> CloudFunction:
    """The function that posts callbacks, under the guard of the fetcher."""

    @reported
    def on_callback(event: CloudEvent) -> None:
        due = decode(parse_pubsub(event.data).data)
        if not isinstance(due, CallbackDue):
            raise wrong_message("the importer", due, expected="CallbackDue")
        key = signing_key(system().settings)
        deliver_callback(system(), due, post=persistent(fetcher), signing_key=key)

    return on_callback


on_import = serving(fetch_public)
on_callback = telling(fetch_public)
