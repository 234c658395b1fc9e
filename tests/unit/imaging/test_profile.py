"""Tests the conversion of ICC profiles to sRGB."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from darkroom.imaging.codec import EncodeOptions, Metadata, decode, encode
from darkroom.imaging.codec.metadata import icc
from darkroom.imaging.codec.metadata.profile import from_srgb, is_srgb, srgb_bytes
from darkroom.imaging.picture import Picture
from tests import pictures, profiles

#: Linear sRGB from linear Display P3, by the primaries of both (SMPTE EG 432-1 and IEC 61966-2-1), white D65 in both.
SRGB_FROM_P3 = np.array([[1.224940, -0.224940, 0.0], [-0.042057, 1.042057, 0.0], [-0.019638, -0.078636, 1.098274]])


def linear(encoded: np.ndarray) -> np.ndarray:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encoded(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def expected_from_p3() -> np.ndarray:
    return encoded(linear(pictures.scene() / 255) @ SRGB_FROM_P3.T)


def test_a_wide_gamut_picture_of_8_bits_is_converted_without_a_shift() -> None:
    decoded = decode(pictures.png_bytes(icc_profile=profiles.display_p3()))
    error = np.abs(decoded.picture.pixels / 255 - expected_from_p3()) * 255
    assert error.max() <= 1.5
    assert error.mean() <= 0.4
    assert decoded.notes == ("converted from the profile 'Display P3' to sRGB",)


def test_a_wide_gamut_picture_of_16_bits_is_converted_with_16_bits() -> None:
    decoded = decode(pictures.wide_gamut_png16())
    assert decoded.picture.bits == 16
    error = np.abs(decoded.picture.pixels / 65535 - expected_from_p3()) * 255
    assert error.max() <= 0.5
    assert error.mean() <= 0.05
    assert len(np.unique(decoded.picture.pixels)) > 256


def test_a_wide_gamut_jpeg_differs_from_its_bare_numbers() -> None:
    bare = decode(pictures.jpeg_bytes()).picture.pixels.astype(int)
    converted = decode(pictures.wide_gamut_jpeg()).picture.pixels.astype(int)
    # The red patch: what P3 calls (220, 40, 40) is redder than sRGB can show, so green and blue fall.
    assert converted[4, 4, 0] > bare[4, 4, 0] + 5
    assert converted[4, 4, 1] < bare[4, 4, 1] - 20


@pytest.mark.parametrize("profile", [profiles.plain_srgb(), srgb_bytes()], ids=["table curve", "parametric curve"])
def test_a_profile_that_is_srgb_changes_no_pixel(profile: bytes) -> None:
    decoded = decode(pictures.png_bytes(icc_profile=profile))
    assert np.array_equal(decoded.picture.pixels, pictures.scene())
    assert decoded.notes == ()
    assert decoded.metadata.profile == profile


def test_a_gamma_close_to_srgb_is_still_converted() -> None:
    assert not is_srgb(profiles.srgb_with_gamma(2.0))
    decoded = decode(pictures.png_bytes(icc_profile=profiles.srgb_with_gamma(2.0)))
    expected = encoded((pictures.scene() / 255) ** 2.0) * 255
    assert np.abs(decoded.picture.pixels - expected).max() <= 1.5


@pytest.mark.parametrize("bits", [8, 16])
def test_a_grey_profile_is_honoured(bits: int) -> None:
    grey = np.ascontiguousarray(pictures.scene()[..., 1])
    if bits == 8:
        data = pictures.png_bytes(grey, icc_profile=profiles.grey_gamma(1.0))
    else:
        packed = pictures.png_chunk(b"iCCP", b"grey\0\0" + pictures.zlib.compress(profiles.grey_gamma(1.0)))
        data = pictures.raw_png(grey.astype(np.uint16) * 257, packed)
    picture = decode(data).picture
    assert picture.bits == bits
    expected = encoded(grey / 255)[..., np.newaxis]
    tolerance = 1.5 / 255 if bits == 8 else 1e-4
    assert np.abs(picture.image - expected).max() <= tolerance


def test_a_cmyk_profile_is_honoured() -> None:
    plain = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    data = pictures.saved(plain, "TIFF", icc_profile=profiles.simple_cmyk())
    decoded = decode(data)
    assert decoded.notes == ("converted from the profile 'table' to sRGB",)
    # Pure cyan ink leaves a fifth of the red by this profile; the conversion without one would leave none.
    red, green, blue = decoded.picture.pixels[0, 0].astype(int)
    assert abs(red - 51) <= 6
    assert min(green, blue) >= 248


def test_a_lookup_table_profile_is_honoured_at_8_bits() -> None:
    decoded = decode(pictures.png_bytes(icc_profile=profiles.swapping_table()))
    patch, blue_patch = decoded.picture.pixels[4, 4], decoded.picture.pixels[-4, -4]
    assert patch[2] > patch[0] + 60
    assert blue_patch[0] > blue_patch[2] + 60


def test_a_lookup_table_profile_takes_16_bits_through_8_and_says_so() -> None:
    packed = pictures.png_chunk(b"iCCP", b"t\0\0" + pictures.zlib.compress(profiles.swapping_table()))
    decoded = decode(pictures.raw_png(pictures.scene().astype(np.uint16) * 257, packed))
    eight = decode(pictures.png_bytes(icc_profile=profiles.swapping_table()))
    assert "through 8 bits" in decoded.notes[0]
    assert np.array_equal(decoded.picture.pixels, eight.picture.pixels.astype(np.uint16) * 257)


BROKEN = {
    "rubbish": b"rubbish" * 40,
    "cut short": profiles.display_p3()[:300],
    "for another kind of picture": profiles.grey_gamma(1.8),
    "a single byte": b"x",
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
@pytest.mark.parametrize("bits", [8, 16])
def test_a_broken_profile_is_ignored_with_a_note(kind: str, bits: int) -> None:
    if bits == 8:
        data, expected = pictures.png_bytes(icc_profile=BROKEN[kind]), pictures.scene()
    else:
        packed = pictures.png_chunk(b"iCCP", b"x\0\0" + pictures.zlib.compress(BROKEN[kind]))
        data, expected = pictures.raw_png(pictures.scene16(), packed), pictures.scene16()
    decoded = decode(data)
    assert np.array_equal(decoded.picture.pixels, expected)
    assert len(decoded.notes) == 1
    assert decoded.notes[0].startswith("the embedded colour profile cannot be used and was ignored")


@pytest.mark.parametrize("kind", range(5))
def test_every_kind_of_parametric_curve_is_read_as_the_colour_engine_reads_it(kind: int) -> None:
    numbers = {0: [1.8], 1: [2.2, 0.9, 0.1], 2: [2.2, 0.9, 0.1, 0.02], 3: [2.4, 0.948, 0.052, 0.077, 0.0405]}
    numbers[4] = [2.4, 0.948, 0.052, 0.077, 0.0405, 0.0, 0.0]
    fixed = b"".join(round(number * 65536).to_bytes(4, "big", signed=True) for number in numbers[kind])
    curve = b"para" + bytes(4) + kind.to_bytes(2) + bytes(2) + fixed
    profile = profiles.matrix_profile("curve", profiles._SRGB, curve)
    ours = icc.matrix_profile(profile)
    assert ours is not None
    ramp = np.arange(256, dtype=np.uint8).reshape(1, -1)
    greys = Image.fromarray(np.dstack((ramp, ramp, ramp)))
    engine = ImageCms.profileToProfile(
        greys, ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.ImageCmsProfile(BytesIO(srgb_bytes())), 1
    )
    levels = encoded(ours.curves[0][np.arange(256) * 257].astype(float)) * 255
    assert np.abs(np.asarray(engine)[0, :, 0] - levels).max() <= 1.5


@pytest.mark.parametrize("bits", [8, 16])
def test_colours_written_back_to_the_original_profile_return_to_the_same_srgb(bits: int) -> None:
    top = 255 if bits == 8 else 65535
    picture = Picture(pixels=(pictures.scene().astype(np.uint32) * top // 255).astype(f"uint{bits}"))
    original = Metadata(profile=profiles.display_p3())
    encoded_file = encode(picture, EncodeOptions(format="png", profile="original"), original)
    assert encoded_file.notes == ()
    again = decode(encoded_file.data)
    assert again.metadata.profile == profiles.display_p3()
    error = np.abs(again.picture.image - picture.image) * 255
    assert error.max() <= (3.5 if bits == 8 else 0.05)
    assert error.mean() <= (0.5 if bits == 8 else 0.005)


def test_numbers_change_on_the_way_to_the_original_profile() -> None:
    pixels = pictures.scene()
    assert np.abs(from_srgb(pixels, profiles.display_p3()).astype(int) - pixels).max() > 10


@pytest.mark.parametrize(
    ("profile", "bits", "words"),
    [
        (profiles.simple_cmyk(), 8, "it is for CMYK pictures"),
        (profiles.grey_gamma(1.8), 8, "it is for GRAY pictures"),
        (profiles.swapping_table(), 8, "cannot be written"),
        (profiles.swapping_table(), 16, "no way back at 16 bits"),
        (b"x" * 200, 8, "cannot be written"),
        (None, 8, "the original has no colour profile"),
    ],
)
def test_an_original_profile_that_cannot_be_written_gives_srgb_and_a_note(
    profile: bytes | None, bits: int, words: str
) -> None:
    pixels = pictures.scene().astype(np.uint8) if bits == 8 else pictures.scene16()
    result = encode(Picture(pixels=pixels), EncodeOptions(format="png", profile="original"), Metadata(profile=profile))
    assert words in result.notes[0]
    assert decode(result.data).metadata.profile == srgb_bytes()
    assert np.array_equal(decode(result.data).picture.pixels, pixels)


def test_the_srgb_profile_is_small_and_the_same_at_every_call() -> None:
    assert len(srgb_bytes()) < 700
    srgb_bytes.cache_clear()
    first = srgb_bytes()
    srgb_bytes.cache_clear()
    assert srgb_bytes() == first
    assert is_srgb(first)
