"""Brightens an underexposed picture and keeps its contrast, colours and noise level."""

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import LowLightParameters
from darkroom.imaging.color import apply_table, luma, luma_of_image
from darkroom.imaging.filters import gaussian, reach
from darkroom.imaging.measurement.noise import estimate_noise
from darkroom.imaging.picture import Image, Picture, Pixels, Plane, to_float, to_pixels
from darkroom.imaging.sampling import native_tiles, reduced
from darkroom.imaging.tiling import plan_tiles
from darkroom.imaging.tone.clahe import equalise
from darkroom.stages import StageModel, StageOutput, Tensor, Value, read_model, run_model
from darkroom.stages.denoise import non_local_means
from darkroom.stages.windows import SIDE

Depth = np.dtype[np.uint8] | np.dtype[np.uint16]

#: Mean luma that a lifted picture aims at; a little below the middle keeps a night a night.
TARGET_MEAN = 0.42
#: From this mean on a picture is not underexposed.
BRIGHT_MEAN = 0.36
#: Smallest exponent chosen; below it noise and rounding dominate what comes up.
LEAST_GAMMA = 0.35
#: CLAHE sees the picture as so many tiles in each direction.
CLAHE_GRID = 8
#: An exponent as small as 1 minus this brings CLAHE's full share.
CLAHE_SPAN, CLAHE_SHARE = 0.4, 0.6
#: Noise that grows to more than this on the 0-255 scale when the shadows are lifted is removed before. The shadows are
#: this darkest share of the pixels.
VISIBLE_SIGMA, SHADOWS = 3.0, 0.1
#: An estimated noise below this is texture or rounding.
LEAST_SIGMA = 0.8
#: Luma below which lifting is linear: a power would tear the darkest levels apart, which are noise.
TOE = np.float32(4.0 / 255.0)
#: Exponent of the colours' proportions to luma. A gamma curve brightens dark parts most, and full proportions would
#: look garish; 0.75 came nearest to photographs that had been darkened.
COLOUR_SHARE = np.float32(0.75)
#: Luma below which proportions are rounding alone.
DARKEST = np.float32(1.0 / 255.0)
#: Where lifting multiplies by less than the first, a pixel keeps its own proportions; by more than the second, it gets
#: those of its surroundings: a Gaussian of this deviation in pixels.
FAITHFUL_GAIN, SMOOTH_GAIN, COLOUR_RADIUS = 3.0, 7.0, 2.0
#: A network's curves that raise the mean by less leave the picture as it is.
LEAST_LIFT = 1.3
#: Noise begins to show where the mean is raised by the first, and is removed wholly from the second on.
CLEAN_LIFT, FULL_LIFT = 1.5, 3.0
#: Largest share of the pixels, 0 to 1, that may become clipped by a network's curves.
MOST_CLIPPED = 0.002
#: Height of a curve, 0 to 1, from which it is bent down where too many pixels would become clipped.
KNEE = np.float32(0.8)
#: Quantile of luma that is compared with `BRIGHT_LUMA`.
BRIGHT_QUANTILE = 0.995
#: Luma, 0 to 1, above which a dark picture has real highlights. Source: photographs with 2.5 times too little light or
#: less stay below; pictures of the night lie above.
BRIGHT_LUMA = 0.7
#: Note on a dark picture with real highlights.
MAY_BE_NIGHT = "the picture has bright parts: it may be dark on purpose"


def classical(picture: Picture, parameters: LowLightParameters, method: str) -> StageOutput:  # noqa: ARG001
    """Brighten by a gamma curve and local contrast, keeping the colours' proportions.

    Noise that would show is removed first, lightly. Then a new luma is made: the old one to the power of `gamma`, the
    darkest four levels linearly, mixed with its contrast-limited adaptive equalisation; and each pixel's red, green
    and blue follow it in their old proportions, slightly reduced, or those of its surroundings where little is known
    of its own.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is.
    parameters : LowLightParameters
        A smaller `gamma` is brighter. If it is absent it leads the mean luma to 0.42, and a picture with a mean of
        0.36 or more comes back as it is. A larger `clip_limit` gives more local contrast and more noise.
    method : {"clahe"}

    References
    ----------
    See `equalise`.

    Examples
    --------
    >>> import numpy as np
    >>> dark = Picture(pixels=np.linspace(0, 80, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8))
    >>> bool(classical(dark, LowLightParameters(), "clahe").picture.pixels.mean() > 1.5 * dark.pixels.mean())
    True
    """
    gamma = found_gamma(picture) if parameters.gamma is None else parameters.gamma
    values: dict[str, Value] = {"gamma": round(gamma, 3)}
    if gamma >= 1.0:
        return StageOutput(picture=picture, notes=(_reason(picture),), values=values)
    pixels, sigma = _calmed(picture, gamma)
    lifted = lift(pixels, gamma, parameters.clip_limit, dtype=picture.pixels.dtype)
    return StageOutput(picture=picture.with_pixels(lifted), values={**values, "sigma": round(sigma, 2)})


def with_model(picture: Picture, parameters: LowLightParameters, model: StageModel) -> StageOutput:
    """Brighten by a network's curves, and clean what they bring up.

    A network whose answer is a tone tells one curve for each channel, which is applied at full size; if it has a
    `companion`, that one removes the noise and the steps that lifting shows. A network that answers with pixels is told
    `gamma` (see `classical`) if it asks for it.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is.
    parameters : LowLightParameters
        A given `gamma` takes the place of the network's curves. `clip_limit` has no effect.
    model : StageModel
        Its first answer: see `curves_of`.
    """
    if model.answer == "pixels":
        gamma = found_gamma(picture) if parameters.gamma is None else parameters.gamma
        pixels = run_model(model, picture.pixels, {"gamma": gamma})
        return StageOutput(picture=picture.with_pixels(pixels), values={"gamma": round(gamma, 3)})
    return _with_curves(picture, parameters.gamma, model)


def _with_curves(picture: Picture, gamma: float | None, model: StageModel) -> StageOutput:
    small = reduced(picture.pixels)
    table = _power_table(picture, gamma) if gamma is not None else curves_of(read_model(model, picture.pixels), picture)
    lift, equivalent = _lift(small, apply_table(small, table))
    values: dict[str, Value] = {"gamma": round(equivalent, 3), "lift": round(lift, 2)}
    if gamma is None and lift < LEAST_LIFT:
        return StageOutput(picture=picture, notes=(_reason(picture),), values=values)
    lifted = apply_table(picture.pixels, table if gamma is not None else keep_highlights(table, small))
    output = StageOutput(picture=picture.with_pixels(_cleaned(lifted, lift, model)), values=values)
    if gamma is None and _has_highlights(small):
        return replace(output, low_confidence=True, notes=(MAY_BE_NIGHT,))
    return output


def keep_highlights(table: NDArray[np.float32], pixels: Pixels) -> NDArray[np.float32]:
    """The curves with their upper end bent down, if more than `MOST_CLIPPED` of the pixels would become clipped.

    Parameters
    ----------
    table : (256, 3) or (65536, 3) float32 in [0, 1]
        The heights of the curves over the range of the type.
    pixels : (H, W, 3) uint8 or uint16
        The picture, or a reduction of it.

    Returns
    -------
    ndarray
        As `table`. From `KNEE` the curves are straight lines that reach white at the brightest pixels of the picture,
        of which at most `MOST_CLIPPED` become white.
    """
    before, after = (_clipped_share(each) for each in (pixels, apply_table(pixels, table)))
    if after - before <= MOST_CLIPPED:
        return table
    # One step of eight bits above the quantile: many pixels may have this very value.
    top = float(np.quantile(to_float(pixels).max(axis=2), 1.0 - MOST_CLIPPED)) + 1.0 / 255.0
    return np.stack([_bent(curve, min(round(top * curve.size), curve.size - 1)) for curve in table.T], axis=1)


def _bent(curve: NDArray[np.float32], top: int) -> NDArray[np.float32]:
    start = int(np.searchsorted(curve, KNEE))
    if start >= top:
        return curve
    bent = curve.copy()
    line = np.linspace(curve[start], np.float32(1.0), top - start + 1, dtype=np.float32)
    bent[start : top + 1] = np.minimum(curve[start : top + 1], line)
    return bent


def _clipped_share(pixels: Pixels) -> float:
    """Share of the pixels, 0 to 1, of which a channel is at the top of its range, within half a step of eight bits."""
    return float((to_float(pixels).max(axis=2) > 1.0 - 0.5 / 255.0).mean())


def _has_highlights(pixels: Pixels) -> bool:
    """Whether a picture has parts as bright as those of a well exposed one."""
    return float(np.quantile(luma(pixels), BRIGHT_QUANTILE)) > BRIGHT_LUMA


def curves_of(answers: Mapping[str, Tensor], picture: Picture) -> NDArray[np.float32]:
    """A table over the type's range, (256, 3) or (65536, 3), from a network's first answer.

    The answer holds the curves' heights in [0, 1] at their knots, (3 * knots,): red, green, blue. Knot k of n + 1 lies
    at (k / n) squared, densest in the dark; between two knots a curve is straight.
    """
    heights = next(iter(answers.values()))
    if heights.ndim != 1 or heights.size % 3 or heights.size < 6:
        raise ModelUnusable(f"curves of shape {heights.shape}, expected (3 * knots,)", code="model_contract")
    knots = np.square(np.linspace(0.0, 1.0, heights.size // 3))
    values = np.linspace(0.0, 1.0, int(np.iinfo(picture.pixels.dtype).max) + 1)
    curves = [np.interp(values, knots, heights_of_one) for heights_of_one in heights.reshape(3, -1)]
    return np.stack(curves, axis=1).astype(np.float32)


def _power_table(picture: Picture, gamma: float) -> NDArray[np.float32]:
    values = np.linspace(0.0, 1.0, int(np.iinfo(picture.pixels.dtype).max) + 1, dtype=np.float32)
    return np.repeat((values * _gain(values, gamma))[:, np.newaxis], 3, axis=1)


def _lift(before: Pixels, after: Pixels) -> tuple[float, float]:
    """How many times brighter the mean luma is, and the exponent that would have done the same."""
    dark, bright = (float(luma(each).mean()) for each in (before, after))
    if not 0.0 < dark < 1.0 or not 0.0 < bright < 1.0:
        return 1.0, 1.0
    return bright / dark, float(np.log(bright) / np.log(dark))


def _cleaned(lifted: Pixels, lift: float, model: StageModel) -> Pixels:
    """Without the noise that lifting has brought up, little by little from where it begins to show."""
    share = float(np.clip((lift - CLEAN_LIFT) / (FULL_LIFT - CLEAN_LIFT), 0.0, 1.0))
    if share == 0.0 or model.companion is None:
        return lifted
    clean = run_model(model.companion, lifted)
    return cv2.addWeighted(lifted, 1.0 - share, clean, share, 0.0)  # type: ignore[return-value]


def found_gamma(picture: Picture) -> float:
    """The exponent that leads the mean luma to `TARGET_MEAN`; 1 for a picture that is bright enough, or black."""
    mean = float(luma(reduced(picture.pixels)).mean())
    if mean >= BRIGHT_MEAN or mean <= 0.0:
        return 1.0
    return max(LEAST_GAMMA, float(np.log(TARGET_MEAN) / np.log(mean)))


def _reason(picture: Picture) -> str:
    """Why there is nothing to lift."""
    return "the picture is bright enough" if picture.pixels.any() else "the picture is black: there is nothing to lift"


def _calmed(picture: Picture, gamma: float) -> tuple[Pixels, float]:
    """The pixels with the noise removed that lifting would make visible, and its sigma; 0 if there is none."""
    sigma = estimate_noise(native_tiles(picture.pixels)).channels
    gains = _gain(luma(reduced(picture.pixels)), gamma)
    if sigma < LEAST_SIGMA or sigma * gamma * float(np.quantile(gains, 1.0 - SHADOWS)) < VISIBLE_SIGMA:
        return picture.pixels, 0.0
    # In 16 bits, since the mean of a few levels lies between them, and lifting would tear their steps apart.
    deep = picture.pixels if picture.bits == 16 else picture.pixels * np.uint16(257)
    return non_local_means(deep, sigma), sigma


def _gain(values: Plane, gamma: float) -> Plane:
    """Factor that makes the power `gamma` of luma; below `TOE` no larger than there."""
    gain: Plane = np.power(np.maximum(values, TOE), np.float32(gamma - 1.0))
    return gain


def lift(pixels: Pixels, gamma: float, clip_limit: float, *, dtype: Depth) -> Pixels:
    """Brighten (H, W, 3) uint8 or uint16 by gamma and CLAHE on luma; `dtype` is the answer's."""
    before = luma(pixels)
    lifted: Plane = before * _gain(before, gamma)
    share = np.float32(CLAHE_SHARE * min(1.0, (1.0 - gamma) / CLAHE_SPAN))
    after = lifted + share * (equalise(lifted, grid=CLAHE_GRID, clip_limit=clip_limit) - lifted)
    return _recoloured(pixels, before, after, gamma, dtype)


def _recoloured(pixels: Pixels, before: Plane, after: Plane, gamma: float, dtype: Depth) -> Pixels:
    """Give the pixels another luma; what would be clipped fades to the grey of its new luma."""
    result: Pixels = np.empty(pixels.shape, dtype)
    for tile in plan_tiles((pixels.shape[0], pixels.shape[1]), tile=SIDE, halo=reach(COLOUR_RADIUS)):
        proportions = _proportions(to_float(tile.window.of(pixels)), tile.window.of(before), gamma)
        own = tile.core.within(tile.window).of(proportions)
        image = tile.core.of(after)[..., np.newaxis] * np.power(own, COLOUR_SHARE)
        tile.core.of(result)[...] = to_pixels(_kept_in_range(image), dtype)
    return result


def _proportions(image: Image, plane: Plane, gamma: float) -> Image:
    """The channels by luma; averaged over the surroundings where lifting enlarges what is mostly noise in them."""
    own = image / np.maximum(plane, DARKEST)[..., np.newaxis]
    around = gaussian(image, COLOUR_RADIUS) / np.maximum(gaussian(plane, COLOUR_RADIUS), DARKEST)[..., np.newaxis]
    share = np.clip((_gain(plane, gamma) - FAITHFUL_GAIN) / (SMOOTH_GAIN - FAITHFUL_GAIN), 0.0, 1.0)
    mixed: Image = own + (around - own) * share[..., np.newaxis].astype(np.float32)
    return mixed


def _kept_in_range(image: Image) -> Image:
    """Pull colours that exceed 1 towards their grey, so that a channel at its top does not change the hue."""
    grey = np.minimum(luma_of_image(image), 1.0)[..., np.newaxis]
    top = image.max(axis=2, keepdims=True)
    share = np.where(top > 1.0, (1.0 - grey) / np.maximum(top - grey, 1e-6), 1.0).astype(np.float32)
    kept: Image = grey + (image - grey) * share
    return kept
