"""Tests which metadata of the original the result contains, and how it is changed."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import ExifTags, Image

from darkroom.imaging.codec import EncodeOptions, Metadata, OutputFormat, decode, encode, read_metadata
from darkroom.imaging.codec.formats import png
from darkroom.imaging.codec.metadata import ifd, xmp
from darkroom.imaging.codec.metadata.profile import srgb_bytes
from darkroom.imaging.picture import Picture
from tests import pictures, profiles
from tests.descriptions import thumbnail_jpeg

FORMATS: tuple[OutputFormat, ...] = ("jpeg", "png", "webp", "tiff", "avif")
PLACES = (b"GPSLatitude", b"GpsLongitude", b"GPSAltitude")


def original() -> Metadata:
    return read_metadata(pictures.described_jpeg())


def result(name: OutputFormat, policy: str = "keep", metadata: Metadata | None = None) -> tuple[bytes, tuple[str, ...]]:
    options = EncodeOptions(format=name, metadata_policy=policy)
    written = encode(Picture(pixels=pictures.scene()), options, metadata or original())
    return written.data, written.notes


def exif_of(data: bytes) -> Image.Exif:
    """As Pillow reads it, which is not the code that wrote it."""
    with Image.open(BytesIO(data)) as image:
        exif = image.getexif()
        exif.get_ifd(ExifTags.IFD.Exif)
        return exif


def test_a_jpeg_gives_up_all_it_says() -> None:
    metadata = original()
    assert metadata.exif == pictures.camera_exif()
    assert metadata.xmp == pictures.xmp_packet()
    assert metadata.iptc == pictures.iptc_records()
    assert metadata.dpi == (300, 300)
    assert metadata.profile is None


@pytest.mark.parametrize("name", FORMATS)
def test_exif_is_kept_in_every_format(name: OutputFormat) -> None:
    exif = exif_of(result(name)[0])
    details = exif.get_ifd(ExifTags.IFD.Exif)
    assert exif[ExifTags.Base.Make] == "Acme"
    assert exif[ExifTags.Base.Copyright] == "Somebody"
    assert exif[ExifTags.Base.DateTime] == "2019:05:04 10:20:30"
    assert float(details[ExifTags.Base.ExposureTime]) == 1 / 250
    assert details[ExifTags.Base.DateTimeOriginal] == "2019:05:04 10:20:30"
    assert details[ExifTags.Base.MakerNote] == bytes(range(64))


@pytest.mark.parametrize("name", FORMATS)
def test_exif_tells_the_truth_about_the_new_picture(name: OutputFormat) -> None:
    turned = replace(original(), exif=pictures.camera_exif(orientation=6))
    exif = exif_of(result(name, metadata=turned)[0])
    details = exif.get_ifd(ExifTags.IFD.Exif)
    assert exif.get(ExifTags.Base.Orientation, 1) == 1
    assert exif[ExifTags.Base.Software] == "Darkroom"
    assert details[ExifTags.Base.ExifImageWidth] == pictures.WIDTH
    assert details[ExifTags.Base.ExifImageHeight] == pictures.HEIGHT
    assert details[ExifTags.Base.ColorSpace] == 1


@pytest.mark.parametrize("name", FORMATS)
def test_the_thumbnail_of_the_old_picture_is_gone(name: OutputFormat) -> None:
    thumbnail = thumbnail_jpeg()
    assert thumbnail in pictures.camera_exif()
    assert thumbnail not in result(name)[0]


@pytest.mark.parametrize("name", FORMATS)
def test_places_are_kept_unless_they_are_unwanted(name: OutputFormat) -> None:
    data = result(name)[0]
    place = exif_of(data).get_ifd(ExifTags.IFD.GPSInfo)
    assert [float(part) for part in place[ExifTags.GPS.GPSLatitude]] == [47, 22, 9.99]
    assert all(word in (read_metadata(data).xmp or b"") for word in PLACES)


@pytest.mark.parametrize("name", FORMATS)
def test_no_gps_takes_places_out_of_exif_and_xmp_and_leaves_the_rest(name: OutputFormat) -> None:
    data = result(name, "no_gps")[0]
    assert not exif_of(data).get_ifd(ExifTags.IFD.GPSInfo)
    assert not any(word in data for word in PLACES)
    latitude = np.array([47, 1, 22, 1, 999, 100], "<u4").tobytes()
    assert latitude in result(name)[0] or name == "png"
    assert latitude not in data
    assert exif_of(data)[ExifTags.Base.Make] == "Acme"
    assert b"Harbour" in (read_metadata(data).xmp or b"")


@pytest.mark.parametrize("name", FORMATS)
def test_strip_leaves_the_profile_alone(name: OutputFormat) -> None:
    data, notes = result(name, "strip")
    assert read_metadata(data) == Metadata(profile=srgb_bytes())
    assert notes == ()
    assert b"Darkroom" not in data


@pytest.mark.parametrize("name", FORMATS)
def test_xmp_is_kept_and_brought_up_to_date(name: OutputFormat) -> None:
    turned = replace(original(), xmp=pictures.xmp_packet(orientation=8))
    packet = read_metadata(result(name, metadata=turned)[0]).xmp or b""
    assert b"Harbour" in packet
    assert xmp.orientation(packet) == 1
    assert f'exif:PixelXDimension="{pictures.WIDTH}"'.encode() in packet


@pytest.mark.parametrize("name", FORMATS)
def test_iptc_is_kept_or_its_loss_is_noted(name: OutputFormat) -> None:
    data, notes = result(name)
    if name in ("jpeg", "tiff"):
        assert read_metadata(data).iptc == pictures.iptc_records()
        assert notes == ()
    else:
        assert read_metadata(data).iptc is None
        assert "has no place for IPTC data" in notes[0]


@pytest.mark.parametrize("name", FORMATS)
def test_the_density_is_kept(name: OutputFormat) -> None:
    data = result(name)[0]
    assert float(exif_of(data)[ExifTags.Base.XResolution]) == 300
    if name in ("jpeg", "png", "tiff"):
        assert read_metadata(data).dpi == pytest.approx((300, 300), abs=0.01)


@pytest.mark.parametrize("name", FORMATS)
def test_a_result_is_marked_even_if_the_original_said_nothing(name: OutputFormat) -> None:
    exif = exif_of(result(name, metadata=Metadata())[0])
    assert exif[ExifTags.Base.Software] == "Darkroom"


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_written_is_read_again_and_written_unchanged(name: OutputFormat) -> None:
    once = decode(result(name)[0])
    options = EncodeOptions(format=name)
    twice = decode(encode(once.picture, options, once.metadata).data)
    assert twice.metadata.exif is not None
    assert exif_of(result(name)[0]).get_ifd(ExifTags.IFD.Exif)
    assert twice.metadata.xmp == once.metadata.xmp
    assert twice.metadata.iptc == once.metadata.iptc
    assert ifd.read_tree(twice.metadata.exif).entries == ifd.read_tree(once.metadata.exif or b"").entries


@pytest.mark.parametrize("damaged", [b"II*\0", b"II*\0\x08\0\0\0\xff\xff", b"rubbish", b"MM\0*\0\0\0\x08\0\x01"])
def test_damaged_exif_is_left_out_with_a_note_and_the_result_is_still_marked(damaged: bytes) -> None:
    data, notes = result("jpeg", metadata=Metadata(exif=damaged))
    assert notes[0].startswith("the EXIF data is damaged and was left out")
    assert exif_of(data)[ExifTags.Base.Software] == "Darkroom"


def test_damaged_exif_does_not_stop_the_decoding() -> None:
    decoded = decode(pictures.jpeg_bytes(exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff"))
    assert decoded.picture.width == pictures.WIDTH


def test_an_entry_whose_value_lies_outside_the_block_is_left_out_alone() -> None:
    block = bytearray(pictures.camera_exif(gps=False, thumbnail=False))
    # The first entry is the maker, a value of five bytes kept at an offset: point it beyond the end.
    block[18:22] = (10_000_000).to_bytes(4, "little")
    exif = exif_of(result("jpeg", metadata=Metadata(exif=bytes(block)))[0])
    assert ExifTags.Base.Make not in exif
    assert exif[ExifTags.Base.Model] == "Model 1"


def with_broken_child(tag: int) -> bytes:
    """A camera's EXIF whose pointer `tag` leads beyond the end of the block."""
    block = bytearray(pictures.camera_exif(thumbnail=False))
    at = block.index(tag.to_bytes(2, "little") + b"\x04\0\x01\0\0\0")
    block[at + 8 : at + 12] = (10_000_000).to_bytes(4, "little")
    return bytes(block)


@pytest.mark.parametrize(("tag", "name"), [(ifd.EXIF, "Exif"), (ifd.GPS, "GPS")])
def test_a_broken_directory_is_left_out_alone_and_noted(tag: int, name: str) -> None:
    data, notes = result("jpeg", metadata=Metadata(exif=with_broken_child(tag)))
    exif = exif_of(data)
    assert notes == (f"the {name} directory is damaged and was left out",)
    assert exif[ExifTags.Base.Model] == "Model 1"
    assert bool(exif.get_ifd(ExifTags.IFD.GPSInfo)) == (tag != ifd.GPS)
    assert bool(exif.get_ifd(ExifTags.IFD.Exif)) == (tag != ifd.EXIF)


@pytest.mark.parametrize(("tag", "name"), [(ifd.EXIF, "Exif"), (ifd.GPS, "GPS")])
def test_a_broken_directory_does_not_refuse_a_tiff(tag: int, name: str) -> None:
    data = pictures.saved(Image.fromarray(pictures.scene()), "TIFF", tiffinfo={271: "Acme"})
    tree = ifd.read_tree(data)
    broken = ifd.write_tree(
        ifd.Directory(order="<", entries={**tree.entries, tag: ifd.long("<", 10_000_000)}),
        between=data[ifd.HEADER_BYTES :],
    )
    decoded = decode(broken)
    assert np.array_equal(decoded.picture.pixels, pictures.scene())
    assert decoded.notes == (f"the {name} directory is damaged and was left out",)
    assert ifd.read_tree(decoded.metadata.exif or b"").value(271) == b"Acme\0"


def test_a_broken_interoperability_directory_costs_no_other_tag() -> None:
    details = ifd.Directory(
        order="<", entries={0x829A: ifd.rational("<", 0.004), ifd.INTEROPERABILITY: ifd.long("<", 10_000_000)}
    )
    first = ifd.Directory(order="<", entries={271: ifd.ascii_text("Acme")}, children={ifd.EXIF: details})
    block = ifd.write_tree(first)
    data, notes = result("jpeg", metadata=Metadata(exif=block))
    assert notes == ()
    assert exif_of(data).get_ifd(ExifTags.IFD.Exif)[0x829A] == pytest.approx(0.004)


@pytest.mark.parametrize("kind", [1, 3, 4, 6, 8, 9])
def test_an_orientation_of_any_integer_type_counts(kind: int) -> None:
    size = {1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4}[kind]
    entry = ifd.Entry(kind=kind, count=1, value=(6).to_bytes(size, "little"))
    exif = ifd.write_tree(ifd.Directory(order="<", entries={274: entry}))
    assert decode(pictures.jpeg_bytes(exif=b"Exif\0\0" + exif)).picture.height == pictures.WIDTH


def test_exif_whose_values_overlap_to_unfold_is_refused() -> None:
    entries = b"".join(
        tag.to_bytes(2, "little") + b"\x07\0" + (4000).to_bytes(4, "little") + (8).to_bytes(4, "little")
        for tag in range(1000, 1400)
    )
    block = b"II*\0\x08\0\0\0" + (400).to_bytes(2, "little") + entries + bytes(4)
    notes = result("jpeg", metadata=Metadata(exif=block))[1]
    assert "overlap" in notes[0]


def test_xmp_that_is_not_utf_8_is_left_out_with_a_note() -> None:
    data, notes = result("png", metadata=Metadata(xmp="x".encode("utf-16")))
    assert read_metadata(data).xmp is None
    assert "the XMP data was left out" in notes[0]


def test_a_place_in_xmp_that_cannot_be_removed_keeps_the_whole_packet_out() -> None:
    unclosed = b"<rdf:Description><exif:GPSLatitude>47,22N</rdf:Description>"
    data, notes = result("png", "no_gps", Metadata(xmp=unclosed))
    assert read_metadata(data).xmp is None
    assert "cannot be removed" in notes[0]


@pytest.mark.parametrize("notation", ["attribute", "element", "empty element", "element with attributes"])
def test_a_place_is_removed_in_every_notation(notation: str) -> None:
    packet = {
        "attribute": b"<a b:Title='t' x:GpsLat = '1' c:d='e'/>",
        "element": b"<a b:Title='t' c:d='e'/><x:GPSLat>\n1 </x:GPSLat>",
        "empty element": b"<a b:Title='t' c:d='e'/><x:GPSLat/>",
        "element with attributes": b"<a b:Title='t' c:d='e'/><x:GPSLat f:g='/'><h>1</h></x:GPSLat>",
    }[notation]
    assert xmp.cleaned(packet, width=1, height=1, keep_gps=False) == b"<a b:Title='t' c:d='e'/>"


@pytest.mark.parametrize("unit", [b" ", b"a", b"<a:GPSb/>", b"a:gps", b"<a:Thumbnails ", b"tiff:Orientation "])
def test_a_long_packet_costs_time_in_proportion(unit: bytes) -> None:
    # A million characters: anything that grew with the square would run for hours.
    packet = b"<x>" + unit * (1_000_000 // len(unit)) + b"</x>"
    cleaned = xmp.cleaned(packet, width=1, height=1, keep_gps=False)
    assert cleaned.startswith(b"<x>")


def test_thumbnails_in_xmp_are_taken_out() -> None:
    packet = b"<x:xmpmeta><xmp:Thumbnails><rdf:Alt>AAAA</rdf:Alt></xmp:Thumbnails><dc:title>T</dc:title></x:xmpmeta>"
    cleaned = xmp.cleaned(packet, width=1, height=1, keep_gps=True)
    assert cleaned == b"<x:xmpmeta><dc:title>T</dc:title></x:xmpmeta>"


@pytest.mark.parametrize(("field", "label"), [("exif", "EXIF"), ("xmp", "XMP"), ("iptc", "IPTC")])
def test_what_is_too_long_for_a_jpeg_is_left_out_with_the_limit(field: str, label: str) -> None:
    long = {
        "exif": ifd.write_tree(ifd.Directory(order="<", entries={0x010E: ifd.undefined(bytes(70_000))})),
        "xmp": b"<x:xmpmeta>" + b" " * 70_000 + b"</x:xmpmeta>",
        "iptc": bytes(70_000),
    }
    metadata = Metadata(**{field: long[field]})
    data, notes = result("jpeg", metadata=metadata)
    assert any(f"bytes of {label} exceed" in note for note in notes)
    assert getattr(read_metadata(data), field) is None
    assert result("tiff", metadata=metadata)[1] == ()


def test_a_profile_wider_than_srgb_is_declared_uncalibrated() -> None:
    options = EncodeOptions(format="jpeg", profile="original")
    metadata = replace(original(), profile=profiles.display_p3())
    data = encode(Picture(pixels=pictures.scene()), options, metadata).data
    assert exif_of(data).get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] == 0xFFFF
    assert read_metadata(data).profile == profiles.display_p3()


@pytest.mark.parametrize("name", FORMATS)
def test_every_result_carries_srgb_by_default(name: OutputFormat) -> None:
    assert read_metadata(result(name)[0]).profile == srgb_bytes()


def test_a_big_endian_block_stays_big_endian_in_a_tiff() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Acme"
    exif.endian = ">"
    block = exif.tobytes()[6:]
    assert block[:2] == b"MM"
    data = result("tiff", metadata=Metadata(exif=block))[0]
    assert data[:2] == b"MM"
    assert exif_of(data)[ExifTags.Base.Make] == "Acme"
    assert np.array_equal(decode(data).picture.pixels, pictures.scene())
    sixteen = encode(Picture(pixels=pictures.scene16()), EncodeOptions(format="tiff"), Metadata(exif=block)).data
    assert np.array_equal(decode(sixteen).picture.pixels, pictures.scene16())


def test_exif_after_the_pixels_of_a_png_is_found() -> None:
    data = pictures.png_bytes()
    late = data[:-12] + png.chunk(b"eXIf", pictures.camera_exif()) + data[-12:]
    assert read_metadata(late).exif == pictures.camera_exif()


def test_a_compressed_xmp_chunk_of_a_png_is_read() -> None:
    packed = png.XMP_KEYWORD + b"\0\x01\0\0\0" + pictures.zlib.compress(pictures.xmp_packet())
    data = pictures.png_bytes()
    assert read_metadata(data[:33] + png.chunk(b"iTXt", packed) + data[33:]).xmp == pictures.xmp_packet()


def test_a_density_that_cannot_be_is_none() -> None:
    assert read_metadata(pictures.png_bytes(dpi=(0.001, 0.001))).dpi is None


def test_a_tiff_in_centimetres_gives_its_density_in_inches() -> None:
    data = pictures.tiff_bytes(x_resolution=118, y_resolution=118, resolution_unit=3)
    assert read_metadata(data).dpi == pytest.approx((299.72, 299.72), abs=0.01)
