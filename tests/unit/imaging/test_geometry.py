import numpy as np
import pytest

from darkroom.domain.errors import BadPipeline
from darkroom.domain.parameters import FinishParameters
from darkroom.imaging.geometry import Box, crop, lay_out, plan_layout, subject_box
from darkroom.imaging.picture import Picture

WHITE = np.ones(3, np.float32)


def canvas(size: tuple[int, int], **given: object) -> tuple[int, int]:
    layout = plan_layout(FinishParameters.model_validate(given), *size)
    return layout.canvas_height, layout.canvas_width


@pytest.mark.parametrize(
    ("size", "given", "expected"),
    [
        ((40, 80), {}, (40, 80)),
        ((40, 80), {"width": 160}, (80, 160)),
        ((40, 80), {"height": 10}, (10, 20)),
        ((40, 80), {"width": 100, "height": 100}, (100, 100)),
        ((40, 80), {"width": 100, "height": 100, "fit": "crop"}, (100, 100)),
        ((40, 80), {"width": 100, "height": 100, "fit": "stretch"}, (100, 100)),
        ((40, 80), {"min_side": 60}, (60, 120)),
        ((40, 80), {"min_side": 30}, (40, 80)),
        ((40, 80), {"max_side": 60}, (30, 60)),
        ((40, 80), {"max_side": 100}, (40, 80)),
        ((40, 80), {"min_side": 60, "max_side": 100}, (50, 100)),
        ((40, 80), {"aspect": "1:1"}, (80, 80)),
        ((40, 80), {"aspect": "4:1"}, (40, 160)),
        ((40, 80), {"aspect": "1:1", "width": 200}, (200, 200)),
        ((40, 80), {"aspect": "1:1", "max_side": 40}, (40, 40)),
        ((1, 1), {"max_side": 1}, (1, 1)),
        ((1, 1000), {"max_side": 10}, (1, 10)),
    ],
)
def test_the_canvas_has_the_size_that_was_asked_for(
    size: tuple[int, int], given: dict[str, object], expected: tuple[int, int]
) -> None:
    assert canvas(size, **given) == expected


def test_padding_keeps_all_of_the_picture_and_cropping_fills_the_canvas() -> None:
    padded = plan_layout(FinishParameters(width=100, height=100), 40, 80)
    cropped = plan_layout(FinishParameters(width=100, height=100, fit="crop"), 40, 80)
    assert (padded.height, padded.width, padded.top, padded.left) == (50, 100, 25, 0)
    assert (cropped.height, cropped.width, cropped.top, cropped.left) == (100, 200, 0, -50)


def test_a_result_beyond_the_limit_is_refused_with_both_numbers() -> None:
    with pytest.raises(BadPipeline, match=r"16384x16384 = 268435456 pixels exceeds 100000000"):
        canvas((40, 40), min_side=16384)


@pytest.mark.parametrize("given", [{}, {"width": 64, "height": 48}, {"aspect": "4:3"}, {"min_side": 10}])
def test_a_layout_that_changes_nothing_returns_the_very_picture(given: dict[str, object]) -> None:
    picture = Picture(pixels=np.zeros((48, 64, 3), np.uint8))
    assert lay_out(picture, plan_layout(FinishParameters.model_validate(given), 48, 64), WHITE) is picture


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (50, 31)])
def test_every_fit_reaches_the_exact_size(fit: str, size: tuple[int, int]) -> None:
    parameters = FinishParameters.model_validate({"width": 23, "height": 40, "fit": fit})
    picture = Picture(pixels=np.zeros((*size, 3), np.uint8), alpha=np.full(size, 255, np.uint8))
    laid = lay_out(picture, plan_layout(parameters, *size), WHITE)
    assert laid.pixels.shape == (40, 23, 3)


def test_padding_is_coloured_where_opaque_and_transparent_where_not() -> None:
    parameters = FinishParameters(width=20, height=10)
    layout = plan_layout(parameters, 10, 10)
    black, alpha = np.zeros((10, 10, 3), np.uint8), np.full((10, 10), 255, np.uint8)
    opaque = lay_out(Picture(pixels=black), layout, WHITE)
    cut_out = lay_out(Picture(pixels=black, alpha=alpha), layout, WHITE)
    assert (opaque.pixels[:, :5] == 255).all()
    assert (opaque.pixels[:, 5:15] == 0).all()
    assert cut_out.alpha is not None
    assert (cut_out.alpha[:, :5] == 0).all()


# Cropping to the subject


def alpha_with(rows: slice, columns: slice) -> np.ndarray:
    alpha = np.zeros((100, 200), np.uint8)
    alpha[rows, columns] = 255
    return alpha


def test_the_box_is_tight_without_a_margin_and_wider_with_one() -> None:
    alpha = alpha_with(slice(20, 60), slice(50, 130))
    assert subject_box(alpha, 0.0) == Box(top=20, bottom=60, left=50, right=130)
    assert subject_box(alpha, 0.1) == Box(top=12, bottom=68, left=42, right=138)


def test_a_subject_cut_by_the_border_gets_no_margin_there() -> None:
    assert subject_box(alpha_with(slice(50, 100), slice(50, 90)), 0.2) == Box(top=40, bottom=100, left=40, right=100)


def test_nothing_visible_has_no_box() -> None:
    assert subject_box(np.full((10, 10), 5, np.uint8), 0.1) is None


def test_a_crop_beyond_the_picture_is_transparent_there() -> None:
    picture = Picture(pixels=np.zeros((100, 200, 3), np.uint8), alpha=alpha_with(slice(2, 98), slice(2, 198)))
    box = subject_box(picture.alpha, 0.1)
    assert box is not None
    cut = crop(picture, box, WHITE)
    assert (cut.height, cut.width) == (96 + 40, 196 + 40)
    assert cut.alpha is not None
    assert (cut.alpha[:20] == 0).all()
    assert (cut.alpha[20:-20, 20:-20] == 255).all()
