"""How does a body or a query become a checked value?

Nothing is believed: neither a declared length nor a declared type; the length is counted while reading, and what a
picture is, its bytes say.
"""

import json
from typing import Any, TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from darkroom.domain.field_errors import fields_of
from darkroom.domain.http_errors import HttpError, Invalid, TooLarge, UnreadableType
from darkroom.domain.messages import describe

#: Largest body in bytes. Google's front end takes no more than 32 MiB, so nothing works on a laptop and fails there.
MAX_BODY_BYTES = 32 * 1024 * 1024
#: Largest JSON body, and largest text field of a form, in bytes.
MAX_JSON_BYTES = 1024 * 1024
#: Parts of a form; a picture and its wishes are a handful.
MAX_FORM_PARTS = 50
#: What a form calls the picture.
FILE_FIELD = "file"
#: And what the forms of another service call it.
OTHER_FILE_FIELD = "image"
_DRAINED_AT_ONCE = 65_536
_WAS_READ = "darkroom.body_was_read"
_STREAMED = "darkroom.body_is_streamed"

Model = TypeVar("Model", bound=BaseModel)


def limit_body(request: Request) -> None:
    """Set the limits that reading obeys. Raises TooLarge for a body that declares more."""
    request.max_content_length = MAX_BODY_BYTES
    request.max_form_memory_size = MAX_JSON_BYTES
    request.max_form_parts = MAX_FORM_PARTS
    if request.content_length is not None and request.content_length > MAX_BODY_BYTES:
        raise _too_large(request.content_length)


def leave_to_handler(request: Request) -> None:
    """The handler reads the body piece by piece, with a limit of its own."""
    request.environ[_STREAMED] = True


def drain(request: Request) -> None:
    """Read a body that nobody wants, so that the client hears the answer before the connection closes."""
    length = request.content_length
    if request.environ.get(_WAS_READ) or length is None or length > 4 * MAX_BODY_BYTES:
        return
    # The handler of a stream may have read some of it; only the stream that counts knows how much is left.
    stream = request.stream if request.environ.get(_STREAMED) else request.environ["wsgi.input"]
    try:
        while length > 0 and (chunk := stream.read(min(length, _DRAINED_AT_ONCE))):
            length -= len(chunk)
    except (OSError, ClientDisconnected):
        return  # the client has gone, and nobody is there to hear the answer


def read_raw(request: Request) -> bytes:
    """The body. Raises TooLarge."""
    request.environ[_WAS_READ] = True
    length = request.content_length
    try:
        if length is not None:
            return _read_whole(request, length)
        data = request.get_data(cache=False)
        # A stream of unknown length ends at the limit without a word; it speaks up at the next byte.
        request.stream.read(1)
        return data
    except RequestEntityTooLarge as exc:
        raise _too_large(request.content_length) from exc


def _read_whole(request: Request, length: int) -> bytes:
    """A body of known length in one piece of memory: the request's own reader collects pieces, and copies them."""
    data: bytes = request.environ["wsgi.input"].read(length)
    if len(data) < length:
        raise ClientDisconnected
    return data


def read_form(request: Request) -> tuple[dict[str, Any], tuple[str, bytes] | None]:
    """The text fields of a form, and the name and the bytes of its file. Raises TooLarge or Invalid."""
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
    except ValueError as exc:  # what werkzeug raises on a boundary that is missing or broken
        raise HttpError(f"the form cannot be read: {exc}") from exc
    return fields, None if file is None else (file.filename or "", file.read())


def read_json(request: Request) -> Any:
    """The JSON value of the body. Raises UnreadableType, TooLarge or Refused."""
    kind = request.mimetype
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnreadableType(f"the body is {kind or 'of no type'}, expected application/json", value=kind)
    return parse_json(read_raw(request))


def parse_json(data: bytes, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """The JSON value in bytes. Raises TooLarge or Refused."""
    if len(data) > max_bytes:
        raise TooLarge(f"{len(data)} bytes of JSON exceed {max_bytes}", value=len(data), limit=max_bytes)
    try:
        return json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        raise HttpError(f"the body is not JSON: {exc}", code="not_json") from exc


def checked(model: type[Model], value: Any) -> Model:
    """The value as `model`. Raises Invalid with every field that is not valid."""
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        raise Invalid(describe(exc), fields=fields_of(exc)) from exc


def read_query(request: Request, model: type[Model] | None) -> Model | None:
    """The query as `model`; a name that stands twice counts by its last value."""
    if model is None:
        return None
    return checked(model, {name: values[-1] for name, values in request.args.lists()})


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _too_large(length: int | None) -> TooLarge:
    told = f"a body of {length} bytes exceeds" if length else "the body exceeds"
    return TooLarge(f"{told} {MAX_BODY_BYTES} bytes", value=length, limit=MAX_BODY_BYTES)
