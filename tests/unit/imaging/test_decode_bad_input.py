"""Every kind of bad input has a code, and a message with the value and the limit."""

import random
from collections.abc import Callable

import pytest
from PIL import Image

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec import Limits, decode, decode_working, encode_working, read_metadata
from tests import heic_samples, pictures, profiles

#: (file, code, words that the message must hold)
BAD: dict[str, tuple[Callable[[], bytes], str, tuple[str, ...]]] = {
    "an empty object": (pictures.empty, "empty_object", ("0 bytes",)),
    "a text named .jpg": (pictures.text_file, "unsupported_format", ("text", "Dear all", "JPEG, PNG, WebP")),
    "a PDF": (pictures.pdf_file, "unsupported_format", ("PDF document", "accepted are")),
    "a JPEG cut in half": (pictures.truncated_jpeg, "truncated", ("JPEG file ends too early",)),
    "a PNG cut in half": (pictures.truncated_png, "truncated", ("PNG file ends too early", "bytes are missing")),
    "a PNG without its end": (lambda: pictures.png_bytes()[:-12], "truncated", ("IEND",)),
    "a WebP cut in half": (lambda: pictures.webp_bytes()[:200], "truncated", ("after 200 of",)),
    "a GIF cut in half": (lambda: pictures.gif_bytes()[:1000], "truncated", ("GIF file",)),
    "a BMP cut in half": (lambda: pictures.bmp_bytes()[:3000], "truncated", ("BMP file",)),
    "a HEIC cut short": (lambda: heic_samples.PLAIN[:-40], "truncated", ("HEIC file",)),
    "a PNG with a flipped byte": (pictures.corrupt_png, "corrupt", ("checksum", "IDAT")),
    "a PNG of 100000x100000": (
        pictures.bomb_png,
        "too_many_pixels",
        ("100000x100000 is 10000000000 pixels, the limit is 40000000",),
    ),
    **{
        f"a {name} of {width}x{height}": (
            lambda name=name, width=width, height=height: pictures.saved(Image.new("L", (width, height)), name),
            "side_too_long",
            (f"{width}x{height} has a side of 1000001 pixels, the limit is 1000000",),
        )
        for name in ("PNG", "BMP", "TIFF")
        for width, height in ((1, 1_000_001), (1_000_001, 1))
    },
    "a PNG of no width": (pictures.zero_area_png, "zero_area", ("0x10",)),
    "a text chunk that unfolds to 50 MB": (pictures.text_bomb_png, "decompression_bomb", ("too large",)),
    "a profile that unfolds to 50 MB": (pictures.profile_bomb_png, "decompression_bomb", ("too large",)),
    "a JPEG of 5000 scans": (
        lambda: pictures.jpeg_bytes(progressive=True)[:-2] + pictures.EMPTY_SCAN * 5000 + b"\xff\xd9",
        "decompression_bomb",
        ("scans", "at most 200"),
    ),
    "a float TIFF with NaN": (pictures.float_tiff_with_nan, "not_finite", ("1 samples",)),
    "a raw file of Canon": (lambda: b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(64), "unsupported_format", ("CR2",)),
    "a film": (lambda: b"\x00\x00\x00\x18ftypmp42" + bytes(64), "unsupported_format", ("mp42",)),
}


@pytest.mark.parametrize("kind", sorted(BAD))
def test_bad_input_has_its_code_and_says_what_is_wrong(kind: str) -> None:
    make, code, words = BAD[kind]
    with pytest.raises(BadImage) as caught:
        decode(make())
    assert caught.value.code == code
    for word in words:
        assert word in str(caught.value)


def test_a_picture_of_the_longest_side_is_decoded_and_kept_between_stages() -> None:
    picture = decode(pictures.saved(Image.new("L", (1_000_000, 1), 90), "PNG")).picture
    assert (picture.width, picture.height) == (1_000_000, 1)
    assert decode_working(encode_working(picture, "png")).pixels.shape == picture.pixels.shape


def test_a_library_error_is_kept_as_the_cause() -> None:
    with pytest.raises(BadImage) as caught:
        decode(pictures.gif_bytes()[:1000])
    assert isinstance(caught.value.__cause__, OSError)


def test_a_file_over_the_limit_of_bytes_is_refused_unread() -> None:
    data = pictures.png_bytes()
    with pytest.raises(BadImage, match=f"{len(data)} bytes, the limit is 100") as caught:
        decode(data, Limits(max_bytes=100))
    assert caught.value.code == "too_many_bytes"


@pytest.mark.parametrize("name", sorted(pictures.every_format()))
def test_every_format_respects_the_limit_of_pixels(name: str) -> None:
    area = pictures.HEIGHT * pictures.WIDTH
    data = pictures.every_format()[name]
    assert decode(data, Limits(max_pixels=area)).format == name
    with pytest.raises(BadImage, match=f"is {area} pixels, the limit is {area - 1}") as caught:
        decode(data, Limits(max_pixels=area - 1))
    assert caught.value.code == "too_many_pixels"
    assert caught.value.limit < caught.value.value


@pytest.mark.parametrize("limits", [Limits(max_pixels=100), Limits(max_bytes=100)])
def test_reading_the_metadata_alone_respects_the_limits(limits: Limits) -> None:
    with pytest.raises(BadImage):
        read_metadata(pictures.png_bytes(), limits)


def test_names_and_declared_types_do_not_count_but_the_first_bytes_do() -> None:
    assert decode(pictures.png_bytes()).format == "png"
    with pytest.raises(BadImage):
        decode(b"JFIF" + pictures.jpeg_bytes())


def seeds() -> dict[str, bytes]:
    return pictures.every_format() | {
        "described JPEG": pictures.described_jpeg(),
        "progressive JPEG": pictures.jpeg_bytes(progressive=True),
        "CMYK JPEG with profile": pictures.cmyk_jpeg(profiles.simple_cmyk()),
        "16-bit PNG with profile": pictures.wide_gamut_png16(),
        "palette PNG": pictures.palette_png(transparent=True),
        "lossy WebP": pictures.webp_bytes(lossless=False, quality=50),
        "animated WebP": pictures.animated_webp(),
        "animated GIF": pictures.animated_gif(),
        "16-bit TIFF": pictures.tiff16(4),
        "TIFF of pages": pictures.pages_tiff(),
        "HEIC with alpha": heic_samples.ALPHA,
        "10-bit HEIC": heic_samples.TEN_BITS,
    }


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Cut off at a random place, or a few bytes changed, most of them near the beginning, where the headers are."""
    if chance.random() < 0.2:
        return data[: chance.randrange(1, len(data))]
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(min(len(changed), chance.choice((64, 300, len(changed)))))
        changed[at] = chance.choice((0, 255, chance.randrange(256), changed[at] ^ 1 << chance.randrange(8)))
    return bytes(changed)


def with_right_checksums(data: bytes) -> bytes:
    """A damaged PNG whose checksums hide the damage, so that it reaches the decoders."""
    rebuilt, at = b"", 8
    while at + 12 <= len(data):
        length, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        rebuilt += pictures.png_chunk(name, data[at + 8 : at + 8 + length])
        at += 12 + length
    return b"\x89PNG\r\n\x1a\n" + rebuilt


@pytest.mark.parametrize("kind", sorted(seeds()))
@pytest.mark.filterwarnings("ignore")
def test_whatever_is_damaged_ends_in_a_picture_or_in_bad_image(kind: str) -> None:
    chance = random.Random(20240501)
    original = seeds()[kind]
    outcomes = set()
    for _ in range(150):
        data = damaged(original, chance)
        if "PNG" in kind or kind == "png":
            data = with_right_checksums(data)
        try:
            outcomes.add(decode(data, Limits(max_pixels=1_000_000)).format)
        except BadImage as exc:
            outcomes.add(exc.code)
    assert len(outcomes) >= 3, "the damage was too light or too heavy to tell anything"
