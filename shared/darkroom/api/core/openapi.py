"""How does the API describe itself?

OpenAPI 3.1, made from the table of routes and the models alone: https://spec.openapis.org/oas/v3.1.1.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from darkroom import __version__
from darkroom.api.core.problems import CONTENT_TYPE, Problem
from darkroom.api.core.reading import FILE_FIELD
from darkroom.api.core.routing import ResponseSpec, Route
from darkroom.domain.parameters import PARAMETERS
from darkroom.domain.products.configs import SCOPES
from darkroom.domain.products.rows import MAX_TEXT_BYTES

Json = dict[str, Any]
_REF = "#/components/schemas/{model}"
_STATUS_WORDS: Mapping[int, str] = {
    400: "the request cannot be read",
    401: "an API key is needed, or is not valid",
    403: "the key's role is not enough, or the page that asks may not",
    404: "there is no such path or job, or nothing there yet",
    405: "the path knows other methods",
    409: "the state of the job does not allow it, or somebody was faster",
    410: "the object was deleted or replaced",
    413: "too large",
    415: "the body is of no type that is read here",
    422: "read, and not valid",
    429: "too many requests",
    500: "something unexpected, logged under the id in the answer",
    503: "not now; ask again",
}
#: What each variable part of a path may be; anything else leads nowhere.
_PATH_SCHEMAS: Mapping[str, Json] = {
    "job": {"type": "string", "pattern": "^[0-9a-f]{24}$"},
    "stage": {"type": "string", "enum": [stage for stage in PARAMETERS if stage != "assess"]},
    "n": {"type": "integer", "minimum": 0},
    "batch": {"type": "string", "pattern": "^[0-9a-f]{24}$"},
    "scope": {"type": "string", "enum": list(SCOPES)},
    "key": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_BYTES},
    "group": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_BYTES},
    "token": {"type": "string", "minLength": 1},
}
_EVERYWHERE = (400, 405, 429, 500, 503)
_WITH_BODY = (413, 415, 422)
_ERROR_STATUS = 400


@cache
def document() -> Json:
    """The whole description."""
    from darkroom.api.routes.table import ROUTES

    return describe(ROUTES)


def describe(routes: Iterable[Route]) -> Json:
    """The description of `routes`."""
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
            "description": "Photographs restored, corrected and finished. Problems are documents of RFC 9457.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "an API key: `dk_…`; or an ID token of Google, where those are let in",
                },
                "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "an API key"},
            },
        },
    }


def _models(routes: tuple[Route, ...]) -> Iterator[tuple[type[BaseModel], str]]:
    yield Problem, "serialization"
    for route in routes:
        for outcome in route.outcomes:
            if outcome.model is not None:
                yield outcome.model, "serialization"
        for model in (route.query, route.body, route.picture):
            if model is not None:
                yield model, "validation"


def _schemas(routes: tuple[Route, ...]) -> dict[str, Json]:
    models = sorted(set(_models(routes)), key=lambda each: (each[0].__name__, each[1]))
    _, definitions = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    found: dict[str, Json] = definitions["$defs"]
    return found


def _operation(route: Route, schemas: Mapping[str, Json]) -> Json:
    told: Json = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.section or _section(route.path)],
        "parameters": [*_path_parameters(route), *_query_parameters(route, schemas), *_header_parameters(route)],
        "responses": _responses(route),
    }
    if route.body is not None:
        content = {"application/json": {"schema": _ref(route.body)}}
        content |= {media: {"schema": {"type": "string"}} for media in route.texts}
        told["requestBody"] = {"required": True, "content": content}
    if route.picture is not None:
        told["requestBody"] = _picture_body(route, schemas)
    told["security"] = [] if route.access == "anyone" else [{"key": []}, {"header": []}, {}]
    if route.access != "anyone":
        told["x-role"] = route.access
    return told


def _section(path: str) -> str:
    first = path.removeprefix("/v1/").strip("/").split("/")[0]
    return first or "service"


def _path_parameters(route: Route) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS[name]}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query_parameters(route: Route, schemas: Mapping[str, Json]) -> list[Json]:
    model = route.query or route.picture
    if model is None:
        return []
    schema = schemas[model.__name__]
    required = schema.get("required", [])
    return [
        _parameter(name, field, name in required)
        for name, field in schema.get("properties", {}).items()
        if route.picture is None or name not in ("url", "object")
    ]


def _parameter(name: str, field: Json, required: bool) -> Json:
    told: Json = {"name": name, "in": "query", "required": required, "schema": as_text(field)}
    return told | ({"description": field["description"]} if "description" in field else {})


def as_text(field: Json) -> Json:
    """The schema of a field that must travel as text: objects as JSON in a string, and null by leaving it out."""
    kinds = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    texts = [_object_as_text() if each.get("type") == "object" else each for each in kinds]
    unique = [each for index, each in enumerate(texts) if each not in texts[:index]]
    if any(each == {"type": "string"} for each in unique):
        unique = [each for each in unique if "contentMediaType" not in each]
    cleaned = [{key: value for key, value in each.items() if key not in ("default", "title")} for each in unique]
    return cleaned[0] if len(cleaned) == 1 else {"anyOf": cleaned}


def _object_as_text() -> Json:
    return {"type": "string", "contentMediaType": "application/json"}


def _header_parameters(route: Route) -> list[Json]:
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in route.headers.items()
    ]


def _picture_body(route: Route, schemas: Mapping[str, Json]) -> Json:
    assert route.picture is not None
    fields: dict[str, Json] = schemas[route.picture.__name__]["properties"]
    form: dict[str, Json] = {FILE_FIELD: {"type": "string", "format": "binary"}}
    form |= {name: as_text(field) for name, field in fields.items() if name not in ("url", "object")}
    content: Json = {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": form,
                "required": [FILE_FIELD],
                "additionalProperties": False,
            }
        },
        "application/json": {"schema": _ref(route.picture)},
        "image/*": {"schema": {"type": "string", "format": "binary"}},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    }
    return {"required": True, "content": content}


def _responses(route: Route) -> Json:
    told: dict[str, Json] = {}
    for status in problem_statuses(route):
        told[str(status)] = {
            "description": _STATUS_WORDS[status],
            "content": {CONTENT_TYPE: {"schema": _ref(Problem)}},
        }
    for outcome in route.outcomes:
        one = told.setdefault(str(outcome.status), {"description": outcome.what})
        if found := _content(outcome):
            one["content"] = one.get("content", {}) | found
    return dict(sorted(told.items()))


def problem_statuses(route: Route) -> list[int]:
    """The statuses with which a route may refuse."""
    found = {*_EVERYWHERE, *route.problems}
    found |= set() if route.access == "anyone" else {401, 403}
    found |= {422} if route.query is not None else set()
    found |= set(_WITH_BODY) if route.body is not None or route.picture is not None else set()
    return sorted(found)


def _content(outcome: ResponseSpec) -> Json:
    content: Json = {media: {"schema": _media_schema(media)} for media in outcome.media}
    if outcome.model is not None:
        content["application/json"] = {"schema": _ref(outcome.model)}
    return content


def _media_schema(media: str) -> Json:
    return {"type": "object"} if media == "application/json" else {"type": "string"}


def _ref(model: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}
