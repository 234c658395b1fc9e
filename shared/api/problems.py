"""How does an error become an answer?

The one place where that happens. Every refusal is a problem document (RFC 9457) with a stable code and a sentence that
holds the value and the limit. What nobody expected is logged once, with its traceback, and answered with the id under
which it was logged and nothing else.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field, JsonValue
from werkzeug.exceptions import HTTPException

from shared import errors
from shared.api.refusals import Refused
from shared.logs import log_unexpected

CONTENT_TYPE = "application/problem+json"
#: Characters of a sentence: what somebody sent is quoted in it, and need not come back whole.
MAX_DETAIL = 2000
#: Seconds after which to ask again for what may pass, unless the error knows better.
RETRY_AFTER_S = 5

#: The status of each kind of error, the special ones before those that they are a kind of.
_STATUS: tuple[tuple[type[errors.DarkroomError], int], ...] = (
    (errors.BadImage, 422),
    (errors.BadPipeline, 422),
    (errors.BadMessage, 400),
    (errors.SourceGone, 410),
    (errors.ModelUnusable, 503),
    (errors.NotAllowed, 409),
    (errors.PermanentError, 422),
    (errors.TransientError, 503),
    (errors.JobNotFound, 404),
    (errors.ObjectNotFound, 404),
    (errors.KeyNotFound, 404),
    (errors.BatchNotFound, 404),
    (errors.JobExists, 409),
    (errors.ObjectExists, 409),
    (errors.RevisionConflict, 409),
)
#: Codes whose status differs from that of their kind.
_STATUS_OF_CODE: Mapping[str, int] = {
    "too_many_bytes": 413,
    "too_many_pixels": 413,
    "output_too_large": 413,
    "unsupported_format": 415,
    "model_unknown": 422,
    "model_not_commercial": 422,
}


class FieldProblem(BaseModel):
    """One field that is not valid."""

    where: str = Field(description="path of the field, with dots")
    problem: str


class Problem(BaseModel):
    """A problem document, RFC 9457."""

    type: str = Field(description="names the kind of problem: `urn:darkroom:problem:` and the code")
    title: str
    status: int
    detail: str = Field(description="a sentence, with the value and the limit")
    code: str = Field(description="stable and machine-readable")
    request_id: str = Field(description="under this id the request stands in the log")
    value: JsonValue = Field(None, description="the value that was refused, if it is a single one")
    limit: JsonValue = Field(None, description="the limit that it broke, if there is one")
    errors: list[FieldProblem] = Field([], description="all fields that are not valid")


def problem_of(exc: Exception, request_id: str) -> tuple[Problem, dict[str, str]]:
    """The problem document of an error, and the headers that go with it."""
    if isinstance(exc, Refused):
        return _refused(exc, request_id)
    if isinstance(exc, errors.DarkroomError) and (status := _status(exc)) is not None:
        told = _problem(status, exc.code, detail=_sentence(str(exc)), request_id=request_id)
        return told, {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
    if isinstance(exc, HTTPException) and exc.code is not None and exc.code < 500:
        return _problem(exc.code, _code(exc.code), detail=exc.description or "", request_id=request_id), {}
    log_unexpected(f"Request {request_id} failed: {type(exc).__name__}.", event_id=request_id)
    detail = f"Something unexpected happened; it was logged under {request_id}."
    return _problem(500, "unexpected", detail=detail, request_id=request_id), {}


def _refused(exc: Refused, request_id: str) -> tuple[Problem, dict[str, str]]:
    told = _problem(exc.status, exc.code, detail=_sentence(str(exc)), request_id=request_id)
    found = [FieldProblem(where=where, problem=text) for where, text in exc.fields]
    told = told.model_copy(update={"value": exc.value, "limit": exc.limit, "errors": found})
    headers = {"Retry-After": str(exc.retry_after_s)} if exc.retry_after_s is not None else {}
    if exc.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="darkroom"'
    if exc.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = str(exc.limit)
    return told, headers


def _status(exc: errors.DarkroomError) -> int | None:
    by_kind = next((status for kind, status in _STATUS if isinstance(exc, kind)), None)
    return None if by_kind is None else _STATUS_OF_CODE.get(exc.code, by_kind)


def _problem(status: int, code: str, *, detail: str, request_id: str) -> Problem:
    title = HTTPStatus(status).phrase
    kind = f"urn:darkroom:problem:{code}"
    return Problem(type=kind, title=title, status=status, detail=detail, code=code, request_id=request_id)


def _code(status: int) -> str:
    return "too_large" if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else "bad_request"


def _sentence(text: str) -> str:
    if len(text) > MAX_DETAIL:
        return f"{text[:MAX_DETAIL]}…"
    return text if text.endswith((".", "!", "?")) else f"{text}."


def body_of(problem: Problem) -> dict[str, Any]:
    """The document without the members that say nothing."""
    return problem.model_dump(mode="json", exclude_defaults=True)
