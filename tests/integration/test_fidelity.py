"""What a file holds comes through the whole path: every format, its bits, its transparency, its descriptions."""

import io
import json
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

from darkroom.domain.formats import CONTENT_TYPES, EXTENSIONS
from darkroom.imaging.codec import Decoded, decode
from tests import pictures
from tests.world import World, memory_world

#: What "keep" writes for each format that is read.
WRITTEN = {
    "jpeg": "jpeg",
    "png": "png",
    "webp": "webp",
    "tiff": "tiff",
    "avif": "avif",
    "bmp": "png",
    "gif": "png",
    "heic": "jpeg",
}


def developed(data: bytes, pipeline: str = "auto") -> tuple[Decoded, bytes, dict[str, object]]:
    """The result, decoded and as bytes, and the manifest."""
    world: World = memory_world()
    job_id = world.drop("a.bin", data, pipeline=pipeline)
    world.deliver_all()
    job = world.job(job_id)
    assert job.error is None
    assert job.result is not None
    result = world.system.objects.read(job.result)
    manifest = json.loads(world.objects()[f"results/{job.manifest_name}"])
    return decode(result), result, manifest


@pytest.mark.parametrize("name", pictures.every_format())
def test_every_format_goes_through_and_is_written_as_promised(name: str) -> None:
    data = pictures.every_format()[name]
    read = decode(data)
    result, _, manifest = developed(data)
    assert result.format == WRITTEN[read.format]
    assert (result.picture.height, result.picture.width) == (read.picture.height, read.picture.width)
    assert manifest["before"]["measurements"]["format"] == read.format  # type: ignore[index]


@pytest.mark.parametrize(
    "make", [pictures.png16, lambda: pictures.png16(4), pictures.tiff16], ids=["png", "rgba", "tiff"]
)
def test_16_bits_stay_16_bits_through_every_stage(make: Callable[[], bytes]) -> None:
    pipeline = '{"stages": ["denoise", "white_balance", {"stage": "upscale", "scale": 2}]}'
    result, _, manifest = developed(make(), pipeline)
    assert result.bits == 16
    assert len(np.unique(result.picture.pixels)) > 256
    outputs = [stage["output"]["name"] for stage in manifest["stages"]]  # type: ignore[union-attr, index]
    assert [name.rsplit(".", 1)[-1] for name in outputs[1:-2]] == ["png"] * 3


def test_16_bits_that_the_output_cannot_carry_are_noted() -> None:
    result, _, manifest = developed(pictures.png16(), '{"output": {"format": "jpeg"}}')
    notes = [note for stage in manifest["stages"] for note in stage["notes"]]  # type: ignore[union-attr, index, attr-defined]
    assert result.bits == 8
    assert any("16" in note and "8" in note for note in notes), notes


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright_and_says_so(orientation: int) -> None:
    upright, _, _ = developed(pictures.with_orientation(1))
    result, data, _ = developed(pictures.with_orientation(orientation))
    assert result.picture.pixels.shape == upright.picture.pixels.shape
    difference = cv2.absdiff(result.picture.pixels, upright.picture.pixels)
    assert float(difference.mean()) < 3.0
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif().get(0x0112, 1) == 1


def test_a_wide_gamut_picture_keeps_its_colours() -> None:
    """On the whole, and in the middle of its red and its blue patch: beside them JPEG blocks are removed."""
    before = decode(pictures.wide_gamut_jpeg()).picture.pixels.astype(np.float64)
    result, _, _ = developed(pictures.wide_gamut_jpeg())
    difference = result.picture.pixels - before
    for where in (np.s_[:, :], np.s_[2:8, 2:12], np.s_[-8:-2, -12:-2]):
        assert float(np.abs(difference[where].mean(axis=(0, 1))).max()) < 3.0


def test_transparency_stays_unless_a_colour_is_to_lie_under_it() -> None:
    data = pictures.png_bytes(pictures.scene_with_alpha())
    kept, _, _ = developed(data)
    filled, _, _ = developed(data, '{"output": {"background": "#00FF00"}}')
    assert kept.picture.alpha is not None
    assert np.array_equal(kept.picture.alpha, decode(data).picture.alpha)
    assert filled.picture.alpha is None
    clear = decode(data).picture.alpha == 0
    assert np.all(filled.picture.pixels[clear] == (0, 255, 0))


def test_descriptions_are_kept_gps_is_stripped_on_request_and_strip_takes_all() -> None:
    data = pictures.described_jpeg()
    kept, _, _ = developed(data)
    no_gps, no_gps_bytes, _ = developed(data, '{"output": {"metadata": "no_gps"}}')
    stripped, _, _ = developed(data, '{"output": {"metadata": "strip"}}')
    assert kept.metadata.exif
    assert kept.metadata.xmp
    assert kept.metadata.iptc
    with Image.open(io.BytesIO(no_gps_bytes)) as image:
        assert dict(image.getexif().get_ifd(0x8825)) == {}
    assert no_gps.metadata.exif
    assert (stripped.metadata.exif, stripped.metadata.xmp, stripped.metadata.iptc) == (None, None, None)


@pytest.mark.parametrize("name", EXTENSIONS)
def test_every_output_format_can_be_asked_for(name: str) -> None:
    world = memory_world()
    job_id = world.drop("a.jpg", pictures.jpeg_bytes(), pipeline=json.dumps({"output": {"format": name}}))
    world.deliver_all()
    result = world.job(job_id).result
    assert result is not None
    assert result.name.endswith(f".{EXTENSIONS[name]}")
    info = world.raw_objects.stat(result.bucket, result.name)
    assert info.content_type == CONTENT_TYPES[name]
    assert decode(world.raw_objects.read(result)).format == name


@pytest.mark.parametrize("data", [pictures.cmyk_jpeg(), pictures.grey_jpeg(), pictures.palette_png(transparent=True)])
def test_cmyk_greyscale_and_palette_go_through_the_whole_restoration(data: bytes) -> None:
    result, _, _ = developed(data, "restore")
    assert result.picture.pixels.std() > 5


def test_strength_0_gives_the_pixels_back_bit_for_bit() -> None:
    data = pictures.png_bytes()
    stages = [
        {"stage": stage, "strength": 0} for stage in ("denoise", "deblur", "low_light", "white_balance", "background")
    ]
    result, _, _ = developed(data, json.dumps({"stages": stages}))
    assert np.array_equal(result.picture.pixels, decode(data).picture.pixels)
