"""The deblurrer against its input and the stage's classical methods."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from darkroom.domain.parameters import DeblurParameters
from darkroom.imaging.picture import Picture, Pixels, to_float
from darkroom.inference.session import Model
from darkroom.stages import deblur
from models.evaluation.benchmark import Condition, Method, benchmark, rgb_score
from models.training.blur import Kernel, blurred, defocus, shaken, softness, straight_motion
from models.training.degradations import gaussian_noise, to_u8

#: Standard deviation of the noise on the 0-255 scale that every blurred picture has.
SIGMA = 2.0


def table(photographs: Sequence[Pixels], model: Model) -> str:
    """PSNR and SSIM over RGB; every method has to find out by itself what the blur is."""
    methods: Mapping[str, Method] = {
        "input": lambda given, _: given,
        **{name: _classical(name) for name in ("unsharp", "wiener", "richardson_lucy")},
        "model": lambda given, _: _restored(given, model),
    }
    return benchmark(photographs, CONDITIONS, methods, rgb_score)


def _classical(name: str) -> Method:
    parameters = DeblurParameters(sigma=SIGMA)
    return lambda given, _: deblur.classical(Picture(pixels=given), parameters, name).picture.pixels


def _restored(given: Pixels, model: Model) -> Pixels:
    return deblur.with_model(Picture(pixels=given), DeblurParameters(), model).picture.pixels


def _condition(name: str, kernel: Callable[[np.random.Generator], Kernel]) -> Condition:
    def degrade(clean: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
        return to_u8(gaussian_noise(blurred(to_float(clean), kernel(rng)), SIGMA, rng)), clean

    return Condition(name=name, degrade=degrade)


def _motion(length: float) -> Condition:
    return _condition(
        f"straight motion, {length:g} px", lambda rng: straight_motion(length, float(rng.uniform(0, np.pi)))
    )


def _focus(radius: float) -> Condition:
    return _condition(f"defocus, radius {radius:g} px", lambda _: defocus(radius))


def _shake(extent: float) -> Condition:
    return _condition(f"shaken, {extent:g} px", lambda rng: shaken(extent, rng))


def _soft(sigma: float) -> Condition:
    return _condition(f"Gaussian, {sigma:g} px", lambda _: softness(sigma))


CONDITIONS = (
    *(_motion(length) for length in (5, 9, 15, 21)),
    *(_shake(extent) for extent in (9, 15, 21)),
    *(_focus(radius) for radius in (2, 4, 7, 10)),
    *(_soft(sigma) for sigma in (1, 2)),
    Condition(name="sharp", degrade=lambda clean, _: (clean, clean)),
)
