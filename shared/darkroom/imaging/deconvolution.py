"""Removes a known blur: Wiener filter, Richardson-Lucy, and inverse of a measured psf."""

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.filters import gaussian
from darkroom.imaging.picture import Image, Plane

#: Spatial frequency in cycles per pixel to which the noise ratio refers.
REFERENCE_FREQUENCY = 1.0 / 4.0
#: Regularisation for a picture with rounding noise only. Source: near the best mean PSNR over photographs blurred by 1
#: to 2 px with noise of 0 to 20, stored as JPEG and denoised first.
LEAST_NOISE_RATIO = 0.015
#: Increase of the regularisation per variance of the noise (0-255 scale). Source: as for `LEAST_NOISE_RATIO`.
NOISE_RATIO_PER_VARIANCE = 0.002
#: Radius in pixels of the inverse filter of `undo_blur`. Beyond it the inverse of a psf of side 25 is negligible.
UNDO_REACH = 64


def noise_ratio(sigma: float) -> float:
    """Regularisation of `wiener_kernel` for noise of deviation `sigma` on the 0-255 scale."""
    return LEAST_NOISE_RATIO + NOISE_RATIO_PER_VARIANCE * sigma * sigma


def wiener_kernel(radius: float, ratio: float) -> NDArray[np.float32]:
    """The Wiener filter for a Gaussian psf as a small convolution kernel.

    As a kernel it needs no Fourier transform of the picture and no tapering of its edges, and works window by window.

    Parameters
    ----------
    radius : float
        Standard deviation of the psf in pixels.
    ratio : float
        Power of the noise relative to that of the picture at `REFERENCE_FREQUENCY`. The picture's power is assumed to
        fall with the square of the frequency, as in photographs. A larger ratio restores less and amplifies less noise.

    Returns
    -------
    (n, n) float32, n odd, sum 1
        n about 12 times the radius.

    References
    ----------
    N. Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time Series", MIT Press, 1949.
    D. J. Field, "Relations between the statistics of natural images and the response properties of cortical cells",
    JOSA A 4(12), 1987, https://doi.org/10.1364/JOSAA.4.002379 (the spectrum of photographs).

    Examples
    --------
    >>> kernel = wiener_kernel(1.0, 0.01)
    >>> kernel.shape, round(float(kernel.sum()), 3)
    ((19, 19), 1.0)
    """
    half = int(np.ceil(6.0 * radius)) + 3
    frequency = np.fft.fftfreq(4 * half + 1)
    squared = frequency[:, None] ** 2 + frequency[None, :] ** 2
    transfer = np.exp(-2.0 * np.pi**2 * radius**2 * squared)
    spectrum = transfer / (transfer**2 + ratio * squared / REFERENCE_FREQUENCY**2)
    full = np.fft.fftshift(np.fft.ifft2(spectrum).real)
    # The outer half is faded out, because a truncated kernel causes ringing.
    fade = np.minimum(1.0, 2.0 * np.hanning(2 * half + 3)[1:-1])
    kernel = full[half : 3 * half + 1, half : 3 * half + 1] * fade[:, None] * fade[None, :]
    normalised: NDArray[np.float32] = (kernel / kernel.sum()).astype(np.float32)
    return normalised


def undo_blur(image: Image, psf: NDArray[np.float32], ratios: tuple[float, float]) -> Image:
    """The Wiener filter for any psf, by Fourier transform; borders are mirrored.

    Parameters
    ----------
    image : (H, W, 3) float32 in [0, 1]
    psf : (n, n) float32, n odd and at most twice `UNDO_REACH`, sum 1
        The image of a point whose place is (n // 2, n // 2).
    ratios : (float, float)
        Power of the noise relative to that of the picture: the first ratio times the squared frequency (1 at half a
        cycle per pixel), plus the second ratio. Larger ratios restore less and amplify less noise.

    Returns
    -------
    (H, W, 3) float32; may exceed [0, 1]. The mean is kept.

    References
    ----------
    As for `wiener_kernel`.

    Examples
    --------
    >>> spot = np.zeros((31, 31, 3), np.float32)
    >>> spot[15, 15] = 1.0
    >>> psf = np.array([[0, 1, 0], [1, 6, 1], [0, 1, 0]], np.float32) / 10
    >>> soft = cv2.filter2D(spot, -1, psf)
    >>> round(float(undo_blur(soft, psf, (1e-4, 1e-4))[15, 15, 0]), 1)
    1.0
    """
    margin = UNDO_REACH
    sides = [cv2.getOptimalDFTSize(side + 2 * margin) for side in image.shape[:2]]
    spread = np.zeros(sides, np.float32)
    spread[: psf.shape[0], : psf.shape[1]] = psf
    half = len(psf) // 2
    transfer = np.fft.rfft2(np.roll(spread, (-half, -half), (0, 1)))
    rows, columns = np.fft.fftfreq(sides[0]), np.fft.rfftfreq(sides[1])
    ratio = ratios[0] * 4.0 * (rows[:, np.newaxis] ** 2 + columns**2) + ratios[1]
    inverse = (transfer.conj() * (1.0 + ratios[1]) / (np.abs(transfer) ** 2 + ratio)).astype(np.complex64)
    beyond = [side - extent - margin for side, extent in zip(sides, image.shape[:2], strict=True)]
    padded = np.pad(image, ((margin, beyond[0]), (margin, beyond[1]), (0, 0)), mode="symmetric")
    answer = np.empty_like(image)
    for channel in range(3):
        filtered = np.fft.irfft2(np.fft.rfft2(padded[..., channel]) * inverse, s=sides)
        answer[..., channel] = filtered[margin:, margin:][: image.shape[0], : image.shape[1]]
    return answer


def convolve(plane: Plane, kernel: NDArray[np.float32]) -> Plane:
    """Convolution with a symmetric kernel, mirrored at the borders."""
    answer: Plane = cv2.filter2D(plane, -1, kernel, borderType=cv2.BORDER_REFLECT_101)  # type: ignore[assignment]
    return answer


def richardson_lucy(plane: Plane, radius: float, iterations: int) -> Plane:
    """Iterative deconvolution with a Gaussian psf; the result stays positive.

    Parameters
    ----------
    plane : (H, W) float32 in [0, 1]
    radius : float
        Standard deviation of the psf in pixels.
    iterations : int
        More restore more, and amplify noise and ringing. Each costs two Gaussian filters.

    References
    ----------
    W. H. Richardson, "Bayesian-Based Iterative Method of Image Restoration", JOSA 62(1), 1972,
    https://doi.org/10.1364/JOSA.62.000055
    L. B. Lucy, "An iterative technique for the rectification of observed distributions", The Astronomical Journal 79,
    1974, https://doi.org/10.1086/111605
    """
    # The iteration is multiplicative: a value of 0 would never change.
    observed = np.maximum(plane, np.float32(1e-3))
    estimate = observed.copy()
    for _ in range(iterations):
        misfit = np.divide(observed, np.maximum(gaussian(estimate, radius), 1e-4), dtype=np.float32)
        estimate *= gaussian(misfit, radius)
    return estimate


def limit_overshoot(sharpened: Plane, plane: Plane, reach: int, allowed: float) -> Plane:
    """Limit a sharpened plane to the range of its surroundings before sharpening: no halos at strong edges.

    `allowed` is the overshoot as a share of the range within `reach` pixels; larger lets more through.
    """
    around = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    low, high = cv2.erode(plane, around), cv2.dilate(plane, around)
    slack = (high - low) * np.float32(allowed)
    limited: Plane = np.clip(sharpened, low - slack, high + slack)
    return limited
