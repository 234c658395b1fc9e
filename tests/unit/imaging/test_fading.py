import numpy as np
import pytest
import skimage.data

from darkroom.imaging.color import luma
from darkroom.imaging.tone.fading import faded_range, unfaded
from tests.degradations import psnr_db

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


def yellowed(pixels: np.ndarray, contrast: float = 0.6) -> np.ndarray:
    """Bleached dyes on yellow paper: less contrast around a light, yellowish grey."""
    paper = np.array([0.62, 0.56, 0.46])
    return np.rint(255 * (paper + contrast * (pixels / 255 - 0.5)).clip(0, 1)).astype(np.uint8)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_of_today_is_left_alone(name: str) -> None:
    assert unfaded(getattr(skimage.data, name)(), 1.0) is None


def test_a_yellowed_print_comes_nearer_to_what_it_was() -> None:
    clean = skimage.data.astronaut()
    given = yellowed(clean)
    restored = unfaded(given, 1.0)
    assert restored is not None
    assert psnr_db(restored, clean) > psnr_db(given, clean) + 8


def test_half_as_much_lies_between() -> None:
    given = yellowed(skimage.data.astronaut())
    half, whole = (unfaded(given, amount) for amount in (0.5, 1.0))
    assert half is not None
    assert whole is not None
    middle = (whole.astype(float) + given) / 2
    inside = (whole > 0) & (whole < 255)  # elsewhere the whole is clipped
    np.testing.assert_allclose(half[inside], middle[inside], atol=1.01)


@pytest.mark.parametrize("paper", [(0.5, 0.5, 0.5), (0.45, 0.5, 0.6)])
def test_haze_which_is_grey_or_blue_is_no_fading(paper: tuple[float, float, float]) -> None:
    hazy = np.rint(255 * (0.5 * skimage.data.astronaut() / 255 + 0.5 * np.array(paper))).astype(np.uint8)
    assert faded_range(hazy)[2] == 0.0


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_a_crack_gets_no_more_contrast_than_it_has(name: str) -> None:
    given = yellowed(getattr(skimage.data, name)()[:300, :450])
    given[:, 200:203] = (235, 225, 200)  # white paper under the emulsion
    restored = unfaded(given, 1.0)
    assert restored is not None
    before, after = (_step(luma(pixels)) for pixels in (given, restored))
    assert after < 1.05 * before


def _step(plane: np.ndarray) -> float:
    """Mean difference between the crack and the pixels beside it."""
    return float(plane[:, 200:203].mean() - plane[:, [196, 197, 205, 206]].mean())


def test_sixteen_bits_are_judged_as_eight() -> None:
    given = yellowed(skimage.data.astronaut())
    deep = given.astype(np.uint16) * 257
    whole, half = unfaded(deep, 1.0), unfaded(given, 1.0)
    assert whole is not None
    assert half is not None
    np.testing.assert_allclose(whole / 257.0, half, atol=2.0)
    for eight, sixteen in zip(faded_range(given), faded_range(given.astype(np.uint16) * 257), strict=True):
        np.testing.assert_allclose(eight, sixteen, atol=2e-3)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (9, 2)])
def test_any_size_can_be_judged(size: tuple[int, int]) -> None:
    assert faded_range(np.full((*size, 3), 128, np.uint8))[2] == 0.0
