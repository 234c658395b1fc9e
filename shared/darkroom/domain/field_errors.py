"""Describes the invalid fields of a request and the limits that they exceed."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from pydantic import BaseModel, Field, JsonValue, ValidationError

#: What a rule of pydantic calls its limit: https://docs.pydantic.dev/latest/errors/validation_errors/
_LIMITS = ("le", "lt", "ge", "gt", "max_length", "min_length", "multiple_of", "pattern", "expected")
#: Characters of a value that was sent, which need not come back whole.
_MAX_VALUE = 80


class FieldProblem(BaseModel):
    """One field that is not valid."""

    where: str = Field(description="path of the field, with dots")
    problem: str
    value: JsonValue = Field(None, description="what was given, cut to 80 characters; absent for lists and objects")
    limit: JsonValue = Field(None, description="the limit that it broke, if there is one")


def fields_of(error: ValidationError, *, within: tuple[str, ...] = ()) -> tuple[FieldProblem, ...]:
    """Every field that is not valid; of a pipeline, the very parameter of the very stage."""
    return tuple(_fields(error, within))


def _fields(error: ValidationError, within: tuple[str, ...]) -> Iterator[FieldProblem]:
    for item in error.errors(include_url=False):
        place = (*within, *map(str, item["loc"]))
        inner = item.get("ctx", {}).get("error")
        # Our own validators raise ValueError; that of a stage's parameters names the stage and has the cause.
        if isinstance(inner, ValueError) and isinstance(inner.__cause__, ValidationError):
            yield from _fields(inner.__cause__, (*place, str(inner).partition(":")[0]))
        else:
            yield _field(item, place)


def _field(item: Mapping[str, Any], place: tuple[str, ...]) -> FieldProblem:
    where, context = ".".join(place) or "value", item.get("ctx", {})
    if "error" in context:
        # Our own validators decide which part of the value is shown: for example, not the password of a URL.
        error = context["error"]
        value, limit = getattr(error, "value", None), getattr(error, "limit", None)
        return FieldProblem(where=where, problem=str(error), value=shown(value), limit=limit)
    limit = next((context[name] for name in _LIMITS if name in context), None)
    value = None if item["type"] == "missing" else shown(item["input"])
    return FieldProblem(where=where, problem=item["msg"], value=value, limit=limit)


def shown(value: object) -> JsonValue:
    """The received value if it is a scalar, cut to the length that a document may contain."""
    if isinstance(value, str):
        return value[:_MAX_VALUE]
    if isinstance(value, float) and not isfinite(value):
        return None  # 1e999 is valid JSON, but Python reads it as infinity, which is not
    return value if isinstance(value, (bool, int, float)) else None
