"""Defines rectangular places in a picture, for reviewers and programs."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

#: Key of the places among the values of a step.
PLACES = "places"
#: Share of the picture's height or width from which a place has no position in that direction.
WHOLE = 0.7

#: A share of the picture's height or width.
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Place(BaseModel):
    """A rectangle, in shares of the upright upload: the same for every size of the picture."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    top: Share = Field(description="distance from the upper border, as a share of the height")
    left: Share = Field(description="distance from the left border, as a share of the width")
    height: Share
    width: Share

    @property
    def words(self) -> str:
        """The position in words, for instance `at the top left`; empty for a place that nearly covers the picture."""
        row = _third(self.top, self.height, ("top", "middle", "bottom"))
        column = _third(self.left, self.width, ("left", "middle", "right"))
        named = [name for name in (row, column) if name not in ("", "middle")]
        if named:
            return f"at the {' '.join(named)}"
        return "in the middle" if row or column else ""


_PLACES = TypeAdapter(tuple[Place, ...])


def places_of(values: Mapping[str, JsonValue]) -> tuple[Place, ...]:
    """The places among the values of a step, the most important first."""
    return _PLACES.validate_python(values.get(PLACES, ()))


def _third(start: float, extent: float, names: tuple[str, str, str]) -> str:
    if extent >= WHOLE:
        return ""
    return names[min(int(3 * (start + extent / 2)), 2)]
