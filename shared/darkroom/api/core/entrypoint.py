"""How does an HTTP request reach the API? Apart from the other entry points, so that no other function carries it."""

import secrets

from flask import Request
from flask import request as current_request
from werkzeug.wrappers import Response

from darkroom.api.core.application import Api, refusal
from darkroom.runtime.bootstrap import system
from darkroom.runtime.lazy import Lazy


@Lazy
def the_api() -> Api:
    """The API of this process. Raises ConfigurationError if the settings are wrong."""
    return Api.of(system())


def api(request: Request) -> Response:
    """The answer to a request, whatever it is.

    Named as the deployed function is: under this name functions-framework remembers that it takes HTTP.
    """
    try:
        found = the_api()
    except Exception as exc:  # noqa: BLE001  without settings there is no API yet to turn errors into answers
        return refusal(exc, secrets.token_hex(12))
    return found.answer(request)


def answer_unmatched(_error: Exception) -> Response:
    """The answer to a request that the framework does not hand to the function."""
    return api(current_request)
