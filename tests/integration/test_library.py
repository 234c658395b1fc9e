"""`import darkroom`: one call for one picture, one for many, with real networks and photographs."""

import io
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from darkroom import Result, enhance, enhance_many
from darkroom.domain.errors import BadImage, BadPipeline

SMALL = np.ascontiguousarray(skimage.data.astronaut()[:96, 160:288])


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.fromarray(SMALL).save(path, quality=95, exif=_exif())
    return path


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x013B] = "somebody"  # Artist
    return exif


def test_a_path_goes_in_and_a_file_comes_out_with_its_metadata(photo: Path, tmp_path: Path) -> None:
    written = enhance(photo, preset="restore").save(tmp_path / "b.jpg")
    with Image.open(written) as image:
        assert (image.format, image.getexif()[0x013B]) == ("JPEG", "somebody")


def test_the_suffix_decides_the_format(photo: Path, tmp_path: Path) -> None:
    result = enhance(str(photo), preset="optimize")
    for name, expected in (("b.png", "PNG"), ("b.webp", "WEBP"), ("b.tif", "TIFF")):
        with Image.open(result.save(tmp_path / name)) as image:
            assert image.format == expected
            assert np.array_equal(np.asarray(image.convert("RGB")), result.pixels) or expected == "WEBP"
    with pytest.raises(BadPipeline, match=r"'\.xyz' names no format"):
        result.save(tmp_path / "b.xyz")


def test_bytes_arrays_and_images_of_pillow_are_taken() -> None:
    buffer = io.BytesIO()
    Image.fromarray(SMALL).save(buffer, "PNG")
    for source in (buffer.getvalue(), SMALL, Image.fromarray(SMALL)):
        result = enhance(source, pipeline={"stages": []})
        assert np.array_equal(result.pixels, SMALL)
        assert result.to_pillow().size == (128, 96)


def test_every_kind_of_array_keeps_its_values() -> None:
    grey, deep = SMALL[..., 0], SMALL.astype(np.uint16) * 257
    rgba = np.dstack([SMALL, np.full(SMALL.shape[:2], 128, np.uint8)])
    none = {"stages": []}
    assert np.array_equal(enhance(grey, pipeline=none).pixels, np.repeat(grey[..., None], 3, axis=2))
    assert np.array_equal(enhance(deep, pipeline=none).pixels, deep)
    assert np.array_equal(enhance(rgba, pipeline=none).pixels, rgba)
    assert np.array_equal(enhance(SMALL / 255.0, pipeline=none).pixels, deep)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\); expected"),
        (np.zeros((4, 4), np.int32), "array of int32; expected uint8"),
        (np.full((4, 4), 1.5), r"from 1\.5 to 1\.5; expected finite values in \[0, 1\]"),
        (42, "cannot be a int"),
        (b"no picture", "the file is text"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(source: object, message: str) -> None:
    with pytest.raises(BadImage, match=message):
        enhance(source)  # type: ignore[arg-type]


def test_the_result_tells_verdict_score_and_manifest(photo: Path) -> None:
    result = enhance(photo)
    assert result.verdict in ("auto_approved", "needs_review")
    assert result.score is not None
    assert 0 <= result.score <= 100
    assert result.manifest["source"]["ref"]["name"] == "photo.jpg"
    assert result.manifest["stages"][0]["stage"] == "assess"


def test_a_preset_that_does_not_exist_is_refused(photo: Path) -> None:
    with pytest.raises(BadPipeline, match="restoer"):
        enhance(photo, preset="restoer")
    with pytest.raises(BadPipeline, match="both"):
        enhance(photo, preset="restore", pipeline={"stages": []})


@pytest.mark.parametrize("workers", [1, 2])
def test_many_come_in_order_and_one_bad_file_does_not_end_the_others(photo: Path, workers: int) -> None:
    results = list(enhance_many([photo, b"no picture", SMALL], pipeline={"stages": []}, workers=workers))
    assert [type(each) for each in results][::2] == [Result, Result]
    assert isinstance(results[1], BadImage)
    assert np.array_equal(results[2].pixels, SMALL)  # type: ignore[union-attr]


def test_sources_are_read_only_as_they_are_needed() -> None:
    taken: list[int] = []

    def endless():  # type: ignore[no-untyped-def]
        while True:
            taken.append(len(taken))
            yield SMALL

    next(iter(enhance_many(endless(), pipeline={"stages": []}, workers=1)))
    assert len(taken) <= 2
