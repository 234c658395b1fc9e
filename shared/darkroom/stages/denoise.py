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

#: An estimated noise below this is texture or rounding.
LEAST_SIGMA = 1.0
#: Where texture cannot be told from noise, what it is taken for adds this much to a true one, as variances do: of 65
#: clean photographs half measured less than 0.7, one in ten 3.1 and more.
TEXTURE_SIGMA = 3.0
#: Up to the first noise nothing says that a file has lost the colour of more, from the second on luma alone counts:
#: faint noise may be texture, of which luma has the most. None of those photographs measures 6.
FAINT, STRONG = 6.0, 12.0
#: Below this blockiness no blocks show.
LEAST_BLOCKINESS = 0.2
#: Noise that does as much harm as no and as full blockiness do, for averaging: five photographs compressed at quality 5
#: to 70 gain 0.05 to 0.7 dB; a larger one gains more on most of them and takes the finest texture, as a cat's fur, of
#: the others. For the network: ten photographs at quality 10 to 85 gain 0.4 to 1.7 dB, none loses, and nothing between
#: 3 and 20 gains 0.05 dB more.
CLASSICAL_BLOCKS, MODEL_BLOCKS = (0.0, 9.0), (3.0, 10.0)
#: Filter strength in units of sigma: for squared differences (8 bits) and for absolute ones (16 bits). Both maximise
#: the mean PSNR over photographs with noise of 5 to 40.
NLM_STRENGTH, NLM_STRENGTH_DEEP = 1.1, 1.6
#: Sides in pixels of the compared patches and of the window searched for similar ones.
NLM_PATCH, NLM_SEARCH = 3, 11
#: From this sigma on single pixels resemble each other by chance, and larger patches are compared.
COARSE_SIGMA, COARSE_PATCH = 30.0, 5
#: Range of the bilateral filter in units of sigma, and its reach (standard deviation) in pixels.
BILATERAL_RANGE, BILATERAL_SIGMA = 3.0, 2.5


def classical(picture: Picture, parameters: DenoiseParameters, method: str) -> StageOutput:
    """Denoise by averaging similar pixels.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is.
    parameters : DenoiseParameters
        A larger `sigma` removes more, noise and texture alike. If it is absent the noise is estimated, visible JPEG
        blocks counting as noise; a picture with neither comes back as it is.
    method : {"nlm", "bilateral"}
        Non-local means averages pixels whose surroundings are alike wherever they lie within reach; 0.5 s a
        megapixel on two cores. The bilateral filter looks at the pixels alone: ten times faster, weaker from a sigma
        of 15 upwards.

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
    """Denoise by a network, which is told the noise's `sigma` on the 0-255 scale if it asks for it."""
    sigma = found_sigma(picture, parameters, MODEL_BLOCKS)
    if sigma <= 0.0:
        return _nothing_to_do(picture)
    pixels = run_model(model, picture.pixels, {"sigma": sigma})
    return StageOutput(picture=picture.with_pixels(pixels), values={"sigma": round(sigma, 2)})


def found_sigma(picture: Picture, parameters: DenoiseParameters, blocks: tuple[float, float]) -> float:
    """The sigma given, or the one estimated; 0 if there is nothing to remove.

    `blocks` are the noises that count as much as blockiness 0 and 1 do.
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
    """The noise before a JPEG halved the resolution of its colour, less what texture adds where it cannot be told."""
    doubt = 1.0 - found.independent
    share = min((found.sigma - FAINT) / (STRONG - FAINT), 1.0) * doubt
    if share <= 0.0 or is_grey(pixels, found.sigma):
        return _without(found.sigma, doubt * TEXTURE_SIGMA)
    taken = found.sigma + share * max(estimate_sigma_from_luma(tiles) - found.sigma, 0.0)
    return _without(taken, doubt * TEXTURE_SIGMA)


def _without(sigma: float, part: float) -> float:
    """What is left of a standard deviation without an independent part of it."""
    return float(np.sqrt(max(sigma**2 - part**2, 0.0)))


def _nothing_to_do(picture: Picture) -> StageOutput:
    return StageOutput(picture=picture, notes=("no noise and no JPEG blocks found",), values={"sigma": 0.0})


def non_local_means(pixels: Pixels, sigma: float) -> Pixels:
    """Average alike pixels of (H, W, 3), all channels together: a pixel is like another one if it has its colour."""
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
