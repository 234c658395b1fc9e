"""The entry point of the API function. It is a module of its own, so that no other function imports the API."""

import secrets

from flask import Request
from flask import request as current_request
from werkzeug.wrappers import Response

from darkroom.api.core.application import Api, error_response
from darkroom.runtime.bootstrap import system
from darkroom.runtime.lazy import Lazy


@Lazy
def the_api() -> Api:
    """The API of this process. Raises ConfigurationError if the settings are wrong."""
    return Api.of(system())


def api(request: Request) -> Response:
    """The response to any request.

    The name is that of the deployed function: functions-framework registers it under this name as an HTTP function.
    """
    try:
        found = the_api()
    except Exception as exc:  # noqa: BLE001  without settings there is no API that turns errors into responses
        return error_response(exc, secrets.token_hex(12))
    return found.answer(request)


def answer_unmatched(_error: Exception) -> Response:
    """The response to a request that the framework does not pass to the function."""
    return api(current_request)
