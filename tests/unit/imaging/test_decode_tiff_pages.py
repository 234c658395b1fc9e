"""Tests which picture of a TIFF is the photograph."""

from io import BytesIO

import numpy as np
import pytest
import tifffile

from darkroom.domain.errors import BadImage
from darkroom.imaging.codec import Limits, decode
from darkroom.imaging.codec.metadata import ifd
from tests import pictures
from tests.tiffs import pages, plain

PHOTOGRAPH = pictures.scene()
SMALL = pictures.scene(12, 16)
MASK = np.zeros((12, 16), np.bool_)
REDUCED, TRANSPARENCY_MASK = 1, 4


def test_a_reduced_copy_that_comes_first_is_passed_over() -> None:
    decoded = decode(pages(SMALL, PHOTOGRAPH, subfiles=[REDUCED, 0]))
    assert np.array_equal(decoded.picture.pixels, PHOTOGRAPH)
    assert decoded.frames == 1
    assert decoded.notes == ()


def test_reduced_copies_behind_the_photograph_are_no_further_pictures() -> None:
    decoded = decode(pages(PHOTOGRAPH, SMALL, SMALL, subfiles=[0, REDUCED, REDUCED]))
    assert np.array_equal(decoded.picture.pixels, PHOTOGRAPH)
    assert decoded.notes == ()


def test_a_mask_is_no_photograph_and_is_noted() -> None:
    decoded = decode(pages(MASK, PHOTOGRAPH, subfiles=[TRANSPARENCY_MASK, 0]))
    assert np.array_equal(decoded.picture.pixels, PHOTOGRAPH)
    assert decoded.notes == ("the file's transparency mask was left out",)


def test_the_largest_of_reduced_copies_stands_for_a_photograph_that_is_missing() -> None:
    assert np.array_equal(decode(pages(SMALL, PHOTOGRAPH, subfiles=[REDUCED, REDUCED])).picture.pixels, PHOTOGRAPH)


def test_of_several_photographs_the_first_is_used_and_the_note_counts_them() -> None:
    decoded = decode(pages(PHOTOGRAPH, SMALL, SMALL, subfiles=[0, 0, REDUCED]))
    assert decoded.notes == ("TIFF of 2 pictures: only the first is used",)


def test_the_older_mark_of_a_reduced_copy_counts_too() -> None:
    assert decode(plain({255: 2})).picture.width == 6
    with tifffile.TiffWriter(sink := BytesIO()) as writer:
        writer.write(SMALL, photometric="rgb", extratags=[(255, 3, 1, 2, True)], metadata=None)
        writer.write(PHOTOGRAPH, photometric="rgb", metadata=None)
    assert np.array_equal(decode(sink.getvalue()).picture.pixels, PHOTOGRAPH)


def test_the_photograph_may_lie_below_its_preview() -> None:
    with tifffile.TiffWriter(sink := BytesIO()) as writer:
        writer.write(SMALL, photometric="rgb", subfiletype=REDUCED, subifds=1, metadata=None)
        writer.write(PHOTOGRAPH, photometric="rgb", subfiletype=0, metadata=None)
    assert np.array_equal(decode(sink.getvalue()).picture.pixels, PHOTOGRAPH)


def test_a_sensor_picture_below_a_preview_makes_it_a_raw_file() -> None:
    with tifffile.TiffWriter(sink := BytesIO()) as writer:
        writer.write(SMALL, photometric="rgb", subfiletype=REDUCED, subifds=1, metadata=None)
        writer.write(PHOTOGRAPH[..., 0], photometric=32803, subfiletype=0, metadata=None)
    with pytest.raises(BadImage, match="raw file"):
        decode(sink.getvalue())


def test_the_limits_hold_for_the_photograph_and_not_for_its_preview() -> None:
    with pytest.raises(BadImage) as caught:
        decode(pages(SMALL, PHOTOGRAPH, subfiles=[REDUCED, 0]), Limits(max_pixels=1000))
    assert caught.value.code == "too_many_pixels"


def test_descriptions_of_a_preview_are_those_of_its_photograph() -> None:
    with tifffile.TiffWriter(sink := BytesIO()) as writer:
        writer.write(SMALL, photometric="rgb", subfiletype=REDUCED, extratags=[(271, 2, 0, "Acme", True)])
        writer.write(PHOTOGRAPH, photometric="rgb", metadata=None, resolution=(300, 300), resolutionunit=2)
    metadata = decode(sink.getvalue()).metadata
    assert ifd.read_tree(metadata.exif or b"").value(271) == b"Acme\0"
    assert metadata.dpi == (300, 300)
