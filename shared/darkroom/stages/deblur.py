"""Sharpens a slightly blurred picture without halos and without raising its noise."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import DeblurParameters
from darkroom.imaging.color import luma, luma_of_image
from darkroom.imaging.deconvolution import (
    UNDO_REACH,
    convolve,
    limit_overshoot,
    noise_ratio,
    richardson_lucy,
    undo_blur,
    wiener_kernel,
)
from darkroom.imaging.filters import gaussian, reach
from darkroom.imaging.measurement.noise import estimate_noise
from darkroom.imaging.measurement.sharpness import edge_blur
from darkroom.imaging.picture import Image, Picture, Pixels, Plane
from darkroom.imaging.sampling import native_tiles
from darkroom.stages import StageModel, StageOutput, Value, read_model, run_model
from darkroom.stages.windows import apply_to_windows

#: Blur radius in pixels that is measured at an ideal step. Sampling causes it, and it is not removed.
SHARP_RADIUS = 0.7
#: Estimated blur radius in pixels below which a picture is sharp.
LEAST_RADIUS = 0.8
#: Largest blur radius in pixels that is removed. A larger blur has destroyed the finer detail.
LARGEST_RADIUS = 3.0
#: Amount of the unsharp mask after the Wiener filter.
FINAL_AMOUNT = 0.2
#: Standard deviation of this unsharp mask in pixels.
FINAL_RADIUS = 1.0
#: Amount of the method "unsharp".
UNSHARP_AMOUNT = 1.0
#: Largest overshoot beside an edge as a share of its height.
OVERSHOOT = 0.1
#: Iterations of the method "richardson_lucy".
RICHARDSON_LUCY_ITERATIONS = 12

#: Side in pixels of the central part from which a network estimates the blur.
READ_SIDE = 672
#: Least side of this part in pixels; a smaller picture is padded.
LEAST_READ_SIDE = 96
#: Root mean square radius of a psf in pixels below which a picture is sharp.
LEAST_EXTENT = 0.6
#: As OVERSHOOT, for a psf estimated by a network.
PSF_OVERSHOOT = 0.1

Psf = NDArray[np.float32]
Sharpener = Callable[[Plane], Plane]


def classical(picture: Picture, parameters: DeblurParameters, method: str) -> StageOutput:
    """Sharpen the luma and keep the colour differences, so that no coloured fringes appear.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is.
    parameters : DeblurParameters
        `radius` is the blur to remove, as a Gaussian's standard deviation in pixels; a larger one sharpens more. If it
        is absent, the blur is estimated from the edges, and the blur of a sharp photograph is subtracted. A sharp
        picture is returned unchanged. At most 3 px are removed. `sigma` is the noise before denoising. The remaining
        noise is smooth and cannot be measured, but sharpening would turn it into visible structures.
    method : {"wiener", "richardson_lucy", "unsharp"}
        Wiener deconvolution, regularised by the estimated noise, followed by a weak unsharp mask; 12 iterations of
        Richardson-Lucy; or an unsharp mask alone, which increases edge contrast and restores no detail.

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
    """Deblur by networks.

    A network of the kind "blur" estimates the psf from the central part of the picture. `undo_blur` removes it from the
    whole picture, and the result is limited to the range of the surroundings. Its `companion`, if there is one, removes
    artefacts and adds detail. A network that returns pixels receives `radius` and the noise's `sigma` (0-255 scale) if
    they are among its inputs.

    Parameters
    ----------
    picture : Picture
        Alpha does not change. A sharp picture is returned unchanged.
    parameters : DeblurParameters
        A given `radius` replaces the network's estimate.
    model : StageModel
        Its first output is the psf, (1, n, n); its second one holds the two ratios of `undo_blur`, (2,).
    """
    if model.answer == "pixels" or parameters.radius is not None:
        return _with_pixels(picture, parameters, model)
    psf, ratios = read_blur(picture.pixels, model)
    radius = extent(psf)
    values: dict[str, Value] = {"radius": round(radius, 2)}
    if radius < LEAST_EXTENT:
        return StageOutput(picture=picture, notes=("the picture is sharp already",), values=values)
    pixels = apply_to_windows(picture.pixels, lambda image: undone(image, psf, ratios), halo=UNDO_REACH)
    if model.companion is not None:
        pixels = run_model(model.companion, pixels)
    return StageOutput(picture=picture.with_pixels(pixels), values=values)


def read_blur(pixels: Pixels, model: StageModel) -> tuple[Psf, tuple[float, float]]:
    """Estimate the psf in the central part of the picture, and the ratios of `undo_blur`."""
    height, width = (min(side, READ_SIDE) for side in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    below, beside = max(0, LEAST_READ_SIDE - height), max(0, LEAST_READ_SIDE - width)
    part = pixels[top : top + height, left : left + width]
    # OpenCV calls symmetric padding that repeats the edge REFLECT.
    window: Pixels = cv2.copyMakeBorder(part, 0, below, 0, beside, cv2.BORDER_REFLECT)  # type: ignore[assignment]
    psf, ratios = list(read_model(model, window).values())[:2]
    if psf.ndim != 3 or psf.shape[0] != 1 or psf.shape[1] != psf.shape[2] or ratios.shape != (2,):
        raise ModelUnusable(
            f"a blur of shapes {psf.shape}, {ratios.shape}, expected (1, n, n), (2,)", code="model_contract"
        )
    return psf[0], (float(ratios[0]), float(ratios[1]))


def extent(psf: Psf) -> float:
    """Root mean square radius of a psf over both directions, in pixels."""
    rows, columns = np.indices(psf.shape) - len(psf) // 2
    return float(np.sqrt((psf * (rows**2 + columns**2)).sum() / 2.0))


def undone(image: Image, psf: Psf, ratios: tuple[float, float]) -> Image:
    """Remove a blur by `undo_blur` and limit the result to the range of the surroundings."""
    sharpened, reach = undo_blur(image, psf, ratios), max(1, len(psf) // 4)
    planes = [limit_overshoot(sharpened[..., at], image[..., at], reach, PSF_OVERSHOOT) for at in range(3)]
    return np.stack(planes, axis=-1)


def _with_pixels(picture: Picture, parameters: DeblurParameters, model: StageModel) -> StageOutput:
    if model.answer != "pixels":
        return classical(picture, parameters, "wiener")
    radius, sigma = found_blur(picture, parameters)
    pixels = run_model(model, picture.pixels, {"radius": radius, "sigma": sigma})
    values: dict[str, Value] = {"radius": round(radius, 2), "sigma": round(sigma, 2)}
    return StageOutput(picture=picture.with_pixels(pixels), values=values)


def found_blur(picture: Picture, parameters: DeblurParameters) -> tuple[float, float]:
    """The blur radius to remove in pixels, 0 for a sharp picture, and the noise's sigma (0-255 scale)."""
    tiles = native_tiles(picture.pixels)
    sigma = estimate_noise(tiles).sigma
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
    # An unsharp mask amplifies noise more than anything else.
    amount = FINAL_AMOUNT / (1.0 + sigma)
    halo = len(kernel) // 2 + reach(FINAL_RADIUS)
    return lambda plane: unsharp(convolve(plane, kernel), amount, FINAL_RADIUS), halo


def unsharp(plane: Plane, amount: float, radius: float) -> Plane:
    """Add `amount` times the difference to a Gaussian of standard deviation `radius` (pixels)."""
    sharpened: Plane = plane + np.float32(amount) * (plane - gaussian(plane, radius))
    return sharpened


def _sharpened(image: Image, sharpener: Sharpener, radius: float) -> Image:
    plane: Plane = luma_of_image(image)
    sharpened = limit_overshoot(sharpener(plane), plane, max(1, round(radius)), OVERSHOOT)
    answer: Image = image + (sharpened - plane)[..., np.newaxis]
    return answer
