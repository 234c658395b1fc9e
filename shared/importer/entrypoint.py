"""How does an event reach the importer? Apart from the other entry points, so that no other function carries it."""

from collections.abc import Callable
from functools import cache

from cloudevents.http import CloudEvent

from shared.api.fetching import Fetcher
from shared.api.fetching import fetch as fetch_public
from shared.bootstrap import system
from shared.callbacks import decode_callback
from shared.catalogue.messages import decode_catalogue
from shared.entrypoints import CloudFunction, parse_pubsub, reported
from shared.handlers.callbacks import deliver_callback
from shared.handlers.imports import Fetch, handle_import_message
from shared.importer.fetching import persistent, polite
from shared.importer.hosts import Hosts
from shared.signing import signing_key


def serving(fetch: Callable[[str], bytes]) -> CloudFunction:
    """The function that fetches with `fetch`, which raises UnfetchableUrl."""

    @cache
    def fetch_politely() -> Fetch:
        return polite(fetch, Hosts(system().settings.import_per_host))

    @reported
    def on_import(event: CloudEvent) -> None:
        handle_import_message(system(), decode_catalogue(parse_pubsub(event.data).data), fetch_politely())

    return on_import


def telling(fetcher: Fetcher) -> CloudFunction:
    """The function that tells whoever wants to hear of a job, under the fetcher's guard."""

    @reported
    def on_callback(event: CloudEvent) -> None:
        due = decode_callback(parse_pubsub(event.data).data)
        key = signing_key(system().settings)
        deliver_callback(system(), due, post=persistent(fetcher), signing_key=key)

    return on_callback


on_import = serving(fetch_public)
on_callback = telling(fetch_public)
