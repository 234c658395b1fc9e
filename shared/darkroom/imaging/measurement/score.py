"""Computes a quality score from 0 to 100 from measurements."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from darkroom.domain.measurements import Measurements, Score

Curve = tuple[tuple[float, ...], tuple[float, ...]]

#: Points from a noise sigma (0-255 scale) to 0-100. All curves are linear between the points, constant outside.
NOISE: Curve = ((3.0, 6.0, 10.0, 15.0, 25.0, 40.0, 80.0), (100.0, 80.0, 55.0, 38.0, 20.0, 8.0, 0.0))
#: Points from a blur radius in pixels to 0-100.
BLUR: Curve = ((0.95, 1.2, 1.5, 2.0, 3.0, 5.0, 8.0), (100.0, 85.0, 60.0, 40.0, 20.0, 8.0, 0.0))
#: Points from effective megapixels to 0-100: those of the picture reduced until its edges are 0.5 px wide.
EFFECTIVE_MEGAPIXELS: Curve = ((0.04, 0.15, 0.3, 0.6), (0.0, 40.0, 75.0, 100.0))
#: Points from the mean luma, range [0, 1], to 0-100.
EXPOSURE: Curve = (
    (0.0, 0.06, 0.12, 0.18, 0.26, 0.33, 0.68, 0.78, 0.88, 1.0),
    (0.0, 15.0, 35.0, 60.0, 90.0, 100.0, 100.0, 90.0, 50.0, 5.0),
)
#: Points from the share of blown-out pixels to a factor of the exposure part.
HIGHLIGHTS: Curve = ((0.02, 0.1, 0.4, 1.0), (1.0, 0.8, 0.3, 0.1))
#: Points from the share of black pixels to a factor of the exposure part.
SHADOWS: Curve = ((0.1, 0.3, 0.6, 1.0), (1.0, 0.8, 0.4, 0.1))
#: Points from the range of luma, [0, 1], to 0-100.
CONTRAST: Curve = ((0.0, 0.2, 0.4, 0.55, 0.7), (0.0, 20.0, 52.0, 82.0, 100.0))
#: Points from the strength of a colour cast, 0-1, to 0-100.
CAST: Curve = ((0.2, 0.5, 0.75, 1.0), (100.0, 80.0, 58.0, 35.0))
#: Points from blockiness, 0-1, to 0-100.
BLOCKINESS: Curve = ((0.2, 0.45, 0.75, 1.0), (100.0, 80.0, 50.0, 25.0))

#: Exponent of each part in the product; a larger one gives a fault more weight. At 0.5 a part of 50 reduces the score
#: from 100 to 71.
WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"noise": 0.6, "sharpness": 0.6, "exposure": 0.5, "contrast": 0.5, "cast": 0.5, "blockiness": 0.5}
)


def score(measured: Measurements, *, enlarged: float = 1.0) -> Score:
    """One number for a picture, as a product of powers of its parts.

    A product and not a mean: good exposure does not compensate strong noise. Each fault alone lowers the score. The
    score rates technical quality only. It does not consider the scene, intended blur or dark tones, or whether a face
    still shows the same person.

    Parameters
    ----------
    measured : Measurements
    enlarged : float, at least 1
        Factor by which a side is larger than in the upload. Edges may be wider by this factor, because enlargement
        alone does not make a picture worse.

    Returns
    -------
    Score
        From 75 upwards a picture has no obvious fault.

    Examples
    --------
    >>> good = Measurements(height=1000, width=1000, exposure_mean=0.5, contrast=0.8)
    >>> score(good).value
    100.0
    """
    parts = {
        "noise": _at(NOISE, measured.noise_sigma),
        "sharpness": _sharpness(measured, measured.blur_radius / enlarged),
        "exposure": _exposure(measured),
        "contrast": _at(CONTRAST, measured.contrast),
        "cast": _at(CAST, measured.cast_strength),
        "blockiness": _at(BLOCKINESS, measured.blockiness),
    }
    value = 100.0 * float(np.prod([(part / 100.0) ** WEIGHTS[name] for name, part in parts.items()]))
    return Score(value=round(value, 1), parts=MappingProxyType({name: round(part, 1) for name, part in parts.items()}))


def _at(curve: Curve, value: float) -> float:
    return float(np.interp(value, *curve))


def _sharpness(measured: Measurements, radius: float) -> float:
    """The better score of two: sharpness per pixel, or sharpness of the whole picture.

    A large picture may be soft at pixel level and sharp at every size at which it is viewed. An enlarged one always is.
    """
    by_pixel = _at(BLUR, radius)
    detail = min(1.0, 0.5 / measured.blur_radius) if measured.blur_radius > 0.0 else 1.0
    by_picture = _at(EFFECTIVE_MEGAPIXELS, measured.pixels / 1e6 * detail**2)
    return max(by_pixel, by_picture)


def _exposure(measured: Measurements) -> float:
    clipped = _at(HIGHLIGHTS, measured.clipped_highlights) * _at(SHADOWS, measured.clipped_shadows)
    return _at(EXPOSURE, measured.exposure_mean) * clipped
