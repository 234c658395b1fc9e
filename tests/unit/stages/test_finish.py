from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from darkroom.domain.errors import BadPipeline
from darkroom.domain.parameters import FinishParameters
from darkroom.imaging.codec import Decoded, decode
from darkroom.imaging.picture import Picture, Pixels
from darkroom.stages.finish import Finished, composite, finish, render
from tests.degradations import noisy, part
from tests.pictures import camera_exif, jpeg_bytes, png16, png_bytes, scene_with_alpha, webp_bytes


def finished(picture: Picture, source: Decoded, behind: Picture | None = None, **given: object) -> Finished:
    return finish(picture, FinishParameters.model_validate(given), source, behind)


def rendered(picture: Picture, behind: Picture | None = None, **given: object) -> Picture:
    return render(picture, FinishParameters.model_validate(given), behind)[0]


def cut_out() -> Picture:
    """A dark disc, fully visible in the middle and half at its rim, on transparent white."""
    rows, columns = np.mgrid[-20:20, -30:30]
    radius = np.hypot(rows, columns)
    alpha = np.select([radius < 10, radius < 13], [255, 128], 0).astype(np.uint8)
    pixels: Pixels = np.where(radius[..., None] < 13, np.uint8(40), np.uint8(255)).repeat(3, axis=2)
    return Picture(pixels=pixels, alpha=alpha)


def opened(result: Finished) -> Image.Image:
    return Image.open(BytesIO(result.data))


# Nothing asked for


@pytest.mark.parametrize("data", [png_bytes(), png16(), png16(4), png_bytes(scene_with_alpha()), webp_bytes()])
def test_with_everything_off_the_pixels_come_out_as_they_went_in(data: bytes) -> None:
    source = decode(data)
    again = decode(finished(source.picture, source, lossless=True).data).picture
    assert again.pixels.dtype == source.picture.pixels.dtype
    assert (again.pixels == source.picture.pixels).all()
    assert (again.alpha is None) == (source.picture.alpha is None)


def test_with_everything_off_render_returns_the_very_picture() -> None:
    picture = Picture(pixels=part(side=20))
    assert rendered(picture) is picture


# Compositing


def test_a_colour_lies_under_what_is_transparent() -> None:
    laid = rendered(cut_out(), background="#FF8000")
    assert laid.alpha is None
    assert laid.pixels[0, 0].tolist() == [255, 128, 0]
    assert laid.pixels[20, 30].tolist() == [40, 40, 40]
    half = (40 * 128 + np.array([255, 128, 0]) * 127) / 255
    assert np.abs(laid.pixels[20, 30 + 11] - half).max() <= 1


def test_another_picture_lies_under_the_subject_and_covers_it() -> None:
    behind = Picture(pixels=np.full((7, 90, 3), 200, np.uint16) * np.uint16(257))
    laid = rendered(cut_out(), behind, background_object="wall.png")
    assert laid.alpha is None
    assert laid.pixels.dtype == np.uint8
    assert (laid.pixels[0, 0] == 200).all()
    assert (laid.pixels[-1, -1] == 200).all()


def test_a_background_that_was_not_given_is_an_error() -> None:
    with pytest.raises(BadPipeline, match=r"'wall.png' was not given"):
        finished(cut_out(), decode(png_bytes()), background_object="wall.png")


def test_transparent_hides_nothing_of_the_old_background() -> None:
    laid = rendered(cut_out(), background="transparent")
    assert laid.alpha is not None
    assert (laid.pixels[laid.alpha == 0] == 0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_full_alpha_shows_the_picture_and_none_what_is_behind(dtype: type[np.uint8] | type[np.uint16]) -> None:
    pixels = part(side=8).astype(dtype)
    behind = np.full_like(pixels, 3)
    top = np.iinfo(dtype).max
    for level, expected in ((top, pixels), (0, behind)):
        picture = Picture(pixels=pixels, alpha=np.full(pixels.shape[:2], level, dtype))
        assert (composite(picture, behind) == expected).all()


# The subject


def test_the_subject_is_cropped_with_its_margin_and_composited() -> None:
    laid = rendered(cut_out(), crop_to_subject=True, margin=0.2, background="#FFFFFF")
    assert (laid.height, laid.width) == (25 + 10, 25 + 10)
    assert (laid.pixels[0] == 255).all()


def test_without_a_subject_there_is_nothing_to_crop_to_and_it_is_said() -> None:
    picture = Picture(pixels=part(side=20))
    made, notes = render(picture, FinishParameters(crop_to_subject=True))
    assert made is picture
    assert notes == ("nothing is cut out, so there is no subject to crop to",)


# Pixels


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "temperature"])
def test_a_larger_adjustment_changes_more(name: str) -> None:
    picture = Picture(pixels=part(side=64))

    def change(amount: float) -> float:
        return float(np.abs(rendered(picture, **{name: amount}).pixels.astype(float) - picture.pixels).mean())

    assert 0 < change(0.2) < change(0.7)
    assert 0 < change(-0.2) < change(-0.7)


def test_smoothing_calms_and_sharpening_steepens() -> None:
    picture = Picture(pixels=part(side=64))

    def steepness(made: Picture) -> float:
        return float(np.abs(np.diff(made.pixels.astype(float), axis=1)).mean())

    found = [steepness(rendered(picture, **given)) for given in ({"smooth": 2}, {"smooth": 0.7}, {}, {"sharpen": 0.5})]
    assert found == sorted(found)


def test_sharpening_raises_edges_and_hardly_the_grain_beside_them() -> None:
    pixels = noisy(np.full((64, 64, 3), 60, np.uint8), 1.0)
    pixels[:, 32:] += 120
    made = rendered(Picture(pixels=pixels), sharpen=1.0).pixels.astype(float)
    assert made[:, :24].std() < 1.35 * pixels[:, :24].std()
    assert (made[:, 32] - made[:, 31]).mean() > 180.0


@pytest.mark.parametrize("letters", [(200, 20, 20), (10, 40, 190), (250, 220, 5)])
@pytest.mark.parametrize("paper", [255, 0])
def test_sharpening_keeps_the_colour_of_letters(letters: tuple[int, int, int], paper: int) -> None:
    pixels = np.full((40, 60, 3), paper, np.uint8)
    pixels[8:32, 10:50:4] = pixels[8:32, 11:50:4] = letters
    made = rendered(Picture(pixels=pixels), sharpen=2.0).pixels.astype(int)
    differences = made[8:32, 10:50:4] - made[8:32, 10:50:4, :1]
    assert np.abs(differences - (np.array(letters) - letters[0])).max() <= 1


def test_sharpening_brings_no_colour_to_a_grey_edge() -> None:
    pixels = np.full((20, 20, 3), 60, np.uint8)
    pixels[:, 10:] = 180
    made = rendered(Picture(pixels=pixels), sharpen=2.0).pixels
    assert (made != pixels).any()
    assert (made.max(axis=2) == made.min(axis=2)).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (31, 2)])
@pytest.mark.parametrize("bits", [8, 16])
def test_everything_at_once_works_at_any_size_and_depth(size: tuple[int, int], bits: int) -> None:
    factor, dtype = (1, np.uint8) if bits == 8 else (257, np.uint16)
    pixels = np.full((*size, 3), 90, dtype) * dtype(factor)
    picture = Picture(pixels=pixels, alpha=np.full(size, 200 * factor, dtype))
    given = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "temperature": 0.2, "smooth": 1, "sharpen": 1}
    made = rendered(picture, background="#00FF00", crop_to_subject=True, width=33, height=21, **given)
    assert made.pixels.shape == (21, 33, 3)
    assert made.bits == bits


# Files


def test_keep_writes_the_format_of_the_source_and_says_when_it_cannot() -> None:
    jpeg = decode(jpeg_bytes())
    opaque, transparent = finished(jpeg.picture, jpeg), finished(cut_out(), jpeg)
    assert (opened(opaque).format, opaque.content_type) == ("JPEG", "image/jpeg")
    assert (opened(transparent).format, transparent.content_type) == ("PNG", "image/png")
    assert not any("cannot store this content" in note for note in opaque.notes)
    assert any("jpeg cannot store this content" in note for note in transparent.notes)


def test_the_record_says_what_was_written() -> None:
    source = decode(jpeg_bytes())
    result = finished(source.picture, source, quality=70)
    assert result.values == {"format": "jpeg", "size_bytes": float(len(result.data)), "quality": 70.0}
    assert (result.height, result.width) == opened(result).size[::-1]


def test_a_size_is_approached_from_below() -> None:
    picture = Picture(pixels=part(side=256))
    result = finished(picture, decode(jpeg_bytes(picture.pixels)), target_size_kb=20)
    assert 18_000 <= len(result.data) <= 20_000


def test_a_size_that_cannot_be_reached_is_said_and_the_picture_stays_as_large() -> None:
    picture = Picture(pixels=part(side=256))
    result = finished(picture, decode(jpeg_bytes(picture.pixels)), target_size_kb=1)
    assert (result.height, result.width) == (256, 256)
    assert any("1 kB" in note for note in result.notes)


def test_sixteen_bits_stay_in_png() -> None:
    source = decode(png16())
    assert decode(finished(source.picture, source).data).picture.bits == 16


def test_the_metadata_of_the_source_reach_the_result_even_in_another_format() -> None:
    source = decode(jpeg_bytes(exif=b"Exif\0\0" + camera_exif()))
    written = decode(finished(source.picture, source, format="webp").data)
    assert opened(finished(source.picture, source, format="webp")).getexif()[0x010F] == "Acme"
    assert written.picture.pixels.shape == source.picture.pixels.shape


def test_a_result_beyond_the_limit_is_refused() -> None:
    with pytest.raises(BadPipeline, match="exceeds 100000000 pixels"):
        rendered(Picture(pixels=part(side=16)), min_side=12_000)
