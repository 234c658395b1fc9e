"""Builds the OpenAPI 3.1 document from the table of routes and their models.

https://spec.openapis.org/oas/v3.1.1.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from darkroom import __version__
from darkroom.api.core.bodies import PictureBody
from darkroom.api.core.problems import CONTENT_TYPE, Problem
from darkroom.api.core.reading import FILE_FIELD, MASK_FIELD
from darkroom.api.core.routing import Endpoint, ResponseSpec
from darkroom.domain.parameters import PARAMETERS
from darkroom.domain.products.configs import SCOPES
from darkroom.domain.products.rows import MAX_TEXT_BYTES

Json = dict[str, Any]
_REF = "#/components/schemas/{model}"
_STATUS_WORDS: Mapping[int, str] = {
    400: "the request cannot be read",
    401: "an API key is needed, or the given one is invalid",
    403: "the role of the key is too low, or the origin of the page is not allowed",
    404: "there is no such path, job or result",
    405: "the path has other methods",
    409: "the state of the job does not allow it, or another request was faster",
    410: "the object was deleted or replaced",
    412: "the response has another version than `If-Match` expects",
    413: "too large",
    415: "the content type of the body is not supported",
    416: "the range is outside of the content",
    422: "a value of the request is invalid",
    429: "too many requests",
    500: "an unexpected error; the log has it under the id in the response",
    503: "temporarily unavailable; try again",
}
#: Schema of each path variable; other values lead to status 404.
_PATH_SCHEMAS: Mapping[str, Json] = {
    "job": {"type": "string", "pattern": "^[0-9a-f]{24}$"},
    "stage": {"type": "string", "enum": [stage for stage in PARAMETERS if stage != "assess"]},
    "n": {"type": "integer", "minimum": 0},
    "batch": {"type": "string", "pattern": "^[0-9a-f]{24}$"},
    "scope": {"type": "string", "enum": list(SCOPES)},
    "key": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_BYTES},
    "group": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_BYTES},
    "run": {"type": "integer", "minimum": 1},
    "token": {"type": "string", "minLength": 1},
}
#: Headers of conditional requests, RFC 9110.
_CONDITIONS: Mapping[str, str] = {
    "If-None-Match": "the ETag that the client has; the response is 304 if it is the present one",
    "If-Modified-Since": "the Last-Modified that the client has",
}
#: Headers of requests for a part, RFC 9110.
_RANGES: Mapping[str, str] = {
    "Range": "one range of bytes: `bytes=0-999`",
    "If-Range": "the ETag of the part that the client has; the response is whole if it has changed",
}
#: Problem statuses of every route.
_EVERYWHERE = (400, 405, 429, 500, 503)
#: Problem statuses of routes with a body.
_WITH_BODY = (413, 415, 422)


@cache
def document() -> Json:
    """The OpenAPI document of all routes."""
    from darkroom.api.routes.table import ROUTES

    return describe(ROUTES)


def describe(routes: Iterable[Endpoint]) -> Json:
    """The OpenAPI document of `routes`."""
    routes = tuple(routes)
    schemas = _schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Darkroom",
            "version": __version__,
            "description": "Restores, corrects and finishes photographs. Problems are documents of RFC 9457.",
        },
        "servers": [{"url": "/", "description": "the service that sent this document"}],
        "tags": [{"name": name} for name in dict.fromkeys(_tag(route) for route in routes)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "an API key: `dk_…`; or an ID token of Google, if the deployment accepts them",
                },
                "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "an API key"},
            },
        },
    }


def _models(routes: tuple[Endpoint, ...]) -> Iterator[tuple[type[BaseModel], str]]:
    yield Problem, "serialization"
    for route in routes:
        for response in route.responses:
            if response.model is not None:
                yield response.model, "serialization"
        for model in (route.query_model, route.body_spec.model):
            if model is not None:
                yield model, "validation"


def _schemas(routes: tuple[Endpoint, ...]) -> dict[str, Json]:
    models = sorted(set(_models(routes)), key=lambda each: (each[0].__name__, each[1]))
    _, definitions = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    found: dict[str, Json] = definitions["$defs"]
    return found


def _operation(route: Endpoint, schemas: Mapping[str, Json]) -> Json:
    operation: Json = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [_tag(route)],
        "parameters": [*_path_parameters(route), *_query_parameters(route, schemas), *_header_parameters(route)],
        "responses": _responses(route),
    }
    if route.body_spec.model is not None:
        operation["requestBody"] = {"required": True, "content": _body(route, schemas)}
    operation["security"] = [] if route.access == "anyone" else [{"key": []}, {"header": []}, {}]
    if route.access != "anyone":
        operation["x-role"] = route.access
    return operation


def _tag(route: Endpoint) -> str:
    return route.section or _section(route.path)


def _section(path: str) -> str:
    first = path.removeprefix("/v1/").strip("/").split("/")[0]
    return first or "service"


def _path_parameters(route: Endpoint) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS[name]}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query_parameters(route: Endpoint, schemas: Mapping[str, Json]) -> list[Json]:
    is_picture = isinstance(route.body_spec, PictureBody)
    model = route.body_spec.model if is_picture else route.query_model
    if model is None:
        return []
    schema = schemas[model.__name__]
    required = schema.get("required", [])
    return [
        _parameter(name, field, name in required)
        for name, field in schema.get("properties", {}).items()
        if not is_picture or name not in ("url", "object")
    ]


def _parameter(name: str, field: Json, required: bool) -> Json:
    parameter: Json = {"name": name, "in": "query", "required": required, "schema": as_text(field)}
    return parameter | ({"description": field["description"]} if "description" in field else {})


def as_text(field: Json) -> Json:
    """The schema of a field in a form or query: an object is JSON in a string, and null is an absent field."""
    kinds = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    texts = [_object_as_text() if each.get("type") == "object" else each for each in kinds]
    unique = [each for index, each in enumerate(texts) if each not in texts[:index]]
    if any(each == {"type": "string"} for each in unique):
        unique = [each for each in unique if "contentMediaType" not in each]
    cleaned = [{key: value for key, value in each.items() if key not in ("default", "title")} for each in unique]
    return cleaned[0] if len(cleaned) == 1 else {"anyOf": cleaned}


def _object_as_text() -> Json:
    return {"type": "string", "contentMediaType": "application/json"}


def _header_parameters(route: Endpoint) -> list[Json]:
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in {**route.headers, **_conditions(route)}.items()
    ]


def _conditions(route: Endpoint) -> Mapping[str, str]:
    """The headers of conditional requests and requests for a range."""
    found = _CONDITIONS if route.method == "GET" else {}
    return {**found, **(_RANGES if _has_ranges(route) else {})}


def _body(route: Endpoint, schemas: Mapping[str, Json]) -> Json:
    """The content of the body by content type."""
    body = route.body_spec
    assert body.model is not None
    if isinstance(body, PictureBody):
        return _picture_body(body.model, schemas, files=[FILE_FIELD, *([MASK_FIELD] if body.takes_mask else [])])
    content = {"application/json": {"schema": _ref(body.model)}}
    return content | {media: {"schema": {"type": "string"}} for media in body.text_types}


def _picture_body(model: type[BaseModel], schemas: Mapping[str, Json], *, files: Sequence[str]) -> Json:
    fields: dict[str, Json] = schemas[model.__name__]["properties"]
    form: dict[str, Json] = {name: {"type": "string", "format": "binary"} for name in files}
    form |= {name: as_text(field) for name, field in fields.items() if name not in ("url", "object")}
    return {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": form,
                "required": [FILE_FIELD],
                "additionalProperties": False,
            }
        },
        "application/json": {"schema": _ref(model)},
        "image/*": {"schema": {"type": "string", "format": "binary"}},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    }


def _responses(route: Endpoint) -> Json:
    responses: dict[str, Json] = {}
    for status in problem_statuses(route):
        responses[str(status)] = {
            "description": _STATUS_WORDS[status],
            "content": {CONTENT_TYPE: {"schema": _ref(Problem)}},
        }
    for response in described_responses(route):
        one = responses.setdefault(str(response.status), {"description": response.description})
        if found := _content(response):
            one["content"] = one.get("content", {}) | found
    return dict(sorted(responses.items()))


def described_responses(route: Endpoint) -> Iterator[ResponseSpec]:
    """The responses of the table, and those to conditional requests and requests for a range."""
    yield from route.responses
    if route.method == "GET":
        yield ResponseSpec(status=304, description="the client has this version already")
    for response in route.responses:
        if response.has_ranges:
            yield replace(response, status=206, description="a range of the bytes")


def problem_statuses(route: Endpoint) -> list[int]:
    """The statuses of the problem documents of a route."""
    found = {*_EVERYWHERE, *route.problems}
    found |= {412} if route.method == "GET" else set()
    found |= {416} if _has_ranges(route) else set()
    found |= set() if route.access == "anyone" else {401, 403}
    found |= {422} if route.query_model is not None else set()
    found |= set(_WITH_BODY) if route.body_spec.model is not None else set()
    return sorted(found)


def _has_ranges(route: Endpoint) -> bool:
    return any(response.has_ranges for response in route.responses)


def _content(response: ResponseSpec) -> Json:
    content: Json = {media: {"schema": _media_schema(media)} for media in response.media}
    if response.model is not None:
        content["application/json"] = {"schema": _ref(response.model)}
    return content


def _media_schema(media: str) -> Json:
    return {"type": "object"} if media == "application/json" else {"type": "string"}


def _ref(model: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}
