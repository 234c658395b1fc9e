"""docs/stages.md has every parameter with its limits, and the score's curves, as they stand in the code."""

from pathlib import Path
from typing import Any

import pytest

from darkroom.domain.parameters import PARAMETERS, RestorationParameters, Stage
from darkroom.imaging.measurement import score

PAGE = Path(__file__).resolve().parents[3] / "docs" / "stages.md"

MEASURED_BY = {
    "noise": ("noise_sigma", score.NOISE),
    "sharpness": ("blur_radius", score.BLUR),
    "sharpness, large pictures": ("effective megapixels", score.EFFECTIVE_MEGAPIXELS),
    "exposure": ("exposure_mean", score.EXPOSURE),
    "exposure, times": ("clipped_highlights", score.HIGHLIGHTS),
    "exposure, times ": ("clipped_shadows", score.SHADOWS),
    "contrast": ("contrast", score.CONTRAST),
    "cast": ("cast_strength", score.CAST),
    "blockiness": ("blockiness", score.BLOCKINESS),
}


def parameter_rows(stage: Stage | None) -> list[list[str]]:
    """A row for each parameter of a stage's own; of what all restoration stages share for None."""
    kind = RestorationParameters if stage is None else PARAMETERS[stage]
    shared = set() if stage is None else set(RestorationParameters.model_fields)
    schema = kind.model_json_schema()["properties"]
    return [
        [f"`{name}`", _limits(told), f"`{_shown(told.get('default'))}`", told.get("description", "-")]
        for name, told in schema.items()
        if name not in shared
    ]


def _shown(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _limits(told: dict[str, Any]) -> str:
    kinds = [each for each in told.get("anyOf", [told]) if each.get("type") != "null"]
    return " or ".join(_limit(each) for each in kinds)


def _limit(kind: dict[str, Any]) -> str:
    if "enum" in kind:
        return ", ".join(f"`{value}`" for value in kind["enum"])
    if kind["type"] == "array":
        return f"list of at most {kind['maxItems']}"
    lowest, highest = kind.get("minimum", kind.get("exclusiveMinimum")), kind.get("maximum")
    name = {"number": "number", "integer": "integer", "boolean": "yes or no", "string": "text"}[kind["type"]]
    if "pattern" in kind:
        name = "`#RRGGBB`" if "#" in kind["pattern"] else "`width:height`"
    if lowest is None:
        return name
    above = "above " if "exclusiveMinimum" in kind else ""
    return f"{name}, {above}{lowest:g}" + (" or more" if highest is None else f" to {highest:g}")


def curve_rows() -> list[list[str]]:
    """A row for each curve of the score."""
    return [
        [part, _weight(part), f"`{by}`" if "_" in by else by, _points(curve)]
        for part, (by, curve) in MEASURED_BY.items()
    ]


def _weight(part: str) -> str:
    return f"{score.WEIGHTS[part]:g}" if part in score.WEIGHTS else ""


def _points(curve: score.Curve) -> str:
    return ", ".join(f"{at:g} → {value:g}" for at, value in zip(*curve, strict=True))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


@pytest.mark.parametrize("stage", [None, *PARAMETERS])
def test_every_parameter_is_documented_with_its_limits(stage: Stage | None) -> None:
    lines = [cells(line) for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert [row for row in parameter_rows(stage) if row not in lines] == []


def test_the_curves_of_the_score_are_documented() -> None:
    lines = [cells(line) for line in PAGE.read_text().splitlines() if line.startswith("|")]
    assert [row for row in curve_rows() if [cell.strip() for cell in row] not in lines] == []


@pytest.mark.parametrize("stage", list(PARAMETERS))
def test_every_stage_has_a_heading_and_names_its_methods(stage: Stage) -> None:
    text = PAGE.read_text()
    assert f"## {stage}\n" in text
    assert [method for method in PARAMETERS[stage].classical if f"`{method}`" not in text and stage != "finish"] == []
