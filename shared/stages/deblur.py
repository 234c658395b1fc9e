"""How does a slightly blurred picture become sharp, without halos and without more noise?"""

from collections.abc import Callable

import numpy as np

from shared.imaging.color import luma, luma_of_image
from shared.imaging.deconvolution import convolve, limit_overshoot, noise_ratio, richardson_lucy, wiener_kernel
from shared.imaging.filters import gaussian, reach
from shared.imaging.noise import estimate_sigma
from shared.imaging.picture import Image, Picture, Plane
from shared.imaging.sampling import native_tiles
from shared.imaging.sharpness import edge_blur
from shared.parameters import DeblurParameters
from shared.stages import StageModel, StageOutput, Value, run_model
from shared.stages.windows import apply_to_windows

#: Width that an ideal step is measured with, in pixels: what sampling makes, and nobody wants undone.
SHARP_RADIUS = 0.7
#: An estimated blur below this is none.
LEAST_RADIUS = 0.8
#: Blur above this has destroyed what could be restored: it is undone as far as this, and no farther.
LARGEST_RADIUS = 3.0
#: The unsharp mask that follows the Wiener filter: amount, and standard deviation in pixels.
FINAL_AMOUNT, FINAL_RADIUS = 0.2, 1.0
#: Amount of the method "unsharp".
UNSHARP_AMOUNT = 1.0
#: Overshoot beside an edge as a share of its height.
OVERSHOOT = 0.1
RICHARDSON_LUCY_ITERATIONS = 12

Sharpener = Callable[[Plane], Plane]


def classical(picture: Picture, parameters: DeblurParameters, method: str) -> StageOutput:
    """Sharpen the luma; the colours' differences stay, so that no coloured fringe appears.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is.
    parameters : DeblurParameters
        `radius` is the blur to undo, a Gaussian's standard deviation in pixels; a larger one sharpens more. If it is
        absent the blur is estimated from the edges and what a sharp photograph has is left; a sharp picture comes
        back as it is. Estimates above 3 px are undone as far as that. `sigma` is the noise before it was removed:
        what is left of it is smooth, so that no estimate finds it, and would be sharpened into worms.
    method : {"wiener", "richardson_lucy", "unsharp"}
        Wiener deconvolution, regularised by the estimated noise, followed by a light unsharp mask; 12 iterations of
        Richardson-Lucy; or an unsharp mask alone, which raises edges and restores nothing.

    References
    ----------
    See `wiener_kernel`, `richardson_lucy` and `edge_blur`.

    Examples
    --------
    >>> import cv2, numpy as np
    >>> step = np.zeros((64, 64, 3), np.uint8) + 60
    >>> step[:, 32:] = 200
    >>> soft = Picture(pixels=cv2.GaussianBlur(step, (0, 0), 1.5))
    >>> sharp = classical(soft, DeblurParameters(), "wiener").picture
    >>> int(np.diff(sharp.pixels[32, :, 0].astype(int)).max()) > int(np.diff(soft.pixels[32, :, 0].astype(int)).max())
    True
    """
    radius, left = found_blur(picture, parameters)
    sigma = max(left, parameters.sigma or 0.0)
    values: dict[str, Value] = {"radius": round(radius, 2), "sigma": round(sigma, 2)}
    if radius <= 0.0:
        return StageOutput(picture=picture, notes=("the picture is sharp already",), values=values)
    sharpener, halo = _sharpener(method, radius, sigma)
    pixels = apply_to_windows(picture.pixels, lambda image: _sharpened(image, sharpener, radius), halo=halo)
    return StageOutput(picture=picture.with_pixels(pixels), values=values)


def with_model(picture: Picture, parameters: DeblurParameters, model: StageModel) -> StageOutput:
    """Deblur by a network, which is told `radius` and the noise's `sigma` (0-255 scale) if it asks for them."""
    radius, sigma = found_blur(picture, parameters)
    pixels = run_model(model, picture.pixels, {"radius": radius, "sigma": sigma})
    values: dict[str, Value] = {"radius": round(radius, 2), "sigma": round(sigma, 2)}
    return StageOutput(picture=picture.with_pixels(pixels), values=values)


def found_blur(picture: Picture, parameters: DeblurParameters) -> tuple[float, float]:
    """The blur to undo, in pixels, and the noise's sigma on the 0-255 scale; blur 0 if the picture is sharp."""
    tiles = native_tiles(picture.pixels)
    sigma = estimate_sigma(tiles)
    if parameters.radius is not None:
        return parameters.radius, sigma
    found = edge_blur([luma(tile) for tile in tiles], sigma)
    if found.radius < LEAST_RADIUS or found.share == 0.0:
        return 0.0, sigma
    beyond_sharp = float(np.sqrt(found.radius**2 - SHARP_RADIUS**2))
    return min(beyond_sharp, LARGEST_RADIUS), sigma


def _sharpener(method: str, radius: float, sigma: float) -> tuple[Sharpener, int]:
    """The operation on luma, and the halo that it needs."""
    if method == "richardson_lucy":
        return lambda plane: richardson_lucy(plane, radius, RICHARDSON_LUCY_ITERATIONS), 4 * reach(radius)
    if method == "unsharp":
        return lambda plane: unsharp(plane, UNSHARP_AMOUNT, radius), reach(radius)
    kernel = wiener_kernel(radius, noise_ratio(sigma))
    # Noise is what an unsharp mask raises first.
    amount = FINAL_AMOUNT / (1.0 + sigma)
    halo = len(kernel) // 2 + reach(FINAL_RADIUS)
    return lambda plane: unsharp(convolve(plane, kernel), amount, FINAL_RADIUS), halo


def unsharp(plane: Plane, amount: float, radius: float) -> Plane:
    """Add `amount` times what a Gaussian of deviation `radius` (pixels) takes away."""
    sharpened: Plane = plane + np.float32(amount) * (plane - gaussian(plane, radius))
    return sharpened


def _sharpened(image: Image, sharpener: Sharpener, radius: float) -> Image:
    plane: Plane = luma_of_image(image)
    sharpened = limit_overshoot(sharpener(plane), plane, max(1, round(radius)), OVERSHOOT)
    answer: Image = image + (sharpened - plane)[..., np.newaxis]
    return answer
