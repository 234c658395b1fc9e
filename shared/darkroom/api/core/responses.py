"""Turns the responses of handlers into HTTP responses: whole or streamed, conditional, in ranges, compressed."""

import gzip
import zlib
from collections.abc import Iterator

from flask import Request
from pydantic import BaseModel
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wrappers import Response

from darkroom.api.core.caching import Validator, document_validator
from darkroom.api.core.routing import ApiResponse
from darkroom.domain.http_errors import PreconditionFailed, RangeNotSatisfiable

#: Largest response in one piece, in bytes: Google's front end takes at most 32 MiB, larger ones must be streamed.
_WHOLE_RESPONSE_BYTES = 30 * 1024 * 1024
#: Bytes of one piece of a streamed response.
_PIECE_BYTES = 1024 * 1024
#: Content types of texts, which gzip makes much smaller. Pictures are compressed already.
_TEXTS = (
    "application/json",
    "application/problem+json",
    "text/html",
    "text/css",
    "text/csv",
    "text/javascript",
    "text/plain",
)
#: Smallest text that is compressed, in bytes; a smaller one fits into one network packet as it is.
_MIN_GZIP_BYTES = 1024
#: Effort of gzip, 1 to 9; above 6 it takes much longer and saves little.
_GZIP_LEVEL = 6
#: `wbits` of zlib for a stream in the format of gzip.
_GZIP_WBITS = 31


def http_response(request: Request, response: ApiResponse) -> Response:
    """The HTTP response to a request. Raises PreconditionFailed or RangeNotSatisfiable."""
    content = response.content
    if isinstance(content, BaseModel):
        content = content.model_dump_json().encode()
    if not isinstance(content, bytes):
        return _compressed_stream(content, request, response)
    validator = response.validator or _validator_of_document(request, response, content)
    if validator is None:
        return _compressed(content, request, response)
    return _conditional(content, request, response, validator=validator)


def whole(data: bytes, response: ApiResponse) -> Response:
    """A response with a Content-Length, unless it is too large for one piece.

    The content is an iterator even so. functions-framework reads the rest of the request before any other response,
    and answers a body that is too large with its own error page.
    """
    if len(data) > _WHOLE_RESPONSE_BYTES:
        return _streamed(_pieces(data), response)
    found = _streamed(iter((data,)), response)
    found.content_length = len(data)
    return found


def _streamed(content: Iterator[bytes], response: ApiResponse) -> Response:
    headers = dict(response.headers)
    return Response(content, status=response.status, content_type=response.content_type, headers=headers)


def _pieces(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for start in range(0, len(data), _PIECE_BYTES):
        yield bytes(view[start : start + _PIECE_BYTES])


def _validator_of_document(request: Request, response: ApiResponse, data: bytes) -> Validator | None:
    """The version of a document that a client may keep; None for the result of an action, and for a secret."""
    may_keep = request.method in ("GET", "HEAD") and response.status == 200 and "Cache-Control" not in response.headers
    return document_validator(data) if may_keep else None


def _conditional(data: bytes, request: Request, response: ApiResponse, *, validator: Validator) -> Response:
    """The content, a range of it, or 304 if the client has it already."""
    is_known = validator.is_known_to(request)
    has_ranges = not validator.is_weak
    found = whole(data, response) if has_ranges or is_known else _compressed(data, request, response)
    found.headers["ETag"] = validator.etag
    found.headers["Cache-Control"] = validator.cache_control
    found.last_modified = validator.modified_at
    try:
        found.make_conditional(request.environ, has_ranges and not is_known and _is_one_range(request), len(data))
    except RequestedRangeNotSatisfiable as exc:
        asked = request.headers.get("Range", "")[:80]
        raise RangeNotSatisfiable(
            f"the range {asked!r} is outside of {len(data)} bytes", value=asked, limit=len(data)
        ) from exc
    if found.status_code == 412:
        raise PreconditionFailed("the content has another version than If-Match expects", value=validator.etag)
    if has_ranges:
        found.headers["Accept-Ranges"] = "bytes"
    return found


def _is_one_range(request: Request) -> bool:
    """Whether the request is for one range of bytes. All other ranges are ignored, as RFC 9110 allows."""
    asked = request.range
    return request.method == "GET" and asked is not None and asked.units == "bytes" and len(asked.ranges) == 1


def _compressed(data: bytes, request: Request, response: ApiResponse) -> Response:
    if len(data) < _MIN_GZIP_BYTES or not _may_compress(request, response):
        return whole(data, response)
    found = whole(gzip.compress(data, _GZIP_LEVEL, mtime=0), response)
    found.headers["Content-Encoding"] = "gzip"
    return found


def _compressed_stream(content: Iterator[bytes], request: Request, response: ApiResponse) -> Response:
    if not _may_compress(request, response):
        return _streamed(content, response)
    found = _streamed(_gzipped(content), response)
    found.headers["Content-Encoding"] = "gzip"
    return found


def _gzipped(content: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WBITS)
    for piece in content:
        yield compressor.compress(piece)
    yield compressor.flush()


def _may_compress(request: Request, response: ApiResponse) -> bool:
    is_text = response.content_type.partition(";")[0] in _TEXTS
    return is_text and request.accept_encodings["gzip"] > 0
