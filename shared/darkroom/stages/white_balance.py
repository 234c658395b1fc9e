"""Removes a colour cast and keeps the colours of the scene."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import WhiteBalanceParameters
from darkroom.imaging.color import (
    LUMINANCE_WEIGHTS,
    apply_table,
    linear_from_pixels,
    linear_from_srgb,
    srgb_from_linear,
)
from darkroom.imaging.measurement.illuminant import USUAL_WARMTH, Cast, Triple, estimate_cast, estimate_light
from darkroom.imaging.picture import Picture, Pixels, to_float
from darkroom.imaging.sampling import reduced
from darkroom.imaging.surface import Grid
from darkroom.imaging.tone.relight import HIGHLIGHT_POWER, relit
from darkroom.imaging.veil import LARGEST_GAIN as LARGEST_SRGB_GAIN
from darkroom.imaging.veil import stretched, tables_without_veil, veil_probability
from darkroom.stages import StageModel, StageOutput, Tensor, Value, read_model, run_model

#: Cast strength, 0-1, below which a cast is not corrected. Source: least error over 600 photographs with and without
#: casts of 15 to 60 %.
LEAST_CAST = 0.1
#: Cast strength, 0-1, from which the whole of `cast_part` is removed. Source: as for `LEAST_CAST`.
CLEAR_CAST = 0.35
#: Share of the deviation from usual light, blue to red, that is attributed to a cast and not to the scene. Source: as
#: for `LEAST_CAST`.
WARMTH_SHARE = 0.65
#: The same share for the deviation from green to magenta. Source: as for `LEAST_CAST`.
TINT_SHARE = 0.85
#: Deviation to blue (half the log ratio of red to blue) from which light may be a cast at any strength.
BLUER = 0.3
#: Deviation to blue (same unit) from which light is certainly a cast: scenes are rarely blue.
CLEARLY_BLUER = 0.4
#: Share of such a deviation to blue that is attributed to the cast.
BLUE_SHARE = 0.95
#: Largest factor by which a channel is multiplied or divided.
LARGEST_GAIN = 2.5
#: Largest factor for the gains of a network. It is larger because water absorbs nine tenths of the red light.
LARGEST_FOUND_GAIN = 12.0
#: Probability of a cast, from a network, below which the cast is not corrected. Source: with this value and the next,
#: 3 % of 149 photographs without a cast are made visibly worse and approved (the card of the model).
IMPROBABLE = 0.91
#: Probability of a cast, from a network, from which the whole cast is removed. Source: as `IMPROBABLE`.
PROBABLE = 0.985
#: Strength 1 corresponds to this root mean square of the natural logarithms of the gains.
FULL_STRENGTH = 0.7


def classical(picture: Picture, parameters: WhiteBalanceParameters, method: str) -> StageOutput:
    """Divide by the colour of the cast, in linear light (von Kries), keeping the mean luminance.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is. Greyscale pictures stay as they are.
    parameters : WhiteBalanceParameters
        A larger `norm` trusts the brighter pixels more; 1 is grey-world.
    method : {"shades_of_grey", "grey_world", "white_patch", "grey_edge", "channel_stretch"}
        `channel_stretch` stretches each channel (`veil.stretched`). The other methods estimate the light in different
        ways (see `estimate_light`). The cast's strength (`estimate_cast`) determines how much of the cast is removed:
        nothing below 0.1, the whole of `cast_part` from 0.35 on. A clearly blue cast is removed completely: its
        strength is not reliable, because it makes the brown parts of a scene neutral.

    References
    ----------
    J. von Kries, "Chromatic adaptation", Festschrift der Albrecht-Ludwigs-Universitaet, 1902.
    See `estimate_light` and `estimate_cast`.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.random.default_rng(0).integers(40, 200, (64, 64, 1)).repeat(3, axis=2)
    >>> tinted = Picture(pixels=(grey * [0.7, 1.0, 0.7]).astype(np.uint8))
    >>> balanced = classical(tinted, WhiteBalanceParameters(), "shades_of_grey").picture
    >>> excess = [float(each.pixels[..., 1].mean() - each.pixels[..., 0].mean()) for each in (tinted, balanced)]
    >>> excess[1] < 0.3 * excess[0]
    True
    """
    if method == "channel_stretch":
        return _stretched(picture)
    cast = estimate_cast(picture.pixels)
    share = removed_share(cast)
    light = estimate_light(picture.pixels, method, parameters.norm)
    values: dict[str, Value] = {
        "cast_detected": share >= 1.0,
        "cast_strength": round(cast.strength, 3),
        **{name: round(float(value), 3) for name, value in zip(("red", "green", "blue"), light, strict=True)},
    }
    if share == 0.0:
        return StageOutput(picture=picture, notes=("no colour cast found",), values=values)
    gains = _gains(picture.pixels, light, share)
    return StageOutput(picture=picture.with_pixels(_multiplied(picture.pixels, gains)), values=values)


def _stretched(picture: Picture) -> StageOutput:
    if is_grey(picture.pixels):
        return StageOutput(picture=picture, notes=("the picture has no colours",), values={"cast_detected": False})
    values: dict[str, Value] = {"cast_detected": True, "veil": round(veil_probability(picture.pixels), 3)}
    return StageOutput(picture=picture.with_pixels(stretched(picture.pixels)), values=values)


def with_model(picture: Picture, parameters: WhiteBalanceParameters, model: StageModel) -> StageOutput:
    """Balance by a network.

    The output is either a light, for the whole picture or on a coarse grid, or pixels. A light is divided out in linear
    light at full size. If the network returns a veil too (under water, on faded prints), the veil is subtracted first.
    If it returns an offset and a gain for sRGB (a colour that lies over the picture), they are applied before both. If
    it returns the probability of a cast, an improbable cast is not corrected. One between the limits is corrected in
    part, and the output has `low_confidence`. A network that returns pixels receives the cast's `strength` and the
    `norm` if they are among its inputs.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is. Greyscale pictures stay as they are.
    parameters : WhiteBalanceParameters
    model : StageModel
        Its outputs by name: the first is the light, (3,) or (3, h, w), relative to neutral light; `veil` (3, h, w) in
        linear light; `offset` and `srgb_gain` (3,), sRGB; `illuminant` (3,); `cast_probability` and `cast_strength`
        (1,).
    """
    if model.answer == "pixels":
        return _with_pixels(picture, parameters, model)
    if is_grey(picture.pixels):
        return StageOutput(picture=picture, notes=("the picture has no colours",), values={"cast_detected": False})
    estimate = LightEstimate.read(read_model(model, picture.pixels))
    if estimate.share == 0.0:
        return StageOutput(picture=picture, notes=("no colour cast found",), values=estimate.values)
    output = StageOutput(picture=picture.with_pixels(estimate.removed_from(picture.pixels)), values=estimate.values)
    return (
        output if estimate.share == 1.0 else replace(output, low_confidence=True, notes=(estimate.low_confidence_note,))
    )


def _with_pixels(picture: Picture, parameters: WhiteBalanceParameters, model: StageModel) -> StageOutput:
    cast = estimate_cast(picture.pixels)
    values: dict[str, Value] = {
        "cast_detected": removed_share(cast) >= 1.0,
        "cast_strength": round(cast.strength, 3),
    }
    pixels = run_model(model, picture.pixels, {"strength": cast.strength, "norm": parameters.norm})
    return StageOutput(picture=picture.with_pixels(pixels), values=values)


def is_grey(pixels: Pixels) -> bool:
    """Whether there is no colour to balance: the channels differ by less than a step of eight bits on average."""
    small = to_float(reduced(pixels))
    return float(np.abs(small - small.mean(axis=2, keepdims=True)).mean()) < 0.5 / 255.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LightEstimate:
    """The light as estimated by a network."""

    #: Natural logarithms of the gains that neutralise it, (3, h, w).
    log_gains: Grid
    #: Scattered light in front of the scene, linear, (3, h, w).
    veil: Grid
    #: Subtracted from red, green and blue, sRGB-encoded, before all else, (3,).
    offset: Triple
    #: Natural logarithms of what multiplies the rest, in sRGB, (3,).
    log_srgb_gain: Triple
    #: Red, green, blue of the light in linear sRGB; their mean is 1.
    illuminant: tuple[float, float, float]
    #: Probability of a cast, 0-1.
    probability: float
    #: Strength of the cast, 0-1.
    strength: float

    @classmethod
    def read(cls, answers: Mapping[str, Tensor]) -> "LightEstimate":
        """Read the outputs of a network by name. Values that are missing are derived from the light, the first one."""
        light = _as_grid(answers)
        log_gains = -np.log(np.clip(light, 1.0 / LARGEST_FOUND_GAIN, LARGEST_FOUND_GAIN))
        mean = np.asarray(answers.get("illuminant", light.mean(axis=(1, 2))), np.float32)
        red, green, blue = (float(value) for value in mean / max(float(mean.mean()), 1e-6))
        return cls(
            log_gains=log_gains,
            veil=np.maximum(answers.get("veil", np.zeros((3, 1, 1), np.float32)), np.float32(0.0)),
            offset=np.clip(_triple(answers, "offset", 0.0), -1.0, 1.0),
            log_srgb_gain=np.log(np.clip(_triple(answers, "srgb_gain", 1.0), 1 / LARGEST_SRGB_GAIN, LARGEST_SRGB_GAIN)),
            illuminant=(red, green, blue),
            probability=_number(answers, "cast_probability", 1.0),
            strength=_number(answers, "cast_strength", _strength(log_gains)),
        )

    @property
    def share(self) -> float:
        """Share of the cast to remove, 0-1."""
        return float(np.clip((self.probability - IMPROBABLE) / (PROBABLE - IMPROBABLE), 0.0, 1.0))

    def removed_from(self, pixels: Pixels) -> Pixels:
        """The picture without the `share` of veil and cast."""
        part, tables = np.float32(self.share), None
        if self.offset.any() or self.log_srgb_gain.any():
            tables = tables_without_veil(part * self.offset, np.exp(part * self.log_srgb_gain), pixels.dtype)
        return relit(pixels, part * self.log_gains, part * self.veil, tables=tables)

    @property
    def low_confidence_note(self) -> str:
        """Why a person must look at a cast that was removed in part, as a sentence."""
        return f"the colour may belong to the scene: the probability of a cast is {self.probability:.2f}"

    @property
    def values(self) -> dict[str, Value]:
        """Values for the record of the job."""
        red, green, blue = (round(value, 3) for value in self.illuminant)
        return {
            "cast_detected": self.share >= 0.5,
            "cast_strength": round(self.strength * self.share, 3),
            "red": red,
            "green": green,
            "blue": blue,
        }


def _as_grid(answers: Mapping[str, Tensor]) -> Grid:
    light = next(iter(answers.values()))
    if light.shape[0] != 3 or light.ndim not in (1, 3):
        raise ModelUnusable(f"a light of shape {light.shape}, expected (3,) or (3, h, w)", code="model_contract")
    return light.reshape(3, 1, 1) if light.ndim == 1 else light


def _triple(answers: Mapping[str, Tensor], name: str, otherwise: float) -> Triple:
    found = answers.get(name, np.full(3, otherwise, np.float32))
    if found.shape != (3,):
        raise ModelUnusable(f"{name} of shape {found.shape}, expected (3,)", code="model_contract")
    return found


def _number(answers: Mapping[str, Tensor], name: str, otherwise: float) -> float:
    return float(np.clip(answers[name].mean(), 0.0, 1.0)) if name in answers else otherwise


def _strength(log_gains: Grid) -> float:
    """Root mean square of the gains' effect on colour, relative to `FULL_STRENGTH`; at most 1."""
    chroma = log_gains - log_gains.mean(axis=0)
    return min(1.0, float(np.sqrt(np.square(chroma).sum(axis=0).mean())) / FULL_STRENGTH)


def removed_share(cast: Cast) -> float:
    """Share of `cast_part` to remove, 0-1; 1 if a cast is certain."""
    red, _, blue = np.log(np.maximum(cast.illuminant, 1e-4))
    bluer = USUAL_WARMTH - float(red - blue) / 2.0
    by_strength = (cast.strength - LEAST_CAST) / (CLEAR_CAST - LEAST_CAST)
    by_blue = (bluer - BLUER) / (CLEARLY_BLUER - BLUER)
    return float(np.clip(max(by_strength, by_blue), 0.0, 1.0))


def _gains(pixels: Pixels, light: Triple, share: float) -> Triple:
    """Factors of linear red, green and blue that remove `share` of the cast and keep the mean luminance."""
    warmth, tint = cast_part(light)
    # The inverse of the axes in `cast_part`; green is unchanged.
    logs = np.array([warmth + tint, 0.0, tint - warmth]) * -share
    gains = np.clip(np.exp(logs), 1.0 / LARGEST_GAIN, LARGEST_GAIN)
    mean = linear_from_pixels(reduced(pixels)).mean(axis=(0, 1))
    before, after = float(mean @ LUMINANCE_WEIGHTS), float((mean * gains) @ LUMINANCE_WEIGHTS)
    kept: Triple = (gains * (before / max(after, 1e-6))).astype(np.float32)
    return kept


def cast_part(light: Triple) -> tuple[float, float]:
    """Estimate the part of the light's colour that is a cast, as log ratios: blue to red, and green to magenta.

    The estimated colour of the light is the sum of the cast and the colour of the scene. Scenes are slightly warm on
    average, and vary far more from blue to red than from green to magenta. The most probable cast is the deviation from
    this average, reduced by the scenes' share of the variance. Far on the blue side this share is close to 0. The
    result never exceeds the estimate itself, so that neutral light stays neutral.
    """
    red, green, blue = np.log(np.maximum(light, 1e-4))
    warmth, tint = float(red - blue) / 2.0, float(red + blue) / 2.0 - float(green)
    deviation = warmth - USUAL_WARMTH
    cast = deviation * float(np.interp(-deviation, (0.0, CLEARLY_BLUER), (WARMTH_SHARE, BLUE_SHARE)))
    return min(max(cast, min(0.0, warmth)), max(0.0, warmth)), TINT_SHARE * tint


def _multiplied(pixels: Pixels, gains: Triple) -> Pixels:
    levels = int(np.iinfo(pixels.dtype).max) + 1
    linear = linear_from_srgb(np.linspace(0.0, 1.0, levels, dtype=np.float32))[:, np.newaxis]
    # A gain below 1 would tint blown-out highlights. The added term keeps 1 at 1 and fades fast below it.
    returned = np.maximum(1.0 - gains, 0.0) * linear**HIGHLIGHT_POWER
    return apply_table(pixels, srgb_from_linear(np.clip(linear * gains + returned, 0.0, 1.0).astype(np.float32)))
