"""The reference page: the OpenAPI document for people.

The page has no script and loads nothing, so it works offline.
"""

import json
from typing import Any

from darkroom.api.pages.templates import Page

Json = dict[str, Any]
#: Sign of each limit in a schema.
_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
PAGE = Page("reference", has_script=False)


def render(document: Json) -> str:
    """The page of an OpenAPI document."""
    return PAGE.render(document=document, sections=_sections(document), limits=_LIMITS, to_json=_to_json)


def _sections(document: Json) -> dict[str, list[tuple[str, str, Json]]]:
    """The method, path and operation of each route, by section."""
    found: dict[str, list[tuple[str, str, Json]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            found.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    return found


def _to_json(schema: Json) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False)
