import json

import numpy as np
import pytest
import skimage.data

from darkroom.domain.measurements import Measurements
from darkroom.imaging.color import luma
from darkroom.imaging.filters import gaussian
from darkroom.imaging.measurement.blockiness import blockiness
from darkroom.imaging.measurement.measure import is_grey, measure
from darkroom.imaging.measurement.noise import calmest, estimate_noise, estimate_sigma_from_luma
from darkroom.imaging.measurement.sharpness import MAX_RADIUS, edge_blur
from darkroom.imaging.picture import Picture
from darkroom.imaging.sampling import NATIVE_PIXELS, native_tiles, reduced
from tests.degradations import blurred, compressed, in_light, noisy, part
from tests.photographs import photograph

COLOURED = ["astronaut", "chelsea", "coffee", "rocket"]


def sigma_of(pixels: np.ndarray) -> float:
    return estimate_noise(native_tiles(pixels)).sigma


# Noise


@pytest.mark.parametrize("name", COLOURED)
@pytest.mark.parametrize("sigma", [5, 10, 20, 35, 50])
def test_white_noise_is_found_within_a_fifth(name: str, sigma: float) -> None:
    clean = photograph(name)
    # What the photograph brings of its own adds up with what is added.
    expected = float(np.hypot(sigma, sigma_of(clean)))
    assert sigma_of(noisy(clean, sigma)) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("name", COLOURED)
def test_photographs_have_little_noise_of_their_own(name: str) -> None:
    assert sigma_of(photograph(name)) < 4.0


def textured() -> np.ndarray:
    """Coarse cloth that fills the picture: grey threads, no two alike, and nowhere a flat place."""
    rng = np.random.default_rng(0)
    threads = gaussian(rng.standard_normal((256, 256)), 0.7) * 120 + np.indices((256, 256)).sum(axis=0) % 2 * 12
    return np.clip(128 + threads[..., None] * np.array([1.0, 0.95, 0.9]), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [15, 25])
def test_texture_adds_nothing_to_noise_of_which_every_channel_has_its_own(sigma: float) -> None:
    pixels = noisy(textured(), sigma)
    found = estimate_noise(native_tiles(pixels))
    assert found.sigma == pytest.approx(sigma, rel=0.1)
    assert found.independent == 1.0
    assert found.channels > 1.2 * sigma


@pytest.mark.parametrize("name", COLOURED)
def test_what_every_channel_has_for_itself_is_told_from_what_all_have_and_from_what_a_file_has_lost(name: str) -> None:
    clean = photograph(name)
    same = np.random.default_rng(0).normal(0, 15, (*clean.shape[:2], 1))
    in_all = np.clip(clean + same, 0, 255).astype(np.uint8)
    assert estimate_noise(native_tiles(noisy(clean, 15.0))).independent == 1.0
    assert estimate_noise(native_tiles(in_all)).independent == 0.0
    assert estimate_noise(native_tiles(compressed(noisy(clean, 15.0), 90))).independent == 0.0


@pytest.mark.parametrize("name", COLOURED)
def test_no_more_noise_is_found_than_the_calmest_blocks_have(name: str) -> None:
    grey = photograph(name)[..., [1, 1, 1]]
    calm = grey.copy()
    calm[: len(grey) // 4] = 128
    assert sigma_of(calm) == calmest(native_tiles(calm)) == 0.0 < sigma_of(grey)
    assert calmest(native_tiles(noisy(calm, 15.0))) == pytest.approx(9.0, rel=0.15)
    assert calmest([grey[:40, :40]]) == np.inf


def test_structure_is_not_taken_for_noise() -> None:
    assert sigma_of(blurred(photograph("astronaut"), 1.0)) < 0.6


def test_noise_of_sixteen_bits_is_told_on_the_same_scale() -> None:
    pixels = noisy(part(), 12.0)
    assert sigma_of(pixels.astype(np.uint16) * 257) == pytest.approx(sigma_of(pixels), rel=0.02)


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (1, 300), (7, 7)])
def test_a_picture_too_small_to_tell_has_no_noise(size: tuple[int, int]) -> None:
    assert sigma_of(noisy(part(), 20.0)[: size[0], : size[1]]) == 0.0


# Grain


def grainy(pixels: np.ndarray, sigma: float, radius: float) -> np.ndarray:
    grain = gaussian(np.random.default_rng(0).standard_normal(pixels.shape[:2]), radius)
    return np.clip(pixels + grain[..., None] * (sigma / grain.std()), 0, 255).astype(np.uint8)


def grain_of(pixels: np.ndarray) -> float:
    return estimate_noise(native_tiles(pixels)).grain


@pytest.mark.parametrize("name", COLOURED)
@pytest.mark.parametrize("radius", [0.7, 1.0])
@pytest.mark.parametrize("sigma", [8, 16])
def test_grain_which_neighbours_share_is_found(name: str, sigma: float, radius: float) -> None:
    pixels = grainy(photograph(name), sigma, radius)
    assert 0.7 * sigma < grain_of(pixels) < 1.7 * sigma
    assert measure(Picture(pixels=pixels)).noise_sigma >= grain_of(pixels) - 1e-3


@pytest.mark.parametrize("name", COLOURED)
def test_neither_texture_nor_white_noise_is_taken_for_grain(name: str) -> None:
    assert grain_of(photograph(name)) == 0.0
    assert grain_of(noisy(photograph(name), 15.0)) == 0.0


def test_grain_of_sixteen_bits_is_told_on_the_same_scale() -> None:
    pixels = grainy(photograph("astronaut"), 12, 0.8)
    assert grain_of(pixels.astype(np.uint16) * 257) == pytest.approx(grain_of(pixels), rel=0.02)


@pytest.mark.parametrize("name", COLOURED)
@pytest.mark.parametrize("quality", [95, 90, 80])
def test_luma_tells_the_noise_that_was_there_before_a_jpeg(name: str, quality: int) -> None:
    pixels = compressed(noisy(photograph(name), 25.0), quality)
    assert sigma_of(pixels) < 21
    assert 18 < estimate_sigma_from_luma(native_tiles(pixels)) < 30


@pytest.mark.parametrize("name", COLOURED)
def test_without_a_jpeg_luma_tells_what_the_channels_tell(name: str) -> None:
    pixels = noisy(photograph(name), 15.0)
    assert estimate_sigma_from_luma(native_tiles(pixels)) == pytest.approx(sigma_of(pixels), rel=0.2)


def test_a_picture_too_small_to_tell_has_no_noise_in_luma() -> None:
    assert estimate_sigma_from_luma([photograph("astronaut")[:4, :4]]) == 0.0


@pytest.mark.parametrize("size", [(1, 1), (15, 300), (40, 40)])
def test_a_picture_too_small_to_tell_has_no_grain(size: tuple[int, int]) -> None:
    assert grain_of(grainy(photograph("astronaut"), 20, 0.8)[: size[0], : size[1]]) == 0.0


# Sharpness


@pytest.mark.parametrize("radius", [1.0, 1.5, 2.0, 3.0])
def test_the_blur_of_a_step_is_found_with_the_width_of_sampling(radius: float) -> None:
    step = np.zeros((96, 96), np.float32)
    step[:, 48:] = 0.8
    step = np.asarray(blurred((255 * step).astype(np.uint8), radius), np.float32) / 255
    # Sampling and differences widen it by 0.7 px, in squares.
    assert edge_blur([step]).radius == pytest.approx(np.hypot(radius, 0.7), rel=0.05)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_blurrier_photographs_have_a_larger_radius_and_less_sharpness(name: str) -> None:
    pixels = photograph(name)
    found = [edge_blur([luma(blurred(pixels, radius))], 0.3) for radius in (0.5, 1.0, 2.0, 4.0)]
    assert [each.radius for each in found] == sorted(each.radius for each in found)
    assert [each.sharpness for each in found] == sorted((each.sharpness for each in found), reverse=True)
    assert found[2].radius == pytest.approx(2.0, rel=0.3)


def test_noise_does_not_make_a_blurred_picture_sharp() -> None:
    pixels = noisy(blurred(photograph("astronaut"), 2.0), 25.0)
    assert edge_blur([luma(pixels)], sigma_of(pixels)).radius > 1.4


def test_a_picture_without_edges_is_unknown_when_flat_and_blurred_when_not() -> None:
    flat = np.full((64, 64), 0.5, np.float32)
    slope = np.tile(np.linspace(0, 0.5, 64, dtype=np.float32), (64, 1))
    assert edge_blur([flat]).radius == 0.0
    assert edge_blur([slope]).radius == MAX_RADIUS


# Blocks


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_stronger_compression_shows_more_blocks(name: str) -> None:
    clean = photograph(name)
    found = [blockiness([luma(compressed(clean, quality))]) for quality in (95, 60, 30, 10)]
    assert blockiness([luma(clean)]) < 0.05
    assert found == sorted(found)
    assert found[1] > 0.2
    assert found[3] > 0.8


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_down_to_the_lowest_quality_no_fewer_blocks_are_seen(name: str) -> None:
    qualities = (90, 75, 60, 45, 30, 20, 10, 5, 3, 2, 1)
    found = [blockiness([luma(compressed(photograph(name), quality))]) for quality in qualities]
    assert min(np.diff(found)) > -0.02
    assert found[-1] > 0.9


@pytest.mark.parametrize("name", ["page", "text", "coins", "retina", "brick"])
def test_print_fine_texture_and_edges_are_not_taken_for_blocks(name: str) -> None:
    plane = np.asarray(getattr(skimage.data, name)())
    assert blockiness([luma(plane) if plane.ndim == 3 else plane.astype(np.float32) / 255.0]) < 0.22


def test_a_ruled_sheet_has_no_blocks() -> None:
    sheet = np.full((400, 400), 0.9, np.float32)
    sheet[::16] = sheet[:, ::16] = 0.1
    assert blockiness([sheet]) < 0.05


def test_blocks_are_found_after_cropping() -> None:
    assert blockiness([luma(np.ascontiguousarray(compressed(part(), 15)[3:, 5:]))]) > 0.5


def test_noise_shows_no_blocks() -> None:
    assert blockiness([luma(noisy(np.full((256, 256, 3), 128, np.uint8), 10.0))]) < 0.05


# The whole


def test_known_tones_are_measured() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[:, :50] = 51
    pixels[:, 50:] = 204
    found = measure(Picture(pixels=pixels))
    assert found.exposure_mean == pytest.approx(0.5, abs=0.01)
    assert found.contrast == pytest.approx(0.6, abs=0.01)
    assert (found.clipped_shadows, found.clipped_highlights, found.greyscale) == (0.0, 0.0, True)


def test_a_white_background_is_no_overexposure() -> None:
    pixels = np.full((200, 200, 3), 255, np.uint8)
    pixels[50:150, 60:140] = part("coffee", 100, top=150, left=150)[:, :80]
    found = measure(Picture(pixels=pixels))
    assert found.white_background == pytest.approx(0.8, abs=0.03)
    assert found.exposure_mean < 0.6
    assert found.clipped_highlights < 0.05


def test_a_blown_out_sky_is_overexposure() -> None:
    pixels = part("astronaut", 200)
    pixels[:90] = 255
    found = measure(Picture(pixels=pixels))
    assert found.white_background == 0.0
    assert found.clipped_highlights > 0.4


def test_what_is_transparent_does_not_count() -> None:
    pixels = np.full((60, 60, 3), 255, np.uint8)
    alpha = np.zeros((60, 60), np.uint8)
    pixels[10:50, 10:50], alpha[10:50, 10:50] = 100, 255
    found = measure(Picture(pixels=pixels, alpha=alpha))
    assert found.has_alpha
    assert found.exposure_mean == pytest.approx(100 / 255, abs=0.01)


def test_an_opaque_alpha_channel_is_no_transparency() -> None:
    assert not measure(Picture(pixels=part(side=16), alpha=np.full((16, 16), 255, np.uint8))).has_alpha


def test_grey_is_told_from_sepia_and_from_colour_noise() -> None:
    grey = np.repeat(part()[..., :1], 3, axis=2)
    sepia = in_light(grey, (1.1, 1.0, 0.7))
    assert is_grey(grey)
    assert is_grey(noisy(grey, 12.0), 12.0)
    assert not is_grey(sepia)
    assert not is_grey(part())


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 2), (31, 33)])
@pytest.mark.parametrize("bits", [8, 16])
def test_any_size_is_measured_and_survives_json(size: tuple[int, int], bits: int) -> None:
    pixels = part(side=500 if size[1] == 500 else 40, left=0)[: size[0], : size[1]]
    found = measure(Picture(pixels=pixels if bits == 8 else pixels.astype(np.uint16) * 257), source_format="png")
    assert (found.height, found.width, found.bits, found.format) == (*size, bits, "png")
    assert Measurements.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert all(np.isfinite(value) for value in found.to_json().values() if isinstance(value, float))


def test_a_large_picture_is_looked_at_in_part_and_measured_alike() -> None:
    small = noisy(photograph("astronaut"), 10.0)
    large = np.tile(small, (4, 5, 1))
    assert sum(tile.shape[0] * tile.shape[1] for tile in native_tiles(large)) <= NATIVE_PIXELS
    one, other = measure(Picture(pixels=small)), measure(Picture(pixels=large))
    assert other.noise_sigma == pytest.approx(one.noise_sigma, rel=0.1)
    assert other.exposure_mean == pytest.approx(one.exposure_mean, abs=0.02)


def test_tiles_start_at_multiples_of_eight_and_are_views() -> None:
    rows = np.broadcast_to(np.arange(1111, dtype=np.uint16)[:, None, None], (1111, 1003, 3))
    assert {int(tile[0, 0, 0]) % 8 for tile in native_tiles(rows)} == {0}


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (1000, 900)])
def test_reductions_keep_to_their_limit(size: tuple[int, int]) -> None:
    small = reduced(np.zeros((*size, 3), np.uint8), 1000)
    assert 1 <= small.shape[0] * small.shape[1] <= 1000
