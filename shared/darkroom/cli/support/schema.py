"""Formats the limits of a parameter from the JSON Schema of its model."""

import json
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

#: How the patterns of `darkroom.domain.parameters` are written for people.
_SHAPES: Mapping[str, str] = {r"^#[0-9A-Fa-f]{6}$": "#RRGGBB", r"^[1-9]\d{0,4}:[1-9]\d{0,4}$": "W:H"}


def kinds(schema: Schema) -> list[Schema]:
    """What a value may be; absence is no value."""
    return [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]


def allowed(schema: Schema) -> str:
    """`0..10`, `pad|crop|stretch`, `#RRGGBB|keep`."""
    return "|".join(_allowed(kind) for kind in kinds(schema))


def _allowed(kind: Schema) -> str:
    if "enum" in kind:
        return "|".join(kind["enum"])
    if kind.get("type") == "array":
        return "LIST"
    if "maximum" in kind:
        low = kind.get("minimum", kind.get("exclusiveMinimum"))
        return f"{'>' if 'exclusiveMinimum' in kind else ''}{low:g}..{kind['maximum']:g}"
    return "true|false" if kind["type"] == "boolean" else _SHAPES.get(kind.get("pattern", ""), "TEXT")


def default(schema: Schema) -> str:
    """The default as it would be typed, or nothing."""
    value = schema.get("default")
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def description(schema: Schema) -> str:
    """The description of the parameter; its name if it has none."""
    return str(schema.get("description", schema["title"].lower()))
