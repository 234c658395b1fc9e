"""Turns errors into problem documents (RFC 9457); no other module does.

A problem document has a stable code and a sentence with the value and the limit. An unexpected error is logged once,
with its traceback. Its document contains only the id of the log entry.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field, JsonValue, ValidationError
from werkzeug.exceptions import HTTPException

from darkroom.domain import errors
from darkroom.domain.field_errors import FieldProblem, fields_of, shown
from darkroom.domain.http_errors import HttpError
from darkroom.runtime.logs import log_unexpected

CONTENT_TYPE = "application/problem+json"
#: Longest detail in characters; it may quote a long value of the request.
MAX_DETAIL = 2000
#: Retry-After of transient errors in seconds, unless the error has its own.
RETRY_AFTER_S = 5

#: The HTTP status of each class of errors; subclasses stand before their base classes.
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
#: The HTTP status of codes that differs from that of their class.
_STATUS_OF_CODE: Mapping[str, int] = {
    "too_many_bytes": 413,
    "too_many_pixels": 413,
    "side_too_long": 413,
    "output_too_large": 413,
    "unsupported_format": 415,
    "model_unknown": 422,
    "model_not_commercial": 422,
}


class Problem(BaseModel):
    """A problem document, RFC 9457."""

    type: str = Field(description="kind of the problem: `urn:darkroom:problem:` and the code")
    title: str
    status: int
    detail: str = Field(description="a sentence, with the value and the limit")
    code: str = Field(description="stable and machine-readable")
    request_id: str = Field(description="id of the request in the log")
    value: JsonValue = Field(None, description="the invalid value, if there is exactly one; cut to 80 characters")
    limit: JsonValue = Field(None, description="the limit that the value exceeds, if there is exactly one")
    errors: list[FieldProblem] = Field([], description="all invalid fields")


def problem_of(exc: Exception, request_id: str) -> tuple[Problem, dict[str, str]]:
    """The problem document of an error, and the headers of its response."""
    if isinstance(exc, errors.DarkroomError) and (status := _status(exc)) is not None:
        return _document(exc, status, request_id), _headers(exc, status)
    if isinstance(exc, HTTPException) and exc.code is not None and exc.code < 500:
        return _problem(exc.code, _code(exc.code), detail=exc.description or "", request_id=request_id), {}
    log_unexpected(f"Request {request_id} failed: {type(exc).__name__}.", event_id=request_id)
    detail = f"An unexpected error happened; the log has it under {request_id}."
    return _problem(500, "unexpected", detail=detail, request_id=request_id), {}


def _document(exc: errors.DarkroomError, status: int, request_id: str) -> Problem:
    found = _fields(exc)
    value, limit = shown(exc.value), exc.limit
    if len(found) == 1 and value is limit is None:
        value, limit = found[0].value, found[0].limit
    problem = _problem(status, exc.code, detail=_sentence(str(exc)), request_id=request_id)
    return problem.model_copy(update={"value": value, "limit": limit, "errors": found})


def _fields(exc: errors.DarkroomError) -> list[FieldProblem]:
    if isinstance(exc, HttpError):
        return list(exc.fields)
    if isinstance(exc, errors.BadPipeline) and isinstance(exc.__cause__, ValidationError):
        return list(fields_of(exc.__cause__, within=("pipeline",)))
    return []


def _headers(exc: errors.DarkroomError, status: int) -> dict[str, str]:
    wait_s = exc.retry_after_s if isinstance(exc, HttpError) else None
    if wait_s is None and status == HTTPStatus.SERVICE_UNAVAILABLE:
        wait_s = RETRY_AFTER_S
    headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="darkroom"'
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        headers["Content-Range"] = f"bytes */{exc.limit}"
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = str(exc.limit)
    return headers


def _status(exc: errors.DarkroomError) -> int | None:
    if isinstance(exc, HttpError):
        return exc.status
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
    """The document without members that have their default values."""
    return problem.model_dump(mode="json", exclude_defaults=True)
