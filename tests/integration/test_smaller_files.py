"""`optimize` never enlarges a file, and what the metadata rules forbid does not survive in kept bytes."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from darkroom import enhance
from darkroom.imaging.codec import decode
from darkroom.imaging.codec.original import described_original
from tests import pictures
from tests.photographs import photograph
from tests.pictures import jpeg_bytes, png_bytes, saved, webp_bytes
from tests.world import memory_world

PHOTO = np.ascontiguousarray(photograph()[60:188, 160:288])
PAGE = np.where(photograph()[..., 1] > 120, 255, 0).astype(np.uint8)


def palette_png() -> bytes:
    return saved(Image.fromarray(PHOTO).quantize(60, dither=Image.Dither.FLOYDSTEINBERG), "PNG")


def turned_jpeg() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(PHOTO, "JPEG", quality=30, exif=exif)


FILES: dict[str, Callable[[], bytes]] = {
    "bilevel PNG": lambda: saved(Image.fromarray(PAGE).convert("1"), "PNG"),
    "grey PNG": lambda: png_bytes(PHOTO[..., 1]),
    "palette PNG": palette_png,
    "transparent palette PNG": lambda: pictures.palette_png(transparent=True),
    "JPEG of quality 30": lambda: jpeg_bytes(PHOTO, quality=30),
    "WebP of quality 40": lambda: webp_bytes(PHOTO, quality=40),
    "AVIF of quality 30": lambda: pictures.avif_bytes(PHOTO, quality=30),
    "turned JPEG of quality 30": turned_jpeg,
}


def located_jpeg() -> bytes:
    """A JPEG of low quality with a place, an artist, a comment and a segment that no decoder knows."""
    exif = Image.Exif()
    exif[0x013B] = "somebody"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)})
    data = saved(PHOTO, "JPEG", quality=30, exif=exif, comment=b"latitude 52.5")
    return data[:2] + b"\xff\xeb\x00\x0elatitude 52." + data[2:]


@pytest.mark.parametrize("kind", FILES)
def test_optimize_never_enlarges_a_file_and_keeps_its_pixels_or_shrinks_it(kind: str) -> None:
    data = FILES[kind]()
    result = enhance(data, preset="optimize")
    assert len(result.data) <= len(data) + (64 if "PNG" in kind else 0)
    if "PNG" in kind or result.data == data:
        assert np.array_equal(result.pixels, enhance(data, pipeline={"stages": [], "output": {"format": "png"}}).pixels)


def test_the_kept_file_is_told_in_a_note_and_in_the_size() -> None:
    data = jpeg_bytes(PHOTO, quality=30)
    result = enhance(data, preset="optimize")
    (finish,) = [record for record in result.job.records if record.stage == "finish"]
    assert result.data == data
    assert "own pixels were kept" in finish.notes[0]
    assert (finish.values["size_bytes"], "quality" in finish.values) == (len(data), False)


def test_on_the_event_path_the_same_bytes_are_kept() -> None:
    world, data = memory_world(), jpeg_bytes(PHOTO, quality=30)
    job_id = world.drop("a.jpg", data, pipeline="optimize")
    world.deliver_all()
    result = world.job(job_id).result
    assert result is not None
    assert world.system.objects.read(result) == data


@pytest.mark.parametrize("policy", ["no_gps", "strip"])
def test_what_the_metadata_rules_forbid_does_not_stay_in_kept_pixels(policy: str) -> None:
    data = located_jpeg()
    output = {"quality": 82, "metadata": policy}
    result = enhance(data, pipeline={"stages": [], "output": output})
    assert len(result.data) < len(data) + 200
    assert np.array_equal(result.pixels, decode(data).picture.pixels)
    assert b"latitude" not in result.data
    with Image.open(BytesIO(result.data)) as image:
        exif = image.getexif()
    assert not exif.get_ifd(0x8825)
    assert exif.get(0x013B) == ("somebody" if policy == "no_gps" else None)


def late_comment_jpeg() -> bytes:
    """A JPEG of low quality with fill bytes between its segments and a comment behind its pixels."""
    data = jpeg_bytes(PHOTO, quality=30)
    return data[:2] + b"\xff\xff" + data[2:-2] + b"\xff\xfe\x00\x0flatitude 52.5" + data[-2:]


def test_a_description_is_removed_wherever_in_the_file_it_is() -> None:
    data = late_comment_jpeg()
    result = enhance(data, pipeline={"stages": [], "output": {"quality": 82, "metadata": "strip"}})
    assert result.data == jpeg_bytes(PHOTO, quality=30)


def test_a_transparency_that_was_not_read_does_not_come_back_in_a_kept_png() -> None:
    data = pictures.palette_png(transparent=True)
    at = data.index(b"tRNS")
    length = int.from_bytes(data[at - 4 : at], "big")
    broken = data[: at + 4 + length] + bytes(4) + data[at + 8 + length :]
    kept = described_original(broken, decode(broken), "strip")
    assert kept is not None
    assert decode(broken).picture.alpha is None
    assert decode(kept).picture.alpha is None
    assert np.array_equal(decode(kept).picture.pixels, decode(broken).picture.pixels)


def test_a_file_that_was_to_change_is_never_kept() -> None:
    data = jpeg_bytes(PHOTO, quality=30)
    changes: list[dict[str, Any]] = [{"max_side": 100}, {"brightness": 0.3}, {"format": "webp"}]
    for change in changes:
        result = enhance(data, pipeline={"stages": [], "output": {"quality": 82, **change}})
        assert not np.array_equal(result.pixels, decode(data).picture.pixels), change


def test_a_lossless_result_is_written_with_as_few_bits_as_its_pixels_need() -> None:
    modes = {}
    for kind in ("bilevel PNG", "grey PNG", "palette PNG"):
        with Image.open(BytesIO(enhance(FILES[kind](), pipeline={"stages": []}).data)) as image:
            modes[kind] = image.mode
    assert modes == {"bilevel PNG": "1", "grey PNG": "L", "palette PNG": "P"}
    deep = enhance(pictures.png16(), pipeline={"stages": []}).pixels
    assert deep.dtype == np.uint16
