import numpy as np
import pytest

from darkroom.imaging.color import (
    apply_table,
    image_from_lab,
    lab_from_image,
    linear_from_pixels,
    linear_from_srgb,
    luma,
    parse_hex,
    srgb_from_linear,
    strongest,
    weakest,
)
from darkroom.imaging.measurement.illuminant import estimate_cast, estimate_light
from darkroom.imaging.picture import to_float
from darkroom.imaging.tone.adjust import adjustment_table, saturate, tone_curve
from tests.degradations import in_light, part
from tests.photographs import photograph

#: CIE 1976 lightness and chroma of sRGB's red, to three places.
RED_LAB = (53.24, 80.09, 67.20)


def test_encoding_and_light_are_inverses() -> None:
    values = np.linspace(0, 1, 1001, dtype=np.float32)
    assert np.abs(srgb_from_linear(linear_from_srgb(values)) - values).max() < 1e-5


@pytest.mark.parametrize(("encoded", "linear"), [(0.0, 0.0), (0.04045, 0.0031308), (0.5, 0.21404), (1.0, 1.0)])
def test_known_values_of_the_standard(encoded: float, linear: float) -> None:
    assert float(linear_from_srgb(np.array([encoded], np.float32))[0]) == pytest.approx(linear, abs=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_table_gives_what_the_formula_gives(dtype: type[np.uint8] | type[np.uint16]) -> None:
    pixels = np.linspace(0, np.iinfo(dtype).max, 300).astype(dtype).reshape(10, 10, 3)
    assert np.abs(linear_from_pixels(pixels) - linear_from_srgb(to_float(pixels))).max() < 1e-6


def test_lab_of_red_is_known_and_comes_back() -> None:
    red = np.array([[[1.0, 0.0, 0.0]]], np.float32)
    assert lab_from_image(red)[0, 0].tolist() == pytest.approx(RED_LAB, abs=0.2)
    assert np.abs(image_from_lab(lab_from_image(red)) - red).max() < 0.01


def test_luma_of_grey_is_its_value() -> None:
    assert np.abs(luma(np.full((3, 3, 3), 51, np.uint8)) - 0.2).max() < 1e-6


def test_hex_colours_are_read() -> None:
    assert parse_hex("#0080FF").tolist() == pytest.approx([0.0, 128 / 255, 1.0])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_table_of_identity_changes_nothing(dtype: type[np.uint8] | type[np.uint16]) -> None:
    pixels = (part(side=32).astype(np.uint16) * (1 if dtype is np.uint8 else 257)).astype(dtype)
    table = adjustment_table(int(np.iinfo(dtype).max) + 1, 0.0, 0.0, 0.0)
    assert (apply_table(pixels, table) == pixels).all()


# Adjustments


@pytest.mark.parametrize("amount", [-1.0, -0.3, 0.3, 1.0])
def test_tone_curves_rise_and_keep_their_range(amount: float) -> None:
    values = np.linspace(0, 1, 256, dtype=np.float32)
    for curve in (tone_curve(values, amount, 0.0), tone_curve(values, 0.0, amount)):
        assert (np.diff(curve) >= -1e-6).all()
        assert -1e-6 <= curve.min() <= curve.max() <= 1 + 1e-6


def test_brightness_lifts_and_contrast_spreads_the_middle() -> None:
    values = np.array([0.4, 0.6], np.float32)
    assert (tone_curve(values, 0.5, 0.0) > values).all()
    assert np.ptp(tone_curve(values, 0.0, 0.5)) > np.ptp(values) > np.ptp(tone_curve(values, 0.0, -0.5))


def test_a_warmer_grey_has_more_red_less_blue_and_the_same_light() -> None:
    table = adjustment_table(256, 0.0, 0.0, 0.5)
    red, green, blue = table[128]
    assert red > green > blue
    light = linear_from_srgb(table[128]) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    assert float(light) == pytest.approx(float(linear_from_srgb(np.array([128 / 255], np.float32))[0]), rel=0.02)


def test_saturation_of_minus_one_is_grey() -> None:
    image = to_float(part(side=16))
    grey = saturate(image, -1.0)
    assert np.ptp(grey, axis=2).max() < 1e-5
    assert np.ptp(saturate(image, 0.5), axis=2).mean() > np.ptp(image, axis=2).mean()


@pytest.mark.parametrize("saturation", [-1.0, -0.4, 0.7, 1.0])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_are_saturated_as_floats_are(dtype: type[np.uint8] | type[np.uint16], saturation: float) -> None:
    top = int(np.iinfo(dtype).max)
    pixels = (part(side=32).astype(np.uint16) * (top // 255)).astype(dtype)
    moved = np.clip(saturate(to_float(pixels), saturation), 0.0, 1.0) * top
    assert np.abs(saturate(pixels, saturation) - moved).max() <= 1.01


@pytest.mark.parametrize("saturation", [-1.0, -0.4, 0.7, 1.0])
def test_every_grey_stays_what_it_is_at_any_saturation(saturation: float) -> None:
    greys = np.arange(256, dtype=np.uint8)[:, np.newaxis, np.newaxis].repeat(3, axis=2)
    assert (saturate(greys, saturation) == greys).all()


def test_the_strongest_and_the_weakest_channel_are_the_extremes() -> None:
    pixels = part(side=32)
    assert (strongest(pixels) == pixels.max(axis=2)).all()
    assert (weakest(pixels) == pixels.min(axis=2)).all()


# The colour of the light


@pytest.mark.parametrize("method", ["shades_of_grey", "grey_world", "white_patch", "grey_edge"])
def test_the_light_on_a_grey_scene_is_found(method: str) -> None:
    grey = np.repeat(part()[..., :1], 3, axis=2)
    light = estimate_light(in_light(grey, (0.9, 0.6, 0.45)), method, 6.0)
    assert (light / light[1]).tolist() == pytest.approx([1.5, 1.0, 0.75], rel=0.06)


@pytest.mark.parametrize("method", ["shades_of_grey", "grey_world", "white_patch", "grey_edge"])
@pytest.mark.parametrize("level", [0, 255])
def test_black_and_blown_out_pictures_have_neutral_light(method: str, level: int) -> None:
    assert estimate_light(np.full((9, 9, 3), level, np.uint8), method, 6.0).tolist() == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photographs_are_not_called_tinted_and_a_green_cast_is(name: str) -> None:
    assert estimate_cast(photograph(name)).strength < 0.35
    assert estimate_cast(in_light(photograph(name), (0.7, 1.1, 0.7))).strength > 0.5


def test_a_stronger_cast_is_stronger() -> None:
    found = [estimate_cast(in_light(photograph("astronaut"), (1, 1, 1 - tint))).strength for tint in (0, 0.3, 0.5, 0.7)]
    assert found == sorted(found)


def test_one_coloured_thing_is_no_cast() -> None:
    pixels = np.repeat(part()[..., :1], 3, axis=2)
    pixels[60:120, 60:120] = (200, 30, 30)
    assert estimate_cast(pixels).strength < 0.1
