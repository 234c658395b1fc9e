"""Removes noise, grain and JPEG blocks and keeps the texture."""

from collections.abc import Sequence

import cv2
import numpy as np

from darkroom.domain.parameters import DenoiseParameters
from darkroom.imaging.color import luma
from darkroom.imaging.filters import reach
from darkroom.imaging.measurement.blockiness import blockiness
from darkroom.imaging.measurement.measure import is_grey
from darkroom.imaging.measurement.noise import Noise, estimate_noise, estimate_sigma_from_luma
from darkroom.imaging.picture import Image, Picture, Pixels
from darkroom.imaging.sampling import native_tiles
from darkroom.stages import StageModel, StageOutput, run_model
from darkroom.stages.windows import apply_to_windows

#: Estimated sigma (0-255 scale) below which a picture is not denoised: it is texture or rounding.
LEAST_SIGMA = 1.0
#: Sigma of texture that may be part of the estimate; its variance is subtracted. Source: of 65 clean photographs half
#: measured less than 0.7, one in ten 3.1 and more.
TEXTURE_SIGMA = 3.0
#: Sigma up to which the estimate from luma is not used: faint noise may be texture, which is mostly in luma. Source:
#: none of those 65 photographs measures 6.
FAINT = 6.0
#: Sigma from which only the estimate from luma is used, if the file has lost the noise of chroma.
STRONG = 12.0
#: Blockiness, 0-1, up to which no blocks are visible.
LEAST_BLOCKINESS = 0.2
#: Sigma equivalent to blockiness 0 and 1 for the classical methods. Source: five photographs compressed at quality 5 to
#: 70 gain 0.05 to 0.7 dB; a larger one gains more on most of them and removes the finest texture of the others, such as
#: a cat's fur.
CLASSICAL_BLOCKS = (0.0, 9.0)
#: The same for the network. Source: ten photographs at quality 10 to 85 gain 0.4 to 1.7 dB, none loses, and nothing
#: between 3 and 20 gains 0.05 dB more.
MODEL_BLOCKS = (3.0, 10.0)
#: Strength of non-local means in units of sigma for 8 bits, which compares squared differences. Source: maximum of the
#: mean PSNR over photographs with noise of 5 to 40.
NLM_STRENGTH = 1.1
#: The same for 16 bits, which compares absolute differences.
NLM_STRENGTH_DEEP = 1.6
#: Side in pixels of the compared patches.
NLM_PATCH = 3
#: Side in pixels of the window that is searched for similar patches.
NLM_SEARCH = 11
#: Sigma from which larger patches are compared, because small ones resemble each other by chance.
COARSE_SIGMA = 30.0
#: Side in pixels of these larger patches.
COARSE_PATCH = 5
#: Range of the bilateral filter in units of sigma.
BILATERAL_RANGE = 3.0
#: Spatial standard deviation of the bilateral filter in pixels.
BILATERAL_SIGMA = 2.5


def classical(picture: Picture, parameters: DenoiseParameters, method: str) -> StageOutput:
    """Denoise by averaging similar pixels.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is.
    parameters : DenoiseParameters
        A larger `sigma` removes more noise and more texture. If it is absent, the noise is estimated, and visible JPEG
        blocks count as noise. A picture without noise and blocks is returned unchanged.
    method : {"nlm", "bilateral"}
        Non-local means averages pixels with similar surroundings within a search window; 0.5 s a megapixel on two
        cores. The bilateral filter compares single pixels: it is ten times faster, and weaker from a sigma of 15
        upwards.

    References
    ----------
    A. Buades, B. Coll, J.-M. Morel, "Non-Local Means Denoising", Image Processing On Line 1, 2011,
    https://doi.org/10.5201/ipol.2011.bcm_nlm
    C. Tomasi, R. Manduchi, "Bilateral filtering for gray and color images", ICCV 1998,
    https://doi.org/10.1109/ICCV.1998.710815

    Examples
    --------
    >>> import numpy as np
    >>> noisy = np.random.default_rng(0).normal(128, 10, (64, 64, 3)).clip(0, 255).astype(np.uint8)
    >>> calm = classical(Picture(pixels=noisy), DenoiseParameters(), "nlm").picture
    >>> bool(calm.pixels.std() < noisy.std() / 2)
    True
    """
    sigma = found_sigma(picture, parameters, CLASSICAL_BLOCKS)
    if sigma <= 0.0:
        return _nothing_to_do(picture)
    pixels = non_local_means(picture.pixels, sigma) if method == "nlm" else _bilateral(picture.pixels, sigma)
    return StageOutput(picture=picture.with_pixels(pixels), values={"sigma": round(sigma, 2)})


def with_model(picture: Picture, parameters: DenoiseParameters, model: StageModel) -> StageOutput:
    """Denoise by a network. It receives the noise's `sigma` (0-255 scale) if that is one of its inputs."""
    sigma = found_sigma(picture, parameters, MODEL_BLOCKS)
    if sigma <= 0.0:
        return _nothing_to_do(picture)
    pixels = run_model(model, picture.pixels, {"sigma": sigma})
    return StageOutput(picture=picture.with_pixels(pixels), values={"sigma": round(sigma, 2)})


def found_sigma(picture: Picture, parameters: DenoiseParameters, blocks: tuple[float, float]) -> float:
    """The given sigma, or the estimated one; 0 if there is nothing to remove.

    `blocks` are the values of sigma that are equivalent to blockiness 0 and 1.
    """
    if parameters.sigma is not None:
        return parameters.sigma
    tiles = native_tiles(picture.pixels)
    estimated = estimate_noise(tiles)
    noise = max(_as_taken(picture.pixels, tiles, estimated), estimated.grain)
    found = blockiness([luma(tile) for tile in tiles])
    faint, full = blocks
    sigma = max(noise, faint + (full - faint) * found if found > LEAST_BLOCKINESS else 0.0)
    return sigma if sigma >= LEAST_SIGMA else 0.0


def _as_taken(pixels: Pixels, tiles: Sequence[Pixels], found: Noise) -> float:
    """Sigma before JPEG compression halved the resolution of chroma, without the possible share of texture."""
    doubt = 1.0 - found.independent
    share = min((found.sigma - FAINT) / (STRONG - FAINT), 1.0) * doubt
    if share <= 0.0 or is_grey(pixels, found.sigma):
        return _without(found.sigma, doubt * TEXTURE_SIGMA)
    taken = found.sigma + share * max(estimate_sigma_from_luma(tiles) - found.sigma, 0.0)
    return _without(taken, doubt * TEXTURE_SIGMA)


def _without(sigma: float, part: float) -> float:
    """The standard deviation that remains after an independent part is removed."""
    return float(np.sqrt(max(sigma**2 - part**2, 0.0)))


def _nothing_to_do(picture: Picture) -> StageOutput:
    return StageOutput(picture=picture, notes=("no noise and no JPEG blocks found",), values={"sigma": 0.0})


def non_local_means(pixels: Pixels, sigma: float) -> Pixels:
    """Average similar pixels of (H, W, 3); similarity is measured over all channels together."""
    patch = NLM_PATCH if sigma < COARSE_SIGMA else COARSE_PATCH
    if pixels.dtype == np.uint8:
        return cv2.fastNlMeansDenoising(pixels, None, NLM_STRENGTH * sigma, patch, NLM_SEARCH)  # type: ignore[return-value]
    strength = [NLM_STRENGTH_DEEP * sigma * 257.0]
    return cv2.fastNlMeansDenoising(pixels, strength, None, patch, NLM_SEARCH, cv2.NORM_L1)  # type: ignore[return-value]


def _bilateral(pixels: Pixels, sigma: float) -> Pixels:
    halo = reach(BILATERAL_SIGMA)

    def on_image(image: Image) -> Image:
        deviation = BILATERAL_RANGE * sigma / 255.0
        smooth: Image = cv2.bilateralFilter(image, 2 * halo + 1, deviation, BILATERAL_SIGMA)  # type: ignore[assignment]
        return smooth

    return apply_to_windows(pixels, on_image, halo=halo)
