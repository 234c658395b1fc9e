"""Computes a quality score from 0 to 100 from measurements."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from darkroom.domain.measurements import Measurements, Score

Curve = tuple[tuple[float, ...], tuple[float, ...]]

#: Each part as a curve from a measurement to 0-100, linear between the points, level outside of them.
NOISE: Curve = ((3.0, 6.0, 10.0, 15.0, 25.0, 40.0, 80.0), (100.0, 80.0, 55.0, 38.0, 20.0, 8.0, 0.0))
BLUR: Curve = ((0.95, 1.2, 1.5, 2.0, 3.0, 5.0, 8.0), (100.0, 85.0, 60.0, 40.0, 20.0, 8.0, 0.0))
#: Megapixels that the picture would have if its softest sharp edge were 0.5 px wide.
EFFECTIVE_MEGAPIXELS: Curve = ((0.04, 0.15, 0.3, 0.6), (0.0, 40.0, 75.0, 100.0))
EXPOSURE: Curve = (
    (0.0, 0.06, 0.12, 0.18, 0.26, 0.33, 0.68, 0.78, 0.88, 1.0),
    (0.0, 15.0, 35.0, 60.0, 90.0, 100.0, 100.0, 90.0, 50.0, 5.0),
)
#: Shares of clipped pixels and what is left of the exposure's part.
HIGHLIGHTS: Curve = ((0.02, 0.1, 0.4, 1.0), (1.0, 0.8, 0.3, 0.1))
SHADOWS: Curve = ((0.1, 0.3, 0.6, 1.0), (1.0, 0.8, 0.4, 0.1))
CONTRAST: Curve = ((0.0, 0.2, 0.4, 0.55, 0.7), (0.0, 20.0, 52.0, 82.0, 100.0))
CAST: Curve = ((0.2, 0.5, 0.75, 1.0), (100.0, 80.0, 58.0, 35.0))
BLOCKINESS: Curve = ((0.2, 0.45, 0.75, 1.0), (100.0, 80.0, 50.0, 25.0))

#: Exponent of each part in the product: how much a fault weighs. At 0.5 a part of 50 leaves 71 of the whole.
WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"noise": 0.6, "sharpness": 0.6, "exposure": 0.5, "contrast": 0.5, "cast": 0.5, "blockiness": 0.5}
)


def score(measured: Measurements, *, enlarged: float = 1.0) -> Score:
    """One number for a picture, as a product of powers of its parts.

    A product and not a mean, since a picture that is ruined by noise is not saved by its good exposure. The number
    falls with each fault alone. It judges technique: it does not know what the picture shows, whether a blur or a
    dark tone is wanted, nor whether a face is still that person's.

    Parameters
    ----------
    measured : Measurements
    enlarged : float, at least 1
        How many times larger a side is than it was in the upload: edges may be so many times wider, since a picture
        is no worse for being larger.

    Returns
    -------
    Score
        From 75 upwards a picture has no fault that shows at first sight.

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
    """By the pixel or by the picture, whichever is better.

    A large picture may be soft at its own pixels and sharp at every size it is looked at; an enlarged one always is.
    """
    by_pixel = _at(BLUR, radius)
    detail = min(1.0, 0.5 / measured.blur_radius) if measured.blur_radius > 0.0 else 1.0
    by_picture = _at(EFFECTIVE_MEGAPIXELS, measured.pixels / 1e6 * detail**2)
    return max(by_pixel, by_picture)


def _exposure(measured: Measurements) -> float:
    clipped = _at(HIGHLIGHTS, measured.clipped_highlights) * _at(SHADOWS, measured.clipped_shadows)
    return _at(EXPOSURE, measured.exposure_mean) * clipped
