"""Tests the encoded file and the notes about what its format cannot hold."""

import struct
from io import BytesIO
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from skimage import data as photographs

from darkroom.domain.errors import BadPipeline
from darkroom.imaging.codec import (
    CONTENT_TYPES,
    DEFAULT_QUALITY,
    Encoded,
    EncodeOptions,
    Metadata,
    OutputFormat,
    decode,
    encode,
)
from darkroom.imaging.codec.samples import narrow
from darkroom.imaging.picture import Picture
from tests import pictures

FORMATS: tuple[OutputFormat, ...] = ("jpeg", "png", "webp", "tiff", "avif")


def written(picture: Picture, name: OutputFormat, **options: object) -> Encoded:
    return encode(picture, EncodeOptions(format=name, **options), Metadata())


def plain(pixels: np.ndarray | None = None) -> Picture:
    return Picture(pixels=pictures.scene() if pixels is None else pixels)


def with_alpha(bits: int = 8) -> Picture:
    stored = pictures.scene_with_alpha() if bits == 8 else pictures.scene16(channels=4)
    return Picture(pixels=stored[..., :3].copy(), alpha=stored[..., 3].copy())


def sampling_of(data: bytes) -> tuple[int, int]:
    """Horizontal and vertical sampling factors of a JPEG's first component."""
    with Image.open(BytesIO(data)) as image:
        return image.layer[0][1:3]


@pytest.mark.parametrize("name", FORMATS)
def test_the_file_is_what_its_content_type_says(name: OutputFormat) -> None:
    encoded = written(plain(), name)
    assert decode(encoded.data).format == name
    assert encoded.content_type == CONTENT_TYPES[name] == f"image/{name}"
    assert encoded.quality == DEFAULT_QUALITY.get(name)
    assert encoded.notes == ()


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from(["png", "tiff"]), st.sampled_from([np.uint8, np.uint16]), st.booleans())
def test_png_and_tiff_give_back_every_bit(draw: st.DataObject, name: OutputFormat, dtype: type, alpha: bool) -> None:
    height, width = draw.draw(st.integers(1, 20)), draw.draw(st.integers(1, 20))
    values = draw.draw(arrays.arrays(dtype, (height, width, 4)))
    values[0, 0, 3] = 0
    picture = Picture(pixels=values[..., :3].copy(), alpha=values[..., 3].copy() if alpha else None)
    arrived = decode(written(picture, name).data).picture
    assert np.array_equal(arrived.pixels, picture.pixels)
    assert (arrived.alpha is None) is not alpha
    assert arrived.alpha is None or np.array_equal(arrived.alpha, values[..., 3])


def test_a_lossless_webp_gives_back_every_bit() -> None:
    arrived = decode(written(with_alpha(), "webp", lossless=True).data).picture
    assert np.array_equal(arrived.pixels, with_alpha().pixels)
    assert np.array_equal(arrived.alpha, with_alpha().alpha)


def test_an_avif_at_its_best_is_off_by_two_steps_at_most_and_says_that_it_is_not_lossless() -> None:
    encoded = written(plain(photographs.astronaut()[:200, :200]), "avif", lossless=True)
    error = np.abs(decode(encoded.data).picture.pixels.astype(int) - photographs.astronaut()[:200, :200])
    assert error.max() <= 2
    assert "by up to 2" in encoded.notes[0]


def test_a_lossless_jpeg_is_the_best_jpeg_and_says_that_it_is_not() -> None:
    encoded = written(plain(), "jpeg", lossless=True)
    assert encoded.quality == 100
    assert encoded.notes == ("JPEG is never lossless: its highest quality was used",)


@pytest.mark.parametrize(("name", "floor_db"), [("jpeg", 38.0), ("webp", 32.0), ("avif", 37.0)])
def test_the_default_quality_keeps_a_photograph(name: OutputFormat, floor_db: float) -> None:
    photograph = photographs.coffee()
    arrived = decode(written(plain(photograph), name).data).picture.pixels
    psnr_db = 10 * np.log10(255**2 / np.mean((arrived.astype(float) - photograph) ** 2))
    assert psnr_db >= floor_db


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif"])
def test_a_higher_quality_gives_more_bytes_and_less_error(name: OutputFormat) -> None:
    photograph = photographs.coffee()[:200, :300]
    files = [written(plain(photograph), name, quality=quality).data for quality in (20, 60, 95)]
    errors = [np.abs(decode(file).picture.pixels.astype(float) - photograph).mean() for file in files]
    assert len(files[0]) < len(files[1]) < len(files[2])
    assert errors[0] > errors[1] > errors[2]


def test_jpeg_is_progressive_and_keeps_full_chroma_down_to_quality_50() -> None:
    for quality, sampling in ((100, (1, 1)), (90, (1, 1)), (50, (1, 1)), (49, (2, 2)), (1, (2, 2))):
        data = written(plain(), "jpeg", quality=quality).data
        assert sampling_of(data) == sampling, quality
        assert b"\xff\xc2" in data


def test_our_jpeg_tables_keep_coloured_edges_better_than_the_usual_ones_at_equal_bytes() -> None:
    import cv2

    page = np.ascontiguousarray(np.dstack([photographs.page()] * 3))
    cv2.putText(page, "Sale 24.90", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (210, 30, 30), 2, cv2.LINE_AA)
    ours = encode(plain(page), EncodeOptions(format="jpeg", quality=80, metadata_policy="strip"), Metadata())
    usual = [
        data
        for quality, halved in product(range(50, 99), (0, 2))
        if len(data := pictures.jpeg_bytes(page, quality=quality, subsampling=halved, optimize=True, progressive=True))
        <= len(ours.data)
    ]

    def error(data: bytes) -> float:
        return float(np.mean((decode(data).picture.pixels.astype(float) - page) ** 2))

    assert len(usual) > 20
    assert error(ours.data) < 0.8 * min(error(data) for data in usual)


def test_noise_at_the_highest_quality_is_written_although_it_cannot_be_optimised() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    arrived = decode(written(plain(noise), "jpeg", quality=100).data).picture.pixels
    assert np.abs(arrived.astype(int) - noise).max() <= 6


@pytest.mark.parametrize("bits", [8, 16])
def test_a_jpeg_lays_transparency_on_white_and_says_so(bits: int) -> None:
    picture = with_alpha(bits)
    encoded = written(picture, "jpeg", quality=100)
    assert "JPEG has no transparency: the picture was laid on white" in encoded.notes
    arrived = decode(encoded.data).picture.pixels.astype(float)
    share = narrow(picture.alpha)[..., np.newaxis] / 255
    expected = narrow(picture.pixels) * share + 255 * (1 - share)
    assert np.abs(arrived - expected).max() <= 8
    assert (arrived[:10, :-1] >= 254).all()


@pytest.mark.parametrize("name", ["png", "webp", "tiff", "avif"])
def test_other_formats_keep_transparency(name: OutputFormat) -> None:
    arrived = decode(written(with_alpha(), name).data).picture.alpha
    assert arrived is not None
    assert np.abs(arrived.astype(int) - with_alpha().alpha).max() <= 3


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif"])
def test_sixteen_bits_are_rounded_to_8_where_they_must_be_and_this_is_said(name: OutputFormat) -> None:
    encoded = written(Picture(pixels=pictures.scene16()), name)
    assert encoded.notes[0].startswith("16 bits were rounded to 8")
    assert decode(encoded.data).bits == 8


def test_sixteen_bits_are_rounded_and_not_cut() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(narrow(values), np.rint(values / 257).astype(np.uint8))


@pytest.mark.parametrize(("name", "limit"), [("webp", 16383), ("jpeg", 65500), ("avif", 65536)])
def test_a_picture_too_long_for_its_format_is_refused_with_the_limit(name: OutputFormat, limit: int) -> None:
    with pytest.raises(BadPipeline, match=f"{limit + 1}x1 exceeds the {limit} pixels") as caught:
        written(plain(np.zeros((1, limit + 1, 3), np.uint8)), name)
    assert caught.value.code == "format_too_small"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 37), (41, 1), (7, 9)])
def test_the_smallest_and_oddest_sizes_are_written(name: OutputFormat, shape: tuple[int, int]) -> None:
    picture = decode(written(plain(np.full((*shape, 3), 120, np.uint8)), name).data).picture
    assert (picture.height, picture.width) == shape
    assert np.abs(picture.pixels.astype(int) - 120).max() <= 3


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_in_several_strips_is_read_by_other_software(bits: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 1 << bits, (700, 500, 3)).astype(f"uint{bits}")
    data = written(plain(pixels), "tiff").data
    with Image.open(BytesIO(data)) as image:
        assert len(image.tag_v2[273]) > 1
        assert image.size == (500, 700)
        if bits == 8:
            assert np.array_equal(np.asarray(image), pixels)
    assert np.array_equal(decode(data).picture.pixels, pixels)


def test_the_same_picture_gives_the_same_file() -> None:
    for name in FORMATS:
        assert written(plain(), name) == written(plain(), name)


def test_a_png_says_its_profile_and_density_before_its_pixels() -> None:
    data = encode(plain(), EncodeOptions(format="png"), Metadata(dpi=(300, 300))).data
    places = [data.index(name) for name in (b"IHDR", b"iCCP", b"pHYs", b"eXIf", b"IDAT", b"IEND")]
    assert places == sorted(places)
    assert struct.unpack_from(">II", data, data.index(b"pHYs") + 4) == (11811, 11811)
