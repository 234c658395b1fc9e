"""Every way to ask for a pipeline leads to the same values, and every mistake is named with value and limit."""

import pytest
from pydantic import ValidationError

from darkroom.domain.errors import BadPipeline
from darkroom.domain.parameters import RepairParameters
from darkroom.domain.pipeline import (
    Pipeline,
    StageChoice,
    parse_pipeline,
    parse_stages,
    pipeline_of_path,
    preset_pipeline,
)


def test_a_preset_comes_by_name_by_json_string_and_by_json_object() -> None:
    assert parse_pipeline("restore") == parse_pipeline('"restore"') == parse_pipeline('{"preset": "restore"}')


def test_a_list_of_stages_takes_names_and_objects() -> None:
    found = parse_pipeline('{"stages": ["denoise", {"stage": "upscale", "scale": 2}]}').stages
    assert found == (StageChoice(stage="denoise"), StageChoice(stage="upscale", parameters={"scale": 2}))


def test_the_command_lines_short_form_means_the_same_as_json() -> None:
    short = parse_stages("denoise:strength=0.8:method=nlm, upscale:same_size=true")
    long = parse_pipeline(
        '{"stages": [{"stage": "denoise", "strength": 0.8, "method": "nlm"}, {"stage": "upscale", "same_size": true}]}'
    )
    assert short == long.stages


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("restore/1931/wedding.jpg", "restore"),
        ("product/shoe.png", "product"),
        ("wedding.jpg", "auto"),
        ("holiday/wedding.jpg", "auto"),
        ("restore", "auto"),
        ("/restore/x.jpg", "auto"),
    ],
)
def test_the_first_folder_names_the_preset(name: str, preset: str) -> None:
    assert pipeline_of_path(name) == preset_pipeline(preset)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sepia", "preset 'sepia' is unknown, expected one of auto, restore, product"),
        ("", "preset '' is unknown"),
        ('{"preset": "sepia"}', "'sepia'"),
        ("{", "not valid JSON"),
        ('{"stages": ["sharpen"]}', "stage 'sharpen' is unknown, expected any of repair, denoise"),
        ('{"stages": {"sharpen": true}}', "stage sharpen is unknown, expected any of repair, denoise"),
        ('{"stages": ["assess"]}', "assess is always part of a pipeline"),
        ('{"stages": ["denoise", "denoise"]}', "a stage occurs twice in denoise, denoise"),
        ('{"stages": "denoise"}', "expected a list of stages or a mapping"),
        ('{"stages": {"denoise": {"sigma": 200}}}', "sigma: Input should be less than or equal to 100, not 200"),
        ('{"stages": {"denoise": {"strengh": 1}}}', r"strengh: Extra inputs .* \(known: strength"),
        ('{"stages": {"denoise": {"strength": NaN}}}', "NaN is no number"),
        ('{"stages": {"denoise": {"strength": true}}}', "strength: Input should be a valid number, not True"),
        ('{"stages": {"denoise": 1}}', "denoise: expected true, false or parameters, not 1"),
        ('["denoise"]', "belongs under"),
        ('{"stages": {"upscale": {"scale": 2, "width": 9}}}', "give one of .* not scale and width"),
        ('{"stages": {"denoise": {"method": "magic"}}}', "'auto', 'model', 'nlm' or 'bilateral', not 'magic'"),
        ('{"output": {"quality": 0}}', "output: quality: .* greater than or equal to 1, not 0"),
        ('{"output": {"background": "white"}}', "background"),
        ('{"qc_threshold": 101}', "qc_threshold: .* less than or equal to 100, not 101"),
        ('{"quality": 80}', "quality: Input should be 'fast' or 'best', not 80"),
    ],
)
def test_a_mistake_is_named_with_the_value_and_the_limit(text: str, message: str) -> None:
    with pytest.raises(BadPipeline, match=message):
        parse_pipeline(text)


@pytest.mark.parametrize("text", ["denoise:strength", "denoise:strength=2", "sharpen", "denoise:sigma=loud", ":x=1"])
def test_mistakes_in_the_short_form_are_named_too(text: str) -> None:
    with pytest.raises(BadPipeline):
        parse_stages(text)


def test_a_pipeline_survives_json_unchanged() -> None:
    for pipeline in (
        preset_pipeline("product"),
        parse_pipeline('{"stages": ["denoise", {"stage": "upscale", "scale": 2}], "output": {"quality": 80}}'),
        parse_pipeline('{"preset": "full", "stages": {"denoise": false, "upscale": {"scale": 3}}}'),
    ):
        assert Pipeline.model_validate_json(pipeline.model_dump_json()) == pipeline


@pytest.mark.parametrize(("marks", "evidence"), [(1, 0.0), (5, 0.01)])
def test_least_marks_of_0_1_0_is_read_as_evidence(marks: int, evidence: float) -> None:
    assert RepairParameters.model_validate({"least_marks": marks}) == RepairParameters(evidence=evidence)


@pytest.mark.parametrize("values", [{"least_marks": 0}, {"least_marks": True}, {"least_marks": 2, "evidence": 0.5}])
def test_least_marks_that_0_1_0_would_have_refused_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="least_marks"):
        RepairParameters.model_validate(values)
