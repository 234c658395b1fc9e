"""Pictures of one hue are told from coloured ones."""

import numpy as np
import pytest
import skimage.data

from darkroom.imaging.codec import decode
from darkroom.imaging.color import luma
from darkroom.imaging.measurement.toning import is_toned
from darkroom.imaging.picture import Pixels
from tests.pictures import jpeg_bytes

#: Colours of black and white in a print.
TINTS = {
    "sepia": ((40, 26, 13), (255, 240, 205)),
    "cyanotype": ((5, 20, 60), (225, 240, 245)),
    "selenium": ((35, 25, 40), (245, 232, 240)),
}
NAMES = ("astronaut", "chelsea", "coffee", "rocket", "retina", "immunohistochemistry", "hubble_deep_field")


def photograph(name: str) -> Pixels:
    return np.ascontiguousarray(getattr(skimage.data, name)()[:512, :512, :3])


def toned(pixels: Pixels, tint: str) -> Pixels:
    """A print of the picture in one hue, with the noise of a scan, as a JPEG."""
    black, white = (np.array(colour, float) for colour in TINTS[tint])
    ideal = black + (white - black) * luma(pixels)[..., np.newaxis]
    noisy = ideal + np.random.default_rng(0).normal(0.0, 3.0, ideal.shape)
    return decode(jpeg_bytes(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), quality=75)).picture.pixels


@pytest.mark.parametrize("tint", TINTS)
def test_photographs_toned_in_one_hue_are_toned(tint: str) -> None:
    assert [name for name in NAMES if not is_toned(toned(photograph(name), tint))] == []


def test_photographs_in_colour_are_not_even_with_a_dominant_hue() -> None:
    assert [name for name in NAMES if is_toned(photograph(name))] == []
    sunset = np.linspace([40, 20, 60], [255, 180, 60], 200).astype(np.uint8)[:, None].repeat(200, axis=1)
    assert not is_toned(sunset)


def test_a_grey_picture_is_not() -> None:
    assert not is_toned(np.repeat(luma(photograph("coffee"))[..., None] * 255, 3, axis=2).astype(np.uint8))
