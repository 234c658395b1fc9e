import numpy as np
import pytest
import skimage.data

from darkroom.imaging.color import apply_table
from darkroom.imaging.tone.fading import LARGEST_GAIN, faded_range, unfading_table
from tests.degradations import psnr_db

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


def yellowed(pixels: np.ndarray, contrast: float = 0.6) -> np.ndarray:
    """Bleached dyes on yellow paper: less contrast around a light, yellowish grey."""
    paper = np.array([0.62, 0.56, 0.46])
    return np.rint(255 * (paper + contrast * (pixels / 255 - 0.5)).clip(0, 1)).astype(np.uint8)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_of_today_is_left_alone(name: str) -> None:
    assert unfading_table(getattr(skimage.data, name)(), 1.0) is None


def test_a_yellowed_print_comes_nearer_to_what_it_was() -> None:
    clean = skimage.data.astronaut()
    given = yellowed(clean)
    table = unfading_table(given, 1.0)
    assert table is not None
    assert psnr_db(apply_table(given, table), clean) > psnr_db(given, clean) + 8


def test_half_as_much_lies_between() -> None:
    given = yellowed(skimage.data.astronaut())
    half, whole = (unfading_table(given, amount) for amount in (0.5, 1.0))
    assert half is not None
    assert whole is not None
    unchanged = np.linspace(0, 1, 256)[:, None]
    np.testing.assert_allclose(half, (whole + unchanged) / 2, atol=1e-6)


@pytest.mark.parametrize("paper", [(0.5, 0.5, 0.5), (0.45, 0.5, 0.6)])
def test_haze_which_is_grey_or_blue_is_no_fading(paper: tuple[float, float, float]) -> None:
    hazy = np.rint(255 * (0.5 * skimage.data.astronaut() / 255 + 0.5 * np.array(paper))).astype(np.uint8)
    assert faded_range(hazy)[2] == 0.0


def test_a_range_is_widened_no_more_than_it_may_be() -> None:
    table = unfading_table(yellowed(skimage.data.astronaut(), contrast=0.2), 1.0)
    assert table is not None
    assert np.diff(table, axis=0).max() * 255 == pytest.approx(LARGEST_GAIN, rel=1e-3)


def test_sixteen_bits_are_judged_as_eight() -> None:
    given = yellowed(skimage.data.astronaut())
    for eight, sixteen in zip(faded_range(given), faded_range(given.astype(np.uint16) * 257), strict=True):
        np.testing.assert_allclose(eight, sixteen, atol=2e-3)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (9, 2)])
def test_any_size_can_be_judged(size: tuple[int, int]) -> None:
    assert faded_range(np.full((*size, 3), 128, np.uint8))[2] == 0.0
