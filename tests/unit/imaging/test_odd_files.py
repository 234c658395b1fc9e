"""Tests odd files of the formats besides JPEG and PNG, and what is said about damaged files."""

import struct
import warnings
from contextlib import suppress
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec import EncodeOptions, Metadata, decode, encode
from darkroom.imaging.codec.decode_errors import as_bad_image
from darkroom.imaging.codec.formats import isobmff
from darkroom.imaging.picture import Picture
from tests import heic_samples, pictures, profiles


def small_frame_gif(left: int, top: int) -> bytes:
    """A GIF of 8x6 whose only frame has 4x3 pixels of palette entry 1."""
    frame = pictures.gif_bytes(np.full((3, 4), 1, np.uint8))
    at = frame.index(b"\x2c\0\0\0\0")
    screen = frame[:6] + struct.pack("<HH", 8, 6) + frame[10:at]
    return screen + b"\x2c" + struct.pack("<HH", left, top) + frame[at + 5 :]


@pytest.mark.parametrize(("left", "top"), [(0, 0), (4, 3), (2, 1)])
def test_the_canvas_around_the_first_frame_of_a_gif_is_transparent(left: int, top: int) -> None:
    picture = decode(small_frame_gif(left, top)).picture
    expected = np.zeros((6, 8), np.uint8)
    expected[top : top + 3, left : left + 4] = 255
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, expected)


def test_a_16_bit_bmp_with_alpha_is_read_and_its_alpha_noted() -> None:
    masks = struct.pack("<4I", 0x7C00, 0x03E0, 0x001F, 0x8000)
    header = struct.pack("<IiiHHIIiiII", 56, 2, 1, 1, 16, 3, 4, 0, 0, 0, 0) + masks
    data = struct.pack("<2sIHHI", b"BM", 74, 0, 0, 70) + header + struct.pack("<2H", 0x7C00, 0x001F)
    decoded = decode(data)
    assert decoded.picture.pixels.tolist() == [[[255, 0, 0], [0, 0, 255]]]
    assert decoded.notes == ("the transparency of a 16-bit BMP was left out",)


def test_a_grey_profile_is_exact_at_8_bits() -> None:
    ramp = np.arange(256, dtype=np.uint8)[np.newaxis]
    linear = ramp / 255
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    decoded = decode(pictures.png_bytes(ramp, icc_profile=profiles.grey_gamma(1.0)))
    assert np.array_equal(decoded.picture.pixels[0, :, 0], np.rint(encoded[0] * 255))


def deep_avif(depth: int) -> bytes:
    stored = (pictures.scene().astype(np.uint32) * ((1 << depth) - 1) + 127) // 255
    options = [cv2.IMWRITE_AVIF_DEPTH, depth, cv2.IMWRITE_AVIF_QUALITY, 100, cv2.IMWRITE_AVIF_SPEED, 9]
    return cv2.imencode(".avif", stored[..., ::-1].astype(np.uint16), options)[1].tobytes()


def test_descriptions_are_hidden_from_decoders_without_moving_a_byte() -> None:
    data = pictures.avif_bytes(exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0", xmp=pictures.xmp_packet())
    hidden = isobmff.without_descriptions(data)
    assert len(hidden) == len(data)
    assert {kind for kind, _ in isobmff.container(data).types.values()} == {b"av01", b"Exif", b"mime"}
    assert {kind for kind, _ in isobmff.container(hidden).types.values()} == {b"av01", b"skip"}


@pytest.mark.parametrize("kept", [0.5, 0.9])
@pytest.mark.parametrize("name", ["avif", "heic", "deep avif"])
def test_a_cut_avif_or_heic_is_truncated(name: str, kept: float) -> None:
    data = {"avif": pictures.avif_bytes(), "heic": heic_samples.PLAIN, "deep avif": deep_avif(10)}[name]
    with pytest.raises(BadImage) as caught:
        decode(data[: int(len(data) * kept)])
    assert caught.value.code == "truncated"


def test_an_avif_beyond_every_decoder_has_too_many_pixels() -> None:
    data = pictures.avif_bytes()
    at = data.index(b"ispe") + 8
    huge = data[:at] + struct.pack(">II", 30_000, 30_000) + data[at + 8 :]
    with pytest.raises(BadImage, match="30000x30000") as caught:
        decode(huge)
    assert caught.value.code == "too_many_pixels"


def without_rotation(data: bytes) -> bytes:
    """A HEIC or AVIF whose container turns by 0 degrees."""
    at = data.index(b"irot") + 4
    return data[:at] + b"\0" + data[at + 1 :]


def test_an_exif_orientation_that_the_container_lacks_is_noted() -> None:
    turned = heic_samples.TURNED
    assert decode(turned).notes == ()
    note = "EXIF orientation 6 was not applied: only the container's own rotation counts in this format"
    assert decode(without_rotation(turned)).notes == (note,)


CLAIMS = {
    "a motion photo": 'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1"',
    "under another prefix": 'xmlns:q="http://ns.google.com/photos/1.0/camera/" q:MicroVideoOffset="99"',
    "a gain map": 'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"',
    "extended XMP": 'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="ABC"',
}


@pytest.mark.parametrize("what", sorted(CLAIMS))
def test_xmp_that_announces_data_outside_the_picture_loses_these_claims(what: str) -> None:
    claim = CLAIMS[what].split()[1]
    packet = f'<rdf:Description {CLAIMS[what]} xmp:Rating="5"/>'.encode()
    written = encode(Picture(pixels=pictures.scene()), EncodeOptions(format="png"), Metadata(xmp=packet))
    kept = decode(written.data).metadata.xmp or b""
    assert claim.encode() not in kept
    assert b'xmp:Rating="5"' in kept
    assert any("announce" in note for note in written.notes)


def test_a_container_directory_in_xmp_is_removed_as_a_whole() -> None:
    inner = "<rdf:Seq><rdf:li><Container:Item Item:Semantic='GainMap'/></rdf:li></rdf:Seq>"
    packet = f"<a><Container:Directory>{inner}</Container:Directory><xmp:Rating>5</xmp:Rating></a>".encode()
    written = encode(Picture(pixels=pictures.scene()), EncodeOptions(format="png"), Metadata(xmp=packet))
    assert decode(written.data).metadata.xmp == b"<a><xmp:Rating>5</xmp:Rating></a>"


def test_a_camera_property_that_announces_nothing_is_kept() -> None:
    packet = b'<rdf:Description GCamera:BurstID="7"/>'
    written = encode(Picture(pixels=pictures.scene()), EncodeOptions(format="png"), Metadata(xmp=packet))
    assert decode(written.data).metadata.xmp == packet
    assert not written.notes


@pytest.mark.parametrize(
    "exc",
    [
        OSError("cannot identify image file <_io.BytesIO object at 0x7f0000>"),
        OSError("broken data stream when reading image file"),
        ValueError("buffer is truncated in png_decode_idat"),
        EOFError("no more images in GIF file"),
        SyntaxError("not a TIFF file (header b'x' not valid)"),
        cv2.error("OpenCV(5.0.0) loadsave.cpp:1086: error: (-215)"),
        Image.DecompressionBombError("Image size (300 pixels) exceeds limit of 179 pixels, could be DOS attack"),
        ValueError("Decompressed data too large for PngImagePlugin.MAX_TEXT_CHUNK"),
    ],
)
def test_the_text_of_a_library_never_reaches_the_user(exc: Exception) -> None:
    message = str(as_bad_image(exc, "PNG file"))
    assert str(exc) not in message
    assert "0x" not in message
    assert "Plugin" not in message


def test_damaged_files_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    damaged = [data[: len(data) * 2 // 3] for data in pictures.every_format().values()]
    damaged += [pictures.corrupt_png(), pictures.png16()[:-60] + bytes(60), pictures.tiff_bytes()[:-90] + bytes(90)]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for data in damaged:
            with suppress(BadImage):
                decode(data)
    assert capfd.readouterr() == ("", "")


def test_a_profile_that_cannot_be_used_is_described_without_the_words_of_a_library() -> None:
    profile = b"\0" * 16 + b"RGB " + b"\0" * 200
    decoded = decode(pictures.png_bytes(icc_profile=profile))
    assert decoded.notes == ("the embedded colour profile cannot be used and was ignored: it cannot be parsed",)
    written = encode(decoded.picture, EncodeOptions(format="png"), replace(decoded.metadata, exif=b"II*\0"))
    assert any(note.startswith("the EXIF data is damaged and was left out") for note in written.notes)
