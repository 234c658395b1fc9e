import pytest

from darkroom.domain.errors import BadPipeline
from darkroom.domain.formats import CONTENT_TYPES, EXTENSIONS, output_format, working_extension
from darkroom.domain.parameters import FinishParameters, UpscaleParameters
from darkroom.domain.sizes import MAX_SIDE, has_work, target_size
from darkroom.imaging.geometry import plan_layout


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (80, 120)),
        ({"scale": 1.5}, (60, 90)),
        ({"scale": 8.0}, (320, 480)),
        ({"width": 150}, (100, 150)),
        ({"height": 100}, (100, 150)),
        ({"min_side": 100}, (100, 150)),
        ({"width": 30}, (40, 60)),
        ({"min_side": 40}, (40, 60)),
        ({"same_size": True}, (40, 60)),
    ],
)
def test_the_target_of_a_small_picture(given: dict[str, object], expected: tuple[int, int]) -> None:
    assert target_size(UpscaleParameters.model_validate(given), 40, 60) == expected


@pytest.mark.parametrize("side", [7, 333, 1000, 4001])
def test_a_width_is_reached_exactly(side: int) -> None:
    assert target_size(UpscaleParameters(width=5003), 17, side)[1] == 5003


def test_what_is_large_enough_has_no_work_and_the_same_size_has() -> None:
    assert not has_work(UpscaleParameters(min_side=1500), 1500, 2000)
    assert has_work(UpscaleParameters(min_side=1500), 1499, 2000)
    assert has_work(UpscaleParameters(same_size=True), 1500, 2000)


def test_an_enlargement_beyond_the_limit_is_refused_with_both_numbers() -> None:
    with pytest.raises(BadPipeline, match="24000x32000 = 768000000 pixels exceeds 100000000") as raised:
        target_size(UpscaleParameters(scale=8.0), 3000, 4000)
    assert raised.value.code == "output_too_large"


def test_a_side_beyond_the_limit_is_refused_in_every_enlargement_and_on_every_canvas() -> None:
    message = r"has a side of \d+ pixels, the limit is 1000000"
    with pytest.raises(BadPipeline, match=message) as raised:
        target_size(UpscaleParameters(scale=2.0), 1, 500_001)
    assert (raised.value.code, raised.value.limit) == ("output_too_large", MAX_SIDE)
    for given in ({"min_side": 3}, {"height": 2}, {"width": 2, "height": 2, "fit": "crop"}):
        with pytest.raises(BadPipeline, match=message):
            plan_layout(FinishParameters.model_validate(given), 1, 600_000)
    with pytest.raises(BadPipeline, match=message):
        plan_layout(FinishParameters(aspect="99999:1"), 11, 11)
    assert target_size(UpscaleParameters(scale=2.0), 1, 500_000) == (2, MAX_SIDE)


@pytest.mark.parametrize(
    ("source", "given", "has_alpha", "expected"),
    [
        ("jpeg", {}, False, "jpeg"),
        ("heic", {}, False, "jpeg"),
        ("bmp", {}, False, "png"),
        ("gif", {}, True, "png"),
        ("tiff", {}, True, "tiff"),
        ("jpeg", {}, True, "png"),
        ("heic", {"background": "transparent"}, True, "png"),
        ("jpeg", {"background": "#FFFFFF"}, True, "jpeg"),
        ("jpeg", {"background_object": "beach.jpg"}, True, "jpeg"),
        ("png", {"format": "jpeg"}, True, "jpeg"),
        ("webp", {}, True, "webp"),
    ],
)
def test_the_format_of_the_result(source: str, given: dict[str, object], has_alpha: bool, expected: str) -> None:
    assert output_format(FinishParameters.model_validate(given), source, has_alpha=has_alpha) == expected


def test_every_format_that_can_be_asked_for_has_an_extension_and_a_type() -> None:
    offered = set(FinishParameters.model_json_schema()["properties"]["format"]["enum"]) - {"keep"}
    assert offered == set(EXTENSIONS) == set(CONTENT_TYPES)


@pytest.mark.parametrize(
    ("bits", "height", "width", "expected"),
    [(8, 100, 100, "webp"), (16, 100, 100, "png"), (8, 16_383, 1, "webp"), (8, 1, 16_384, "png")],
)
def test_stages_hand_over_what_holds_every_bit(bits: int, height: int, width: int, expected: str) -> None:
    assert working_extension(bits, height, width) == expected
