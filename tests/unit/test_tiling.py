"""Tiles cover a picture exactly, and working tile by tile changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.imaging.picture import Pixels
from darkroom.imaging.tiling import Margins, Region, apply_tiled, plan_tiles

sides = st.integers(1, 70)
scales = st.integers(1, 3)
margins = st.builds(Margins, top=st.integers(0, 9), bottom=st.integers(0, 9), left=st.integers(0, 9), right=st.just(3))
regions = st.builds(
    Region, row=st.integers(0, 9), column=st.integers(0, 9), height=st.integers(1, 9), width=st.integers(1, 9)
)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, int]:
    """Arguments of `plan_tiles` that leave room for a core."""
    halo, multiple_of = draw(st.integers(0, 5)), draw(st.integers(1, 4))
    smallest = 2 * -(-halo // multiple_of) * multiple_of + multiple_of
    return {"tile": draw(st.integers(smallest, smallest + 20)), "halo": halo, "multiple_of": multiple_of}


def picture(height: int, width: int, dtype: type = np.uint8) -> Pixels:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)


def neighbourhood_sum(pixels: Pixels, radius: int) -> Pixels:
    """Sum over a square of side 2 * radius + 1, modulo the type's range, nothing beyond the border."""
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((radius, radius), (radius, radius), (0, 0)))
    offsets = [(row, column) for row in range(2 * radius + 1) for column in range(2 * radius + 1)]
    total = np.zeros_like(pixels)
    for row, column in offsets:
        total += padded[row : row + height, column : column + width]
    return total


def block_maximum(pixels: Pixels, side: int) -> Pixels:
    """Every pixel becomes the largest one of its block of `side` x `side`."""
    result = pixels.copy()
    for row in range(0, pixels.shape[0], side):
        for column in range(0, pixels.shape[1], side):
            block = pixels[row : row + side, column : column + side]
            result[row : row + side, column : column + side] = block.max(axis=(0, 1))
    return result


def enlarged(pixels: Pixels, scale: int) -> Pixels:
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


@given(region=regions, around=margins)
def test_a_region_within_itself_grown_lies_behind_the_margins(region: Region, around: Margins) -> None:
    inside = region.within(region.grown(around))
    assert (inside.row, inside.column) == (around.top, around.left)
    assert (inside.height, inside.width) == (region.height, region.width)


@given(region=regions, scale=scales)
def test_a_scaled_region_shows_the_same_part_of_an_enlarged_picture(region: Region, scale: int) -> None:
    small = picture(20, 20)
    assert np.array_equal(region.scaled(scale).of(enlarged(small, scale)), enlarged(region.of(small), scale))


@given(height=sides, width=sides, request=requests())
def test_every_pixel_lies_in_exactly_one_core(height: int, width: int, request: dict[str, int]) -> None:
    covered = np.zeros((height, width), np.uint8)
    for tile in plan_tiles((height, width), **request):
        tile.core.of(covered)[...] += 1
    assert (covered == 1).all()


@given(height=sides, width=sides, request=requests())
def test_windows_stay_inside_the_picture_and_within_the_tile(height: int, width: int, request: dict[str, int]) -> None:
    for window in (tile.window for tile in plan_tiles((height, width), **request)):
        assert window.row >= 0
        assert window.column >= 0
        assert window.row + window.height <= height
        assert window.column + window.width <= width
        assert max(window.height, window.width) <= request["tile"]


@given(height=sides, width=sides, request=requests())
def test_windows_start_at_multiples(height: int, width: int, request: dict[str, int]) -> None:
    for window in (tile.window for tile in plan_tiles((height, width), **request)):
        assert window.row % request["multiple_of"] == 0
        assert window.column % request["multiple_of"] == 0


@given(height=sides, width=sides, request=requests())
def test_a_halo_is_short_only_at_the_border(height: int, width: int, request: dict[str, int]) -> None:
    for tile in plan_tiles((height, width), **request):
        assert tile.halo.top >= min(request["halo"], tile.core.row)
        assert tile.halo.left >= min(request["halo"], tile.core.column)
        assert tile.halo.bottom >= min(request["halo"], height - tile.core.row - tile.core.height)
        assert tile.halo.right >= min(request["halo"], width - tile.core.column - tile.core.width)


@given(height=sides, width=sides, request=requests())
def test_tiles_are_spaced_evenly(height: int, width: int, request: dict[str, int]) -> None:
    cores = [tile.core for tile in plan_tiles((height, width), **request)]
    for extents in ([core.height for core in cores], [core.width for core in cores]):
        assert max(extents) - min(extents) < 2 * request["multiple_of"]


@given(height=sides, width=sides, request=requests(), scale=scales)
@settings(deadline=None)
def test_tiled_equals_untiled_for_every_size(height: int, width: int, request: dict[str, int], scale: int) -> None:
    def operator(window: Pixels) -> Pixels:
        return enlarged(neighbourhood_sum(window, request["halo"]), scale)

    pixels = picture(height, width)
    tiled = apply_tiled(pixels, operator, plan_tiles((height, width), **request), scale=scale)
    assert np.array_equal(tiled, operator(pixels))


@given(height=sides, width=sides, multiple_of=st.integers(1, 4))
@settings(deadline=None)
def test_tiled_equals_untiled_for_an_operator_on_blocks(height: int, width: int, multiple_of: int) -> None:
    def operator(window: Pixels) -> Pixels:
        return neighbourhood_sum(block_maximum(window, multiple_of), multiple_of)

    pixels = picture(height, width)
    # A block depends on the whole of its neighbours: up to two blocks minus one pixel away.
    tiles = plan_tiles((height, width), tile=24, halo=2 * multiple_of - 1, multiple_of=multiple_of)
    assert np.array_equal(apply_tiled(pixels, operator, tiles), operator(pixels))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_bit_depth_is_kept(dtype: type) -> None:
    pixels = picture(30, 40, dtype)
    result = apply_tiled(pixels, np.copy, plan_tiles((30, 40), tile=16, halo=2))
    assert result.dtype == dtype
    assert np.array_equal(result, pixels)


def test_a_picture_that_fits_is_one_tile_without_a_halo() -> None:
    (tile,) = plan_tiles((20, 30), tile=30, halo=10)
    assert tile.window == tile.core == Region(row=0, column=0, height=20, width=30)


def test_a_halo_that_is_too_short_shows() -> None:
    pixels = picture(40, 40)
    tiled = apply_tiled(pixels, lambda window: neighbourhood_sum(window, 3), plan_tiles((40, 40), tile=16, halo=2))
    assert not np.array_equal(tiled, neighbourhood_sum(pixels, 3))


def test_a_tile_without_room_for_a_core_is_refused_with_its_numbers() -> None:
    with pytest.raises(ValueError, match="a tile of 32 pixels leaves no core: two halos of 16 and a block of 2"):
        plan_tiles((100, 100), tile=32, halo=15, multiple_of=2)


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="0x5 pixels"):
        plan_tiles((0, 5), tile=8, halo=0)


def test_an_answer_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"answered \(8, 8, 3\) to a window where \(16, 16, 3\) was promised"):
        apply_tiled(picture(8, 8), np.copy, plan_tiles((8, 8), tile=8, halo=0), scale=2)
