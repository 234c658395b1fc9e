"""Reads bodies and queries into checked values.

Declared lengths and types are not trusted: the length is counted while reading, and the format of a picture is
detected from its bytes.
"""

import json
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from flask import Request
from pydantic import BaseModel, JsonValue, ValidationError
from typing_extensions import override
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from darkroom.domain.field_errors import fields_of
from darkroom.domain.http_errors import HttpError, Invalid, TooLarge, UnreadableType
from darkroom.domain.messages import describe

#: Largest body in bytes: the limit of Google's front end, so that a laptop accepts no more than the cloud.
MAX_BODY_BYTES = 32 * 1024 * 1024
#: Largest JSON body, and largest text field of a form, in bytes.
MAX_JSON_BYTES = 1024 * 1024
#: Largest number of parts in a form; a picture with its options needs about ten.
MAX_FORM_PARTS = 50
#: The form field of the picture.
FILE_FIELD = "file"
#: The same field in the forms of another service.
OTHER_FILE_FIELD = "image"
#: The form field of a mask.
MASK_FIELD = "mask"
#: Bytes that one read of an ignored body takes.
_DRAIN_BYTES = 65_536
#: Key in the WSGI environment: the body was read whole.
_WAS_READ = "darkroom.body_was_read"
#: Key in the WSGI environment: the handler reads the body as a stream.
_STREAMED = "darkroom.body_is_streamed"

Model = TypeVar("Model", bound=BaseModel)
QueryT_co = TypeVar("QueryT_co", covariant=True)


class QuerySource(ABC, Generic[QueryT_co]):
    """How a route reads its query."""

    #: The model in the documentation; None if there is no query.
    model: type[BaseModel] | None = None

    @abstractmethod
    def read(self, request: Request) -> QueryT_co:
        """The query, checked. Raises Invalid."""


class NoQuery(QuerySource[None]):
    """A query that is ignored."""

    @override
    def read(self, request: Request) -> None:
        return None


class ModelQuery(QuerySource[Model]):
    """A query that a model checks; the last value of a repeated name counts."""

    def __init__(self, model: type[Model]) -> None:
        self._model = self.model = model

    def read(self, request: Request) -> Model:
        return checked(self._model, {name: values[-1] for name, values in request.args.lists()})


def limit_body(request: Request) -> None:
    """Set the limits for reading the body. Raises TooLarge for a body that declares more."""
    request.max_content_length = MAX_BODY_BYTES
    request.max_form_memory_size = MAX_JSON_BYTES
    request.max_form_parts = MAX_FORM_PARTS
    if request.content_length is not None and request.content_length > MAX_BODY_BYTES:
        raise _too_large(request.content_length)


def refuse_encoding(request: Request) -> None:
    """Raises UnreadableType for a compressed body: its size is unknown before it is decoded."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnreadableType(
            f"the body has the Content-Encoding {encoding[:80]!r}; send it uncompressed, without this header",
            value=encoding[:80],
        )


def leave_to_handler(request: Request) -> None:
    """Let the handler read the body piece by piece, with a limit of its own."""
    request.environ[_STREAMED] = True


def drain(request: Request) -> None:
    """Read and drop an unread body, so that the client gets the response before the connection closes."""
    length = request.content_length
    if request.environ.get(_WAS_READ) or length is None or length > 4 * MAX_BODY_BYTES:
        return
    # The handler of a stream may have read a part; only the counting stream has the number of the remaining bytes.
    stream = request.stream if request.environ.get(_STREAMED) else request.environ["wsgi.input"]
    try:
        while length > 0 and (chunk := stream.read(min(length, _DRAIN_BYTES))):
            length -= len(chunk)
    except (OSError, ClientDisconnected):
        return  # the client has closed the connection


def read_raw(request: Request) -> bytes:
    """The body. Raises TooLarge."""
    request.environ[_WAS_READ] = True
    length = request.content_length
    try:
        if length is not None:
            return _read_whole(request, length)
        data = request.get_data(cache=False)
        # A stream of unknown length ends silently at the limit; reading one more byte raises the error.
        request.stream.read(1)
        return data
    except RequestEntityTooLarge as exc:
        raise _too_large(request.content_length) from exc


def _read_whole(request: Request, length: int) -> bytes:
    """A body of known length in one block of memory: the request's own reader collects pieces and copies them."""
    data: bytes = request.environ["wsgi.input"].read(length)
    if len(data) < length:
        raise ClientDisconnected
    return data


def read_form(request: Request) -> tuple[dict[str, str], tuple[str, bytes] | None]:
    """The text fields of a form, and the name and the bytes of its file. Raises TooLarge or HttpError."""
    request.environ[_WAS_READ] = True
    try:
        fields = {name: values[-1] for name, values in request.form.lists()}
        file = request.files.get(FILE_FIELD) or request.files.get(OTHER_FILE_FIELD)
    except RequestEntityTooLarge as exc:
        raise TooLarge(
            f"the form is too large: {MAX_BODY_BYTES} bytes, {MAX_JSON_BYTES} in all of its text fields, "
            f"{MAX_FORM_PARTS} parts",
            limit=MAX_BODY_BYTES,
        ) from exc
    except ValueError as exc:  # werkzeug raises it for a boundary that is missing or broken
        raise HttpError(f"the form cannot be read: {exc}") from exc
    return fields, None if file is None else (file.filename or "", file.read())


def read_mask(request: Request) -> bytes | None:
    """The bytes of the mask in a form that `read_form` has read; None if there is none."""
    file = request.files.get(MASK_FIELD)
    return None if file is None else file.read()


def read_json(request: Request) -> JsonValue:
    """The JSON value of the body. Raises UnreadableType, TooLarge or HttpError."""
    kind = request.mimetype
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnreadableType(f"the body is {kind or 'of no type'}, expected application/json", value=kind)
    return parse_json(read_raw(request))


def parse_json(data: bytes, *, max_bytes: int = MAX_JSON_BYTES) -> JsonValue:
    """The JSON value in bytes. Raises TooLarge or HttpError."""
    if len(data) > max_bytes:
        raise TooLarge(f"{len(data)} bytes of JSON exceed {max_bytes}", value=len(data), limit=max_bytes)
    try:
        value: JsonValue = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise HttpError(f"the body is not JSON: {exc}", code="not_json") from exc
    return value


def checked(model: type[Model], value: object) -> Model:
    """The value as `model`. Raises Invalid with every invalid field."""
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        raise Invalid(describe(exc) + _known_names(model, exc), fields=fields_of(exc)) from exc


def _known_names(model: type[BaseModel], exc: ValidationError) -> str:
    """The names that a model knows, for a message about an unknown one; nothing for other errors."""
    has_unknown = any(error["type"] == "extra_forbidden" and len(error["loc"]) == 1 for error in exc.errors())
    return f"; known are {', '.join(model.model_fields)}" if has_unknown else ""


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _too_large(length: int | None) -> TooLarge:
    subject = f"a body of {length} bytes exceeds" if length else "the body exceeds"
    return TooLarge(f"{subject} {MAX_BODY_BYTES} bytes", value=length, limit=MAX_BODY_BYTES)
