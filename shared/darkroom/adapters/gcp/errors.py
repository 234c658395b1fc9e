"""The one place where the errors of Google's clients become ours.

A missing permission or a missing topic is an operator's mistake: it is transient, so that the message is kept, is
delivered again once the mistake is corrected, and otherwise becomes a dead letter.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from darkroom.domain.errors import DarkroomError, PermanentError, TransientError

#: The service refuses the request permanently, for every caller.
_REFUSED = ("BadRequest", "InvalidArgument")
_FORBIDDEN = ("Forbidden", "Unauthorized", "GoogleAuthError")


@contextmanager
def translated(what: str, outcomes: Mapping[str, DarkroomError] | None = None) -> Iterator[None]:
    """Raises our errors for Google's.

    `what` names the operation in the message. `outcomes` gives, by the name of Google's error class, the error
    to raise where that class is an answer and not a failure.
    """
    try:
        yield
    except _vendor_errors() as exc:
        raise _ours(exc, what, outcomes or {}) from exc


def _ours(exc: Exception, what: str, outcomes: Mapping[str, DarkroomError]) -> DarkroomError:
    names = [cls.__name__ for cls in type(exc).__mro__]
    for name, error in outcomes.items():
        if name in names:
            return error
    answer = f"{names[0]}: {str(exc)[:500]}"
    if any(name in names for name in _FORBIDDEN):
        return TransientError(f"not allowed to {what}; grant the service account its role ({answer})")
    # Their subclasses, as FailedPrecondition for a missing index, may pass.
    if names[0] in _REFUSED:
        return PermanentError(f"the service refuses to {what} ({answer})", code="refused")
    return TransientError(f"could not {what} ({answer})")


def _vendor_errors() -> tuple[type[Exception], ...]:
    """Evaluated only when something was raised, and by then these modules are loaded."""
    import requests
    import urllib3
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

    return (
        GoogleAPIError,
        GoogleAuthError,
        InvalidResponse,
        DataCorruption,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        ConnectionError,
        TimeoutError,
    )
