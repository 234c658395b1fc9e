"""The denoiser against its input and two classical methods."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec

import cv2
import numpy as np

from darkroom.domain.parameters import DenoiseParameters
from darkroom.imaging.picture import Image, Picture, Pixels, to_float
from darkroom.inference.session import Model
from darkroom.stages import denoise
from models.evaluation.benchmark import Condition, Method, benchmark, rgb_score
from models.training.degradations import film_grain, gaussian_noise, jpeg, sensor_noise, to_u8
from models.training.photographs import centre_patch

Noise = Callable[[Image, float, np.random.Generator], Image]

#: CBM3D takes seconds for so small a square, and minutes for a photograph.
BM3D_SIDE, BM3D_SIGMAS = 192, (15, 25, 50)


def table(photographs: Sequence[Pixels], model: Model) -> str:
    """PSNR and SSIM over RGB; every method gets the true strength, except the last one, which is the stage itself."""
    methods: Mapping[str, Method] = {
        "input": lambda given, _: given,
        "bilateral": bilateral,
        "non-local means": non_local_means,
        **_of(model),
    }
    return "\n\n".join([benchmark(photographs, CONDITIONS, methods, rgb_score), against_bm3d(photographs, model)])


def against_bm3d(photographs: Sequence[Pixels], model: Model) -> str:
    """The middles of the photographs under white noise, denoised by the strongest method that is not learned.

    Dabov, Foi, Katkovnik, Egiazarian: Color image denoising via sparse 3D collaborative filtering with grouping
    constraint in luminance-chrominance space, 2007, DOI 10.1109/ICIP.2007.4378954. By its authors' package `bm3d`,
    which is not free for all uses and is measured only if it is installed.
    """
    if find_spec("bm3d") is None:
        return "CBM3D was skipped: `pip install bm3d==4.0.3` puts it into the table."
    methods: Mapping[str, Method] = {
        "CBM3D": bm3d,
        **_of(model),
    }
    middles = [to_u8(centre_patch(each, BM3D_SIDE)) for each in photographs]
    conditions = [_condition(f"middle {BM3D_SIDE}x{BM3D_SIDE}", gaussian_noise, sigma) for sigma in BM3D_SIGMAS]
    return benchmark(middles, conditions, methods, rgb_score)


def _of(model: Model) -> Mapping[str, Method]:
    """The model with the true strength, and the stage with its own estimate."""
    return {
        "model": lambda given, sigma: model.apply(given, {"sigma": sigma}),
        "model, left to itself": lambda given, _: _by_default(given, model),
    }


def bm3d(given: Pixels, sigma: float) -> Pixels:
    """CBM3D with its authors' settings."""
    from bm3d import bm3d_rgb

    return to_u8(bm3d_rgb(given / 255.0, sigma / 255.0).astype(np.float32))


def _by_default(given: Pixels, model: Model) -> Pixels:
    return denoise.with_model(Picture(pixels=given), DenoiseParameters(), model).picture.pixels


def non_local_means(given: Pixels, sigma: float) -> Pixels:
    """OpenCV's, at 0.7 times the noise: on photographs the best of 0.5 to 1.1 or within 0.6 dB of it."""
    strength = 0.7 * sigma
    return cv2.fastNlMeansDenoisingColored(given, None, strength, strength, 7, 21) if sigma else given


def bilateral(given: Pixels, sigma: float) -> Pixels:
    """OpenCV's, five pixels wide, with a range of two standard deviations of the noise."""
    return cv2.bilateralFilter(given, 5, 2 * sigma, 2) if sigma else given


def grain(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Grain of black and white film, 0.6 pixels in size."""
    return film_grain(image, sigma, rng, radius=0.6, coloured=False)


def sensor(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Mostly photon noise."""
    return sensor_noise(image, sigma, rng, shot_share=0.8)


def compressed(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """White noise that went through a JPEG of quality 90."""
    return jpeg(gaussian_noise(image, sigma, rng), 90)


def _condition(name: str, noise: Noise, sigma: float) -> Condition:
    def degrade(clean: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
        return to_u8(noise(to_float(clean), sigma, rng)), clean

    return Condition(name=f"{name}, sigma {sigma:g}", degrade=degrade, sigma=sigma)


def _blocks(quality: int, sigma: float) -> Condition:
    """A JPEG; `sigma` is close to the best value for every method."""

    def degrade(clean: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:  # noqa: ARG001
        return to_u8(jpeg(to_float(clean), quality)), clean

    return Condition(name=f"JPEG {quality}", degrade=degrade, sigma=sigma)


CONDITIONS = (
    *(_condition("white noise", gaussian_noise, sigma) for sigma in (0, 5, 15, 25, 50, 75)),
    _condition("sensor noise", sensor, 25),
    _condition("film grain", grain, 25),
    _condition("white noise, JPEG 90", compressed, 25),
    *(_blocks(quality, sigma) for quality, sigma in ((10, 12), (30, 8), (50, 6), (80, 4))),
)
