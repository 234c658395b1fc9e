"""Tests which files can be decoded and the pixels that result."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from darkroom.imaging.codec import ACCEPTED, Decoded, decode, read_metadata
from darkroom.imaging.picture import Picture
from tests import heic_samples, pictures

EXACT = ("png", "webp", "tiff", "bmp")
#: Largest difference from the scene in 8-bit steps that each lossy format shows at the quality of the samples.
LOSSY = {"jpeg": 8, "gif": 16, "avif": 10, "heic": 6}


def worst(picture: Picture, expected: np.ndarray) -> int:
    assert picture.pixels.shape == expected.shape
    return int(np.abs(picture.pixels.astype(int) - expected.astype(int)).max())


@pytest.mark.parametrize("name", EXACT)
def test_a_lossless_file_gives_its_very_pixels(name: str) -> None:
    decoded = decode(pictures.every_format()[name])
    assert decoded.format == name
    assert decoded.picture.alpha is None
    assert worst(decoded.picture, pictures.scene()) == 0


@pytest.mark.parametrize("name", sorted(LOSSY))
def test_a_lossy_file_gives_pixels_close_to_what_was_stored(name: str) -> None:
    decoded = decode(pictures.every_format()[name])
    assert decoded.format == name
    assert worst(decoded.picture, pictures.scene()) <= LOSSY[name]


def test_a_sample_of_every_accepted_format_is_tested() -> None:
    assert {*EXACT, *LOSSY} == set(ACCEPTED) == set(pictures.every_format())


def kinds() -> dict[str, tuple[bytes, str, int]]:
    return {
        "grey JPEG": (pictures.grey_jpeg(), "grey", 8),
        "bilevel PNG": (pictures.bilevel_png(), "bilevel", 1),
        "palette PNG": (pictures.palette_png(), "palette", 8),
        "grey PNG with alpha": (pictures.grey_alpha_png(), "grey", 8),
        "16-bit grey PNG": (pictures.png16(1), "grey", 16),
        "16-bit RGB TIFF": (pictures.tiff16(3), "rgb", 16),
        "CMYK JPEG": (pictures.cmyk_jpeg(), "cmyk", 8),
        "CMYK TIFF": (pictures.cmyk_tiff(), "cmyk", 8),
        "Lab TIFF": (pictures.lab_tiff(), "lab", 8),
        "10-bit HEIC": (heic_samples.TEN_BITS, "rgb", 10),
    }


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_the_record_says_what_the_file_held(kind: str) -> None:
    data, mode, bits = kinds()[kind]
    decoded = decode(data)
    assert (decoded.mode, decoded.bits, decoded.frames) == (mode, bits, 1)
    assert decoded.picture.bits == (16 if bits > 8 else 8)


@pytest.mark.parametrize("kind", ["grey JPEG", "bilevel PNG", "grey PNG with alpha", "16-bit grey PNG"])
def test_a_grey_file_gives_three_equal_channels(kind: str) -> None:
    pixels = decode(kinds()[kind][0]).picture.pixels
    assert np.array_equal(pixels[..., 0], pixels[..., 1])
    assert np.array_equal(pixels[..., 0], pixels[..., 2])
    assert np.ptp(pixels) > 0


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_16_bit_png_keeps_all_16_bits(channels: int) -> None:
    stored = pictures.scene16(channels=channels)
    picture = decode(pictures.png16(channels)).picture
    colors = np.atleast_3d(stored)[..., : 1 if channels < 3 else 3]
    assert picture.pixels.dtype == np.uint16
    assert np.array_equal(picture.pixels, np.broadcast_to(colors, picture.pixels.shape))
    if channels in (2, 4):
        assert picture.alpha is not None
        assert np.array_equal(picture.alpha, stored[..., -1])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_transparent_colour_of_a_16_bit_png_becomes_transparent(channels: int) -> None:
    values = pictures.scene16(channels=channels)
    mark = values[5, 7]
    chunk = pictures.png_chunk(b"tRNS", np.asarray(mark).astype(">u2").tobytes())
    alpha = decode(pictures.raw_png(values, chunk)).picture.alpha
    assert alpha is not None
    matches = values == mark if channels == 1 else (values == mark).all(axis=-1)
    assert np.array_equal(alpha == 0, matches)


def test_alpha_and_the_colours_below_it_come_through() -> None:
    stored = pictures.scene_with_alpha()
    for data in (pictures.png_bytes(stored), pictures.webp_bytes(stored), pictures.tiff_bytes(stored)):
        picture = decode(data).picture
        assert picture.alpha is not None
        assert np.array_equal(picture.alpha, stored[..., 3])
        assert np.array_equal(picture.pixels, stored[..., :3])


def test_an_alpha_channel_that_hides_nothing_is_left_out() -> None:
    opaque = np.dstack((pictures.scene(), np.full((pictures.HEIGHT, pictures.WIDTH), 255, np.uint8)))
    assert decode(pictures.png_bytes(opaque)).picture.alpha is None


def test_the_transparent_entry_of_a_palette_becomes_transparent() -> None:
    decoded = decode(pictures.palette_png(transparent=True))
    assert decoded.mode == "palette"
    assert decoded.picture.alpha is not None
    assert decoded.picture.alpha[0, 0] == 0
    assert decoded.picture.alpha[-1, 0] == 255


def test_a_heic_keeps_its_alpha() -> None:
    alpha = decode(heic_samples.ALPHA).picture.alpha
    assert alpha is not None
    assert not alpha[22:28, 22:28].any()
    assert (alpha[:15] == 255).all()


def test_ten_bits_of_a_heic_fill_the_range_of_sixteen() -> None:
    picture = decode(heic_samples.TEN_BITS).picture
    assert worst(picture, pictures.scene().astype(np.uint16) * 257) <= 6 * 257


def test_ten_bits_of_an_avif_fill_the_range_of_sixteen() -> None:
    stored = (pictures.scene().astype(np.uint32) * 1023 + 127) // 255
    options = [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100]
    data = cv2.imencode(".avif", stored[..., ::-1].astype(np.uint16), options)[1].tobytes()
    decoded = decode(data)
    assert decoded.bits == 10
    assert worst(decoded.picture, pictures.scene().astype(np.uint16) * 257) <= 257


def test_colours_declared_by_other_code_points_than_srgb_are_noted() -> None:
    data = pictures.avif_bytes()
    at = data.index(b"colrnclx") + 8
    display_p3 = data[:at] + (12).to_bytes(2) + data[at + 2 :]
    assert decode(data).notes == ()
    assert decode(display_p3).notes == (
        "the colours are declared as primaries 12 and transfer 13: they were taken as sRGB",
    )


def test_cmyk_without_a_profile_is_converted_and_says_so() -> None:
    for data, tolerance in ((pictures.cmyk_jpeg(), 8), (pictures.cmyk_tiff(), 1)):
        decoded = decode(data)
        assert worst(decoded.picture, pictures.scene()) <= tolerance
        assert any("CMYK converted without a profile" in note for note in decoded.notes)


def test_mid_grey_in_lab_is_mid_grey_in_srgb() -> None:
    pixels = decode(pictures.lab_tiff()).picture.pixels
    assert np.ptp(pixels) <= 2
    assert abs(int(pixels[0, 0, 0]) - 128) <= 2


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_ends_upright(name: str, value: int) -> None:
    tolerance = {"JPEG": 8, "AVIF": 10}.get(name, 0)
    assert worst(decode(pictures.with_orientation(value, name)).picture, pictures.scene()) <= tolerance


def test_a_heic_is_turned_once_although_container_and_exif_both_say_so() -> None:
    turned = np.rot90(pictures.scene(), -1)
    assert worst(decode(heic_samples.TURNED).picture, turned) <= LOSSY["heic"]


def test_the_orientation_of_xmp_counts_where_exif_has_none() -> None:
    data = pictures.jpeg_bytes(xmp=pictures.xmp_packet(orientation=3))
    assert worst(decode(data).picture, np.rot90(pictures.scene(), 2)) <= LOSSY["jpeg"]


def test_an_orientation_out_of_range_turns_nothing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    assert worst(decode(pictures.png_bytes(exif=exif.tobytes())).picture, pictures.scene()) == 0


SEVERAL = {
    "animated GIF of 3 frames": pictures.animated_gif,
    "animated WebP of 3 frames": pictures.animated_webp,
    "animated PNG of 3 frames": pictures.animated_png,
    "TIFF of 3 pictures": pictures.pages_tiff,
}


@pytest.mark.parametrize("what", sorted(SEVERAL))
def test_the_first_of_several_pictures_is_used_and_said_so(what: str) -> None:
    decoded = decode(SEVERAL[what]())
    assert decoded.frames == 3
    assert decoded.notes == (f"{what}: only the first is used",)
    assert worst(decoded.picture, pictures.scene()) <= LOSSY["gif"]


def test_an_ordinary_file_has_no_notes() -> None:
    noted = {name: decode(data).notes for name, data in pictures.every_format().items()}
    assert noted == dict.fromkeys(noted, ())


def test_metadata_read_alone_is_what_decoding_finds() -> None:
    for data in (*pictures.every_format().values(), pictures.described_jpeg(), pictures.png16()):
        assert read_metadata(data) == decode(data).metadata


def test_decoding_leaves_pillow_strict_about_truncated_files() -> None:
    assert isinstance(decode(pictures.jpeg_bytes()), Decoded)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
