"""Simulates noise, grain, overexposure, JPEG compression and reduction of photographs.

Every function takes and returns an `image` (H, W, 3), float32, RGB, [0, 1], and does not change its argument. `sigma`
is a noise standard deviation on the 0-255 scale.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.picture import Image, Pixels, to_float, to_pixels


def gaussian_noise(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Independent noise of one strength everywhere: read noise, and the usual benchmark.

    Not clipped; pass the result through `quantise` to get the values of a file.
    """
    return image + _white(image.shape, rng) * np.float32(sigma / 255)


def sensor_noise(image: Image, sigma: float, rng: np.random.Generator, *, shot_share: float) -> Image:
    """Poisson-Gaussian noise: the variance grows linearly with the light, as photons are counted.

    `shot_share` in [0, 1] is the part of the mean variance that comes from photon counting; the root mean square over
    the image is `sigma` for every share.

    References
    ----------
    Foi, Trimeche, Katkovnik, Egiazarian: Practical Poissonian-Gaussian noise modeling and fitting for single-image
    raw-data, 2008, DOI 10.1109/TIP.2008.2001399 (here with the large-count approximation of the Poisson part).
    """
    light = image / max(float(image.mean()), 1e-3)
    deviation = np.sqrt(1 - shot_share + shot_share * light) * np.float32(sigma / 255)
    return image + _white(image.shape, rng) * deviation.astype(np.float32)


def film_grain(image: Image, sigma: float, rng: np.random.Generator, *, radius: float, coloured: bool) -> Image:
    """Spatially correlated noise: clumps of silver or dye, about `radius` pixels (standard deviation) in size.

    The same grain in all three channels unless `coloured`. Also what is left of sensor noise after demosaicking.

    References
    ----------
    Newson, Delon, Galerne: A stochastic film grain model for resolution-independent rendering, 2017,
    DOI 10.1111/cgf.13159 (whose Boolean model is replaced here by filtered Gaussian noise of equal correlation length).
    """
    grain = _white((*image.shape[:2], 3 if coloured else 1), rng)
    grain = cv2.GaussianBlur(grain, (0, 0), radius).reshape(*image.shape[:2], -1)
    return image + grain * np.float32(sigma / 255 / max(float(grain.std()), 1e-6))


def overexposed(image: Image, gain: float) -> Image:
    """Brightened and clipped, so that parts are pure white, as behind most products."""
    return np.clip(image * np.float32(gain), 0, 1)


def half_plane(shape: tuple[int, ...], rng: np.random.Generator) -> Image:
    """1 on one side of a random line through the (H, W) of `shape`, 0 on the other: (H, W, 1)."""
    rows, columns = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.8, 0.8)
    return (rows * np.sin(angle) + columns * np.cos(angle) > offset)[..., np.newaxis].astype(np.float32)


def jpeg(image: Image, quality: int) -> Image:
    """What a JPEG file of `quality` 1-100 (OpenCV's scale, 4:2:0) gives back: blocks, ringing, lost chroma detail."""
    _, encoded = cv2.imencode(".jpg", to_u8(image)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return to_float(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB))


def quantise(image: Image) -> Image:
    """Clipped to [0, 1] and rounded to the 256 levels of an 8-bit file."""
    return to_float(to_u8(image))


def reduced(image: Image, factor: int) -> Image:
    """Height and width divided by `factor`, by antialiased bicubic interpolation (Keys' kernel, a = -0.5, stretched).

    The downscaling that published results of upscaling assume. Sides must be multiples of `factor`.

    References
    ----------
    Keys: Cubic convolution interpolation for digital image processing, 1981, DOI 10.1109/TASSP.1981.1163711.
    """
    rows = _reduced_rows(image, factor)
    return np.ascontiguousarray(_reduced_rows(rows.transpose(1, 0, 2), factor).transpose(1, 0, 2))


def keys(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' bicubic weight of samples at `distances`, in sample widths."""
    x = np.abs(distances)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _reduced_rows(image: Image, factor: int) -> Image:
    height = image.shape[0]
    if height % factor:
        raise ValueError(f"a side of {height} pixels cannot be divided by {factor}")
    # The source samples within the stretched kernel's support, around the middle of `factor` pixels.
    weights = keys((np.arange(4 * factor) - 2 * factor + 0.5) / factor)
    beyond = 2 * factor - factor // 2
    padded = np.pad(image, ((beyond, beyond), (0, 0), (0, 0)), mode="symmetric")
    smaller = np.zeros((height // factor, *image.shape[1:]), np.float32)
    for offset, weight in enumerate((weights / weights.sum()).astype(np.float32)):
        smaller += weight * padded[offset : offset + height : factor]
    return smaller


def _white(shape: tuple[int, ...], rng: np.random.Generator) -> Image:
    return rng.standard_normal(shape, dtype=np.float32)


def to_u8(image: Image) -> Pixels:
    """Clipped and rounded to full-range uint8."""
    return to_pixels(image, np.dtype(np.uint8))
