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
from darkroom.imaging.tone.backlight import lifted_shadows
from darkroom.imaging.tone.clahe import equalise
from darkroom.stages import StageModel, StageOutput, Tensor, Value, read_model, run_model
from darkroom.stages.denoise import non_local_means
from darkroom.stages.windows import SIDE

Depth = np.dtype[np.uint8] | np.dtype[np.uint16]

#: Target of the mean luma, range [0, 1]. It is below the middle so that night scenes stay dark.
TARGET_MEAN = 0.42
#: Mean luma from which a picture is not underexposed.
BRIGHT_MEAN = 0.36
#: Smallest exponent of the gamma curve. Below it noise and rounding dominate the result.
LEAST_GAMMA = 0.35
#: Number of CLAHE regions in each direction.
CLAHE_GRID = 8
#: CLAHE has its full share at an exponent of 1 minus this and below.
CLAHE_SPAN = 0.4
#: Largest share of CLAHE in the new luma.
CLAHE_SHARE = 0.6
#: Sigma (0-255 scale) in the brightened shadows above which the noise is removed first.
VISIBLE_SIGMA = 3.0
#: Share of the pixels, the darkest ones, that count as shadows.
SHADOWS = 0.1
#: Estimated sigma (0-255 scale) below which noise is not removed: it is texture or rounding.
LEAST_SIGMA = 0.8
#: Luma, range [0, 1], below which brightening is linear. A power would separate the darkest levels, which are noise.
TOE = np.float32(4.0 / 255.0)
#: Exponent of the ratio of a channel to luma. A gamma curve brightens dark parts most, and exponent 1 would be too
#: saturated. Source: 0.75 was nearest to the originals of darkened photographs.
COLOUR_SHARE = np.float32(0.75)
#: Luma below which the ratio of a channel to luma is rounding noise.
DARKEST = np.float32(1.0 / 255.0)
#: Gain up to which a pixel keeps its own ratio of channels to luma.
FAITHFUL_GAIN = 3.0
#: Gain from which a pixel gets the ratio of its surroundings.
SMOOTH_GAIN = 7.0
#: Standard deviation in pixels of the Gaussian over these surroundings.
COLOUR_RADIUS = 2.0
#: Ratio of the mean luma after to that before, below which a network's curves are not applied.
LEAST_LIFT = 1.3
#: Ratio of the mean luma from which noise becomes visible and is removed in part.
CLEAN_LIFT = 1.5
#: Ratio of the mean luma from which noise is removed completely.
FULL_LIFT = 3.0
#: Largest share of the pixels, 0 to 1, that may become clipped by a network's curves.
MOST_CLIPPED = 0.002
#: Height of a curve, 0 to 1, from which it is bent down where too many pixels would become clipped.
KNEE = np.float32(0.8)
#: Quantile of luma that is compared with `BRIGHT_LUMA`.
BRIGHT_QUANTILE = 0.995
#: Luma, 0 to 1, above which a dark picture has real highlights. Source: 5 of 82 photographs that were darkened 2.5
#: times and more lie above, and of 7 dark scenes whose mean is raised by 30 % and more, all.
BRIGHT_LUMA = 0.7
#: Note on a dark picture with real highlights.
MAY_BE_NIGHT = "the picture has bright parts: it may be dark on purpose"
#: Note on a backlit scene.
BACKLIT = "the scene is backlit: only its shadows were lifted"


def classical(picture: Picture, parameters: LowLightParameters, method: str) -> StageOutput:  # noqa: ARG001
    """Brighten by a gamma curve and local contrast, keeping the colours' proportions.

    Noise that would become visible is removed first. The new luma is the old one to the power of `gamma` (linear for
    the darkest four levels), mixed with its contrast-limited adaptive equalisation. Red, green and blue keep their
    ratio to luma, slightly reduced. Where this ratio is unreliable, that of the surroundings is used.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is.
    parameters : LowLightParameters
        A smaller `gamma` is brighter. If it is absent, it is chosen for a mean luma of 0.42, and a picture with a mean
        of 0.36 or more is returned unchanged. A larger `clip_limit` gives more local contrast and more noise.
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
        return _bright_enough(picture, values) if parameters.gamma is None else _unlifted(picture, values)
    pixels, sigma = _calmed(picture, gamma)
    lifted = lift(pixels, gamma, parameters.clip_limit, dtype=picture.pixels.dtype)
    return StageOutput(picture=picture.with_pixels(lifted), values={**values, "sigma": round(sigma, 2)})


def with_model(picture: Picture, parameters: LowLightParameters, model: StageModel) -> StageOutput:
    """Brighten by the tone curves of a network, and remove the noise that becomes visible.

    A network of the kind "tone" returns one curve for each channel, which is applied at full size. Its `companion`, if
    there is one, removes the noise and the banding that become visible. A network that returns pixels receives `gamma`
    (see `classical`) if that is one of its inputs.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is.
    parameters : LowLightParameters
        A given `gamma` replaces the network's curves. `clip_limit` has no effect.
    model : StageModel
        For its first output see `curves_of`.
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
        return _bright_enough(picture, values)
    lifted = apply_table(picture.pixels, table if gamma is not None else keep_highlights(table, small))
    output = StageOutput(picture=picture.with_pixels(_cleaned(lifted, lift, model)), values=values)
    if gamma is None and _has_highlights(small):
        return replace(output, low_confidence=True, notes=(MAY_BE_NIGHT,))
    return output


def _unlifted(picture: Picture, values: Mapping[str, Value]) -> StageOutput:
    return StageOutput(picture=picture, notes=(_reason(picture),), values=values)


def _bright_enough(picture: Picture, values: Mapping[str, Value]) -> StageOutput:
    """A picture that is bright as a whole: only the shadows of a backlit scene are lifted."""
    shadows = lifted_shadows(picture.pixels)
    if shadows is None:
        return _unlifted(picture, values)
    values = {**values, "backlit": True}
    return StageOutput(picture=picture.with_pixels(shadows), notes=(BACKLIT,), values=values, low_confidence=True)


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
    """A table over the type's range, (256, 3) or (65536, 3), from a network's first output.

    The output holds the values of the curves in [0, 1] at their knots, (3 * knots,): red, green, blue. Knot k of n + 1
    is at (k / n) squared, densest in the dark. The curves are linear between the knots.
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
    """The ratio of the mean luma after to that before, and the exponent with the same effect."""
    dark, bright = (float(luma(each).mean()) for each in (before, after))
    if not 0.0 < dark < 1.0 or not 0.0 < bright < 1.0:
        return 1.0, 1.0
    return bright / dark, float(np.log(bright) / np.log(dark))


def _cleaned(lifted: Pixels, lift: float, model: StageModel) -> Pixels:
    """Remove the noise that has become visible, gradually from `CLEAN_LIFT` to `FULL_LIFT`."""
    share = float(np.clip((lift - CLEAN_LIFT) / (FULL_LIFT - CLEAN_LIFT), 0.0, 1.0))
    if share == 0.0 or model.companion is None:
        return lifted
    clean = run_model(model.companion, lifted)
    return cv2.addWeighted(lifted, 1.0 - share, clean, share, 0.0)  # type: ignore[return-value]


def found_gamma(picture: Picture) -> float:
    """The exponent for a mean luma of `TARGET_MEAN`; 1 for a picture that is bright enough, or black."""
    mean = float(luma(reduced(picture.pixels)).mean())
    if mean >= BRIGHT_MEAN or mean <= 0.0:
        return 1.0
    return max(LEAST_GAMMA, float(np.log(TARGET_MEAN) / np.log(mean)))


def _reason(picture: Picture) -> str:
    """The note for a picture that is not brightened."""
    return "the picture is bright enough" if picture.pixels.any() else "the picture is black: there is nothing to lift"


def _calmed(picture: Picture, gamma: float) -> tuple[Pixels, float]:
    """Remove the noise that would become visible; return the pixels and the sigma, 0 if there is none."""
    sigma = estimate_noise(native_tiles(picture.pixels)).channels
    gains = _gain(luma(reduced(picture.pixels)), gamma)
    if sigma < LEAST_SIGMA or sigma * gamma * float(np.quantile(gains, 1.0 - SHADOWS)) < VISIBLE_SIGMA:
        return picture.pixels, 0.0
    # In 16 bits: the mean of a few levels is between them, and brightening would show 8-bit rounding as banding.
    deep = picture.pixels if picture.bits == 16 else picture.pixels * np.uint16(257)
    return non_local_means(deep, sigma), sigma


def _gain(values: Plane, gamma: float) -> Plane:
    """The factor from luma to its power `gamma`; constant below `TOE`."""
    gain: Plane = np.power(np.maximum(values, TOE), np.float32(gamma - 1.0))
    return gain


def lift(pixels: Pixels, gamma: float, clip_limit: float, *, dtype: Depth) -> Pixels:
    """Brighten (H, W, 3) uint8 or uint16 by gamma and CLAHE on luma; `dtype` is that of the result."""
    before = luma(pixels)
    lifted: Plane = before * _gain(before, gamma)
    share = np.float32(CLAHE_SHARE * min(1.0, (1.0 - gamma) / CLAHE_SPAN))
    after = lifted + share * (equalise(lifted, grid=CLAHE_GRID, clip_limit=clip_limit) - lifted)
    return _recoloured(pixels, before, after, gamma, dtype)


def _recoloured(pixels: Pixels, before: Plane, after: Plane, gamma: float, dtype: Depth) -> Pixels:
    """Give the pixels a new luma. Colours that would be clipped are moved towards grey of the new luma."""
    result: Pixels = np.empty(pixels.shape, dtype)
    for tile in plan_tiles((pixels.shape[0], pixels.shape[1]), tile=SIDE, halo=reach(COLOUR_RADIUS)):
        proportions = _proportions(to_float(tile.window.of(pixels)), tile.window.of(before), gamma)
        own = tile.core.within(tile.window).of(proportions)
        image = tile.core.of(after)[..., np.newaxis] * np.power(own, COLOUR_SHARE)
        tile.core.of(result)[...] = to_pixels(_kept_in_range(image), dtype)
    return result


def _proportions(image: Image, plane: Plane, gamma: float) -> Image:
    """The ratio of the channels to luma; averaged over the surroundings where the gain amplifies mostly noise."""
    own = image / np.maximum(plane, DARKEST)[..., np.newaxis]
    around = gaussian(image, COLOUR_RADIUS) / np.maximum(gaussian(plane, COLOUR_RADIUS), DARKEST)[..., np.newaxis]
    share = np.clip((_gain(plane, gamma) - FAITHFUL_GAIN) / (SMOOTH_GAIN - FAITHFUL_GAIN), 0.0, 1.0)
    mixed: Image = own + (around - own) * share[..., np.newaxis].astype(np.float32)
    return mixed


def _kept_in_range(image: Image) -> Image:
    """Move colours that exceed 1 towards their grey, so that clipping does not change the hue."""
    grey = np.minimum(luma_of_image(image), 1.0)[..., np.newaxis]
    top = image.max(axis=2, keepdims=True)
    share = np.where(top > 1.0, (1.0 - grey) / np.maximum(top - grey, 1e-6), 1.0).astype(np.float32)
    kept: Image = grey + (image - grey) * share
    return kept
