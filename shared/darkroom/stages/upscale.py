"""Enlarges a picture by any factor to the exact size."""

import numpy as np

from darkroom.domain.parameters import UpscaleParameters
from darkroom.domain.sizes import MAX_OUTPUT_PIXELS, SAME_SIZE_SCALE, has_work, target_size
from darkroom.imaging.filters import resized
from darkroom.imaging.picture import Picture, Pixels
from darkroom.imaging.transparency import resized_picture, spread_colors
from darkroom.stages import StageModel, StageOutput, Value

#: Factor below which Lanczos is used instead of a model: the model would take its full time for no visible gain.
NEGLIGIBLE = 1.02


def classical(picture: Picture, parameters: UpscaleParameters, method: str) -> StageOutput:  # noqa: ARG001
    """Enlarge by Lanczos interpolation (four lobes), alpha along.

    Parameters
    ----------
    picture : Picture
    parameters : UpscaleParameters
        The size, see `darkroom.domain.sizes`. A picture that is as large already comes back as it is, and so does
        one that is to gain detail at the same size: interpolation has none to give.
    method : {"lanczos"}

    References
    ----------
    C. E. Duchon, "Lanczos Filtering in One and Two Dimensions", Journal of Applied Meteorology 18(8), 1979,
    https://doi.org/10.1175/1520-0450(1979)018<1016:LFIOAT>2.0.CO;2

    Examples
    --------
    >>> import numpy as np
    >>> small = Picture(pixels=np.zeros((20, 30, 3), np.uint8))
    >>> classical(small, UpscaleParameters(scale=1.5), "lanczos").picture.pixels.shape
    (30, 45, 3)
    """
    if parameters.same_size:
        return _unchanged(picture, "interpolation has no detail to add at the same size")
    if not has_work(parameters, picture.height, picture.width):
        return _unchanged(picture, "the picture is large enough already")
    height, width = target_size(parameters, picture.height, picture.width)
    enlarged = resized_picture(picture, height, width)
    return StageOutput(picture=enlarged, values=_values(picture, enlarged, 0))


def with_model(picture: Picture, parameters: UpscaleParameters, model: StageModel) -> StageOutput:
    """Enlarge by a network: as many passes as reach the size, then reduced to exactly it.

    A pass whose answer would exceed the limit of `darkroom.domain.sizes` is skipped, and Lanczos interpolation does
    the rest. Alpha is always interpolated. Transparent pixels get the nearest visible colours before the network runs.
    """
    if not has_work(parameters, picture.height, picture.width):
        return _unchanged(picture, "the picture is large enough already")
    height, width = target_size(parameters, picture.height, picture.width)
    factor = SAME_SIZE_SCALE if parameters.same_size else max(height / picture.height, width / picture.width)
    wanted = passes(factor, model.scale)
    affordable = min(wanted, _affordable(picture, model.scale))
    pixels: Pixels = spread_colors(picture)
    for _ in range(affordable):
        pixels = model.apply(pixels, {})
    enlarged = _at_size(pixels, picture, height, width)
    skipped = f"{wanted - affordable} of {wanted} passes of the model skipped: they exceed {MAX_OUTPUT_PIXELS} pixels"
    notes = (skipped,) if affordable < wanted else ()
    return StageOutput(picture=enlarged, notes=notes, values=_values(picture, enlarged, affordable))


def _at_size(pixels: Pixels, picture: Picture, height: int, width: int) -> Picture:
    """The answer of the network at the wanted size, with the alpha of `picture` and its colours below transparency."""
    if picture.alpha is None:
        return Picture(pixels=resized(pixels, height, width))
    answer = resized_picture(Picture(pixels=pixels, alpha=resized(picture.alpha, *pixels.shape[:2])), height, width)
    below = resized(picture.pixels, height, width)
    shown = answer.matte
    return answer if shown is None else answer.with_pixels(np.where(shown[..., np.newaxis] > 0, answer.pixels, below))


def passes(factor: float, scale: int) -> int:
    """How often a model of that scale must run to reach at least the factor.

    >>> passes(2.0, 2), passes(3.0, 2), passes(1.5, 4), passes(1.01, 2)
    (1, 2, 1, 0)
    """
    if scale < 2 or factor <= NEGLIGIBLE:
        return 0
    count, reached = 0, 1.0
    while reached * NEGLIGIBLE < factor:
        count, reached = count + 1, reached * scale
    return count


def _affordable(picture: Picture, scale: int) -> int:
    count, pixels = 0, picture.height * picture.width
    while scale >= 2 and pixels * scale**2 <= MAX_OUTPUT_PIXELS:
        count, pixels = count + 1, pixels * scale**2
    return count


def _unchanged(picture: Picture, why: str) -> StageOutput:
    return StageOutput(picture=picture, notes=(why,), values={"factor": 1.0})


def _values(before: Picture, after: Picture, model_passes: int) -> dict[str, Value]:
    return {"factor": round(after.height / before.height, 4), "model_passes": float(model_passes)}
