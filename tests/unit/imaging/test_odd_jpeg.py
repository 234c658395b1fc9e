"""Tests that a JPEG with odd segments is read, and that missing pixel data are named."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec import decode
from tests import pictures, profiles
from tests.descriptions import xmp_packet
from tests.pictures import jpeg_segment, with_segments

ICC, XMP, EXTENDED = b"ICC_PROFILE\0", b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def profile_parts(*numbers: int, count: int = 3) -> list[bytes]:
    profile = profiles.display_p3()
    size = -(-len(profile) // count)
    pieces = [profile[at : at + size] for at in range(0, len(profile), size)]
    return [jpeg_segment(0xE2, ICC + bytes([number, count]) + pieces[number - 1]) for number in numbers]


PLAIN = pictures.jpeg_bytes()

#: What a file has besides its picture, and words of the note about it; none where nothing is lost.
HARMLESS: dict[str, tuple[bytes, str]] = {
    "scans behind its end": (PLAIN + pictures.EMPTY_SCAN * 300, "3000 bytes behind the end"),
    "a video behind its end": (PLAIN + b"\x00\x00\x00\x18ftypmp42" + bytes(50), "behind the end of the JPEG"),
    "padding behind its end": (PLAIN + bytes(512), ""),
    "scan markers inside a segment": (with_segments(PLAIN, jpeg_segment(0xE5, pictures.EMPTY_SCAN * 500)), ""),
    "fill bytes before a marker": (with_segments(PLAIN, b"\xff\xff\xff"), ""),
    "no end marker": (PLAIN[:-2], "no end marker"),
    "a short JFIF segment": (with_segments(PLAIN, jpeg_segment(0xE0, b"JFIF\0")), "JFIF segment of 5 bytes"),
    "a short Adobe segment": (with_segments(PLAIN, jpeg_segment(0xEE, b"Adobe\0")), "Adobe segment of 6 bytes"),
    "a short profile segment": (with_segments(PLAIN, jpeg_segment(0xE2, ICC)), "ICC_PROFILE segment of 12 bytes"),
    "an empty Exif segment": (with_segments(PLAIN, jpeg_segment(0xE1, b"Exif\0\0")), ""),
    "a comment": (with_segments(PLAIN, jpeg_segment(0xFE, b"seen at noon")), "a comment of 12 bytes"),
    "extended XMP": (with_segments(PLAIN, jpeg_segment(0xE1, EXTENDED + bytes(900))), "extended XMP of"),
    "a profile without its second part": (with_segments(PLAIN, *profile_parts(1, 3)), "it has 2 of 3 parts"),
    "pixels twice as wide as high": (PLAIN.replace(b"\0\0\1\0\1\0\0", b"\0\0\1\0\2\0\0", 1), "not square"),
    "restart markers": (pictures.jpeg_bytes(restart_marker_blocks=3), ""),
}


@pytest.mark.parametrize("what", sorted(HARMLESS))
def test_a_jpeg_is_read_whatever_it_has_besides_its_picture(what: str) -> None:
    data, words = HARMLESS[what]
    decoded = decode(data)
    expected = by_pillow(pictures.jpeg_bytes(restart_marker_blocks=3) if what == "restart markers" else PLAIN)
    assert np.array_equal(decoded.picture.pixels, expected)
    assert len(decoded.notes) == bool(words)
    assert words in " ".join(decoded.notes)


def test_the_parts_of_a_profile_are_read_in_their_order_and_not_in_that_of_the_file() -> None:
    assert decode(with_segments(PLAIN, *profile_parts(3, 1, 2))).metadata.profile == profiles.display_p3()


def test_the_colours_of_adobe_files_are_those_that_pillow_finds() -> None:
    for transform, mode in ((0, "RGB"), (1, "YCbCr"), (0, "CMYK"), (2, "YCCK")):
        image = Image.fromarray(pictures.scene()).convert("CMYK" if mode in ("CMYK", "YCCK") else "RGB")
        data = pictures.saved(image, "JPEG", quality=95, **({"keep_rgb": True} if mode == "RGB" else {}))
        data = data if mode in ("CMYK", "RGB") else data.replace(b"Adobe\0\x64\0\0\0\0\0", b"Adobe\0\x64\0\0\0\0\2")
        assert np.array_equal(decode(data).picture.pixels, by_pillow(data)), (transform, mode)


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def flipped(data: bytes) -> bytes:
    """The data of one restart interval replaced by a marker that does not belong there."""
    at = data.index(b"\xff\xd2")
    return data[:at] + b"\xff\xd6" + data[at + 2 :]


BIG = pictures.scene(200, 300)
DAMAGED: dict[str, tuple[bytes, str]] = {
    "baseline, cut": (cut(pictures.jpeg_bytes(BIG)), "truncated"),
    "baseline, cut, with an end marker": (cut(pictures.jpeg_bytes(BIG)) + b"\xff\xd9", "truncated"),
    "progressive, cut, with an end marker": (
        cut(pictures.jpeg_bytes(BIG, progressive=True)) + b"\xff\xd9",
        "truncated",
    ),
    "a restart marker out of order": (flipped(pictures.jpeg_bytes(BIG, restart_marker_blocks=20)), "corrupt"),
    "no scan": (PLAIN[: PLAIN.index(b"\xff\xda")], "truncated"),
    "a segment of length 0": (with_segments(PLAIN, b"\xff\xe5\0\0"), "corrupt"),
}


@pytest.mark.parametrize("what", sorted(DAMAGED))
def test_missing_or_damaged_pixels_of_a_jpeg_are_an_error(what: str) -> None:
    data, code = DAMAGED[what]
    with pytest.raises(BadImage) as caught:
        decode(data)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("marker", "precision", "words"),
    [(0xC1, 12, "12 bits"), (0xC3, 8, "lossless"), (0xC5, 8, "hierarchical"), (0xF7, 8, "JPEG-LS")],
)
def test_a_kind_of_jpeg_that_is_not_read_is_named(marker: int, precision: int, words: str) -> None:
    at = PLAIN.index(b"\xff\xc0")
    data = PLAIN[: at + 1] + bytes([marker]) + PLAIN[at + 2 : at + 4] + bytes([precision]) + PLAIN[at + 5 :]
    with pytest.raises(BadImage, match=words) as caught:
        decode(data)
    assert caught.value.code == "unsupported_format"


def test_the_xmp_and_the_resolution_of_a_jpeg_are_found() -> None:
    data = with_segments(pictures.jpeg_bytes(dpi=(240, 240)), jpeg_segment(0xE1, XMP + xmp_packet()))
    assert decode(data).metadata.xmp == xmp_packet()
    assert decode(data).metadata.dpi == (240, 240)
