"""Simulates blur: defocus, motion and softness.

A `kernel` is what a point of light becomes: (K, K) float32, K odd, sum 1, its centre of mass in the middle, so that a
blurred picture stays where it was. Sizes are in pixels.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import linear_from_srgb, srgb_from_linear
from darkroom.imaging.picture import Image

Kernel = NDArray[np.float32]

#: Points along a path, and across a disk, for each pixel: so that the edges of a kernel are smooth.
_FINENESS = 8


def straight_motion(length: float, angle: float) -> Kernel:
    """A camera or a subject that moves evenly: a line of `length` pixels at `angle` radians from the rows' direction.

    A longer one blurs more.
    """
    steps = np.linspace(-0.5, 0.5, 2 + round(_FINENESS * length)) * length
    return _drawn(np.stack([np.sin(angle) * steps, np.cos(angle) * steps], axis=1))


def shaken(extent: float, rng: np.random.Generator) -> Kernel:
    """Motion of a hand-held camera: a random path whose larger side is `extent` pixels.

    The path is that of a point with inertia, pushed at random and pulled back to where it started, with now and then a
    sudden jerk; the more time it spends at a place, the more light falls there.

    References
    ----------
    Boracchi, Foi: Modeling the performance of image restoration from motion blur, 2012, DOI 10.1109/TIP.2012.2192126
    (Gaussian pushes, pull and impulsive shakes along a trajectory of unit speed at the start).
    """
    nervousness, jerkiness = rng.uniform(0.02, 0.25), rng.uniform(0, 0.02)
    position, velocity = np.zeros(2), _direction(rng)
    path = []
    for pushes in rng.standard_normal((20 * _FINENESS, 2)):
        velocity = velocity + nervousness * pushes - 0.002 * position
        if rng.random() < jerkiness:
            velocity = 1.5 * _direction(rng)
        velocity = velocity / max(1.0, float(np.hypot(*velocity)))
        position = position + velocity
        path.append(position)
    points = np.array(path)
    return _drawn(_finely(points * (extent / np.ptp(points, axis=0).max())))


def defocus(radius: float) -> Kernel:
    """A lens focused elsewhere: an evenly lit disk of `radius` pixels, the image of the aperture.

    A larger one blurs more; below half a pixel it does nothing.
    """
    reach = int(np.ceil(radius))
    fine = (np.arange(-reach * _FINENESS - _FINENESS // 2, (reach + 1) * _FINENESS - _FINENESS // 2) + 0.5) / _FINENESS
    inside = (fine[:, np.newaxis] ** 2 + fine**2 <= radius**2).astype(np.float32)
    side = 2 * reach + 1
    counted = inside.reshape(side, _FINENESS, side, _FINENESS).sum(axis=(1, 3))
    return _normalised(counted)


def softness(sigma: float) -> Kernel:
    """Lens errors, antialiasing filter and interpolation together: a Gaussian of standard deviation `sigma` pixels."""
    side = 2 * int(np.ceil(3.5 * sigma)) + 1
    line = cv2.getGaussianKernel(side, sigma)
    return _normalised(line @ line.T)


def blurred(image: Image, kernel: Kernel, *, in_light: bool = False) -> Image:
    """The image (H, W, 3), float32, [0, 1] as `kernel` blurs it; borders are mirrored.

    `in_light` blurs what a sensor counts instead of the stored values: bright spots become broad strokes, as in
    photographs; without it, it is what published comparisons mostly do.
    """
    if not in_light:
        return cv2.filter2D(image, -1, kernel[::-1, ::-1]).astype(np.float32, copy=False)
    return srgb_from_linear(blurred(linear_from_srgb(image), kernel).clip(0, 1))


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.sin(angle), np.cos(angle)])


def _finely(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The path (N, 2) with points between those given, so that no gap is wider than a pixel's fraction."""
    at, fine = np.arange(len(points)), np.linspace(0, len(points) - 1, 3 * len(points))
    return np.stack([np.interp(fine, at, axis) for axis in points.T], axis=1)


def _drawn(points: NDArray[np.float64]) -> Kernel:
    """The points (N, 2), rows and columns, each shared among the four pixels around it."""
    points = points - points.mean(axis=0)
    reach = int(np.ceil(np.abs(points).max())) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    corner = np.floor(points).astype(int)
    part = points - corner
    for down in (0, 1):
        for right in (0, 1):
            share = np.abs(1 - down - part[:, 0]) * np.abs(1 - right - part[:, 1])
            np.add.at(kernel, (corner[:, 0] + down + reach, corner[:, 1] + right + reach), share)
    return _normalised(kernel)


def _normalised(kernel: NDArray[np.floating]) -> Kernel:
    return (kernel / kernel.sum()).astype(np.float32)
