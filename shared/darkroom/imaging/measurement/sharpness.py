"""Estimates the blur of a picture from its edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.filters import gaussian, gradient
from darkroom.imaging.picture import Plane

#: Standard deviation in pixels of the finer of the two Gaussian scales; the other is twice this. If noise hides all
#: edges, both scales are doubled.
FINE = 1.0
#: Least gradient of an edge relative to the gradient of the noise.
NOISE_MARGIN = 5.0
#: Least gradient of an edge, in luma (range [0, 1]) per pixel.
LEAST_GRADIENT = 0.012
#: Least gradient of an edge relative to the picture's steepest edges.
STEEP_SHARE = 0.35
#: Quantile of the blur over the steep edges that is reported; a larger one reports a larger blur.
QUANTILE = 0.6
#: Least number of edge pixels for an estimate.
MIN_EDGE_PIXELS = 30
#: Range of luma, [0, 1], above which a picture without edges counts as blurred.
LEAST_RANGE = 0.1
#: Least side in pixels of a picture without edges that can count as blurred.
MIN_SIDE = 16
#: Largest blur that is measured, in pixels.
MAX_RADIUS = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeBlur:
    """Width of a picture's sharpest edges."""

    #: Standard deviation in pixels of the Gaussian that turns an ideal step into these edges; 0 if unknown.
    radius: float
    #: Share of the pixels on which the estimate is based, 0-1.
    share: float

    @property
    def sharpness(self) -> float:
        """The step across the middle pixel of an edge as a share of the whole step, 0-1; 1 if unknown."""
        return erf(0.5 / (self.radius * sqrt(2.0))) if self.radius > 0.0 else 1.0


def edge_blur(planes: Sequence[Plane], noise_sigma: float = 0.0) -> EdgeBlur:
    """Estimate the blur from the ratio of an edge's gradients at two scales.

    A step blurred by a Gaussian of deviation s has, after another smoothing by f, a gradient proportional to
    1 / sqrt(s² + f²). The ratio of two such gradients gives s, independent of the contrast of the edge.

    Parameters
    ----------
    planes : sequence of (H, W) float32 in [0, 1]
        Luma of parts of one picture at native resolution.
    noise_sigma : float
        Standard deviation of the noise on the 0-255 scale; a larger value lets fewer edges count.

    Returns
    -------
    EdgeBlur
        For a step blurred by s pixels the radius is the root of s² + 0.5; sampling adds the 0.5. Sharp photographs have
        0.1 to 0.9, because lines appear sharper than steps. Blur in one direction only is underestimated: the edges
        along it stay sharp.

    References
    ----------
    S. Zhuo, T. Sim, "Defocus map estimation from a single image", Pattern Recognition 44(9), 2011,
    https://doi.org/10.1016/j.patcog.2011.03.009

    Examples
    --------
    >>> import cv2, numpy as np
    >>> step = np.zeros((64, 64), np.float32)
    >>> step[:, 32:] = 1.0
    >>> bool(1.8 < edge_blur([cv2.GaussianBlur(step, (0, 0), 2.0)]).radius < 2.2)
    True
    """
    for fine in (FINE, 2.0 * FINE):
        crests = [_crests(plane, fine, noise_sigma) for plane in planes if plane.size]
        steepness = np.concatenate([each[0] for each in crests]) if crests else np.empty(0, np.float32)
        if len(steepness) >= MIN_EDGE_PIXELS:
            ratios = np.concatenate([each[1] for each in crests])
            steep = steepness >= STEEP_SHARE * np.quantile(steepness, 0.98)
            share = float(np.count_nonzero(steep)) / sum(plane.size for plane in planes)
            return EdgeBlur(radius=_radius(float(np.quantile(ratios[steep], 1.0 - QUANTILE)), fine), share=share)
    return EdgeBlur(radius=_without_edges(planes, noise_sigma), share=0.0)


def _without_edges(planes: Sequence[Plane], noise_sigma: float) -> float:
    """MAX_RADIUS for a picture with a range of tones but without edges; 0 for a uniform one."""
    if not planes:
        return 0.0
    low, high = np.quantile(np.concatenate([plane.ravel()[::7] for plane in planes]), [0.02, 0.98])
    shows = high - low - 4.0 * noise_sigma / 255.0 > LEAST_RANGE
    return MAX_RADIUS if shows and min(planes[0].shape) >= MIN_SIDE else 0.0


def _radius(ratio: float, fine: float) -> float:
    """Solve ratio² = (s² + (2·fine)²) / (s² + fine²) for s, kept within [0.1, MAX_RADIUS]."""
    squared = ratio * ratio
    if squared <= 1.0:
        return MAX_RADIUS
    variance = fine * fine * (4.0 - squared) / (squared - 1.0)
    return float(min(sqrt(max(variance, 0.01)), MAX_RADIUS))


def _crests(plane: Plane, fine: float, noise_sigma: float) -> tuple[Plane, Plane]:
    """At the pixels on the crest of an edge: the gradient at scale `fine`, and its ratio to that at twice the scale."""
    # Deviation of the derivative of white noise after Gaussian smoothing, per direction.
    noise_gradient = noise_sigma / 255.0 / (sqrt(8.0 * np.pi) * fine**2)
    across_rows, across_columns = gradient(gaussian(plane, fine))
    slope = _magnitude(across_rows, across_columns)
    steep = slope >= max(LEAST_GRADIENT, NOISE_MARGIN * noise_gradient)
    crest = steep & _is_crest(slope, np.abs(across_rows) > np.abs(across_columns))
    coarse = _magnitude(*gradient(gaussian(plane, 2.0 * fine)))
    chosen: Plane = slope[crest]
    return chosen, (chosen / np.maximum(coarse[crest], 1e-6)).astype(np.float32)


def _magnitude(across_rows: Plane, across_columns: Plane) -> Plane:
    magnitude: Plane = cv2.magnitude(across_rows, across_columns)  # type: ignore[assignment]
    return magnitude


def _is_crest(magnitude: Plane, vertical: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a pixel's gradient is the largest along the (nearer axis of the) gradient's direction."""
    column = np.ones((3, 1), np.uint8)
    return np.where(vertical, magnitude >= cv2.dilate(magnitude, column), magnitude >= cv2.dilate(magnitude, column.T))
