"""The entry points of the importer functions. It is a separate module, so that no other function imports it."""

from collections.abc import Callable
from functools import cache

from cloudevents.http import CloudEvent

from darkroom.auth.signing import signing_key
from darkroom.domain.envelope import decode, wrong_message
from darkroom.domain.products.messages import ProductMessage
from darkroom.domain.webhooks import CallbackDue
from darkroom.handlers.imports import Fetch, handle_import_message
from darkroom.handlers.webhooks import deliver_callback
from darkroom.importer.fetching import with_host_limit, with_retry_classification
from darkroom.outbound.fetching import Fetcher
from darkroom.outbound.fetching import fetch as fetch_public
from darkroom.outbound.hosts import Hosts
from darkroom.runtime.bootstrap import system
from darkroom.runtime.functions import CloudFunction, parse_pubsub, reported


def import_function(fetch: Callable[[str], bytes]) -> CloudFunction:
    """A function that reads pictures with `fetch`, which raises UnfetchableUrl."""

    @cache
    def fetch_with_host_limit() -> Fetch:
        return with_host_limit(fetch, Hosts(system().settings.import_per_host))

    @reported
    def on_import(event: CloudEvent) -> None:
        message = decode(parse_pubsub(event.data).data)
        if not isinstance(message, ProductMessage):
            raise wrong_message("the importer", message, expected="a message of an import")
        handle_import_message(system(), message, fetch_with_host_limit())

    return on_import


def webhook_function(fetcher: Fetcher) -> CloudFunction:
    """A function that sends webhooks with the guard of `fetcher`."""

    @reported
    def on_callback(event: CloudEvent) -> None:
        due = decode(parse_pubsub(event.data).data)
        if not isinstance(due, CallbackDue):
            raise wrong_message("the importer", due, expected="CallbackDue")
        key = signing_key(system().settings)
        deliver_callback(system(), due, post=with_retry_classification(fetcher), signing_key=key)

    return on_callback


on_import = import_function(fetch_public)
on_callback = webhook_function(fetch_public)
