"""How does a picture lose a colour cast and keep the colours of its scene?"""

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
from darkroom.imaging.veil import stretched, veil_probability
from darkroom.stages import StageModel, StageOutput, Tensor, Value, read_model, run_model

#: Below the first strength a cast is left alone, from the second on it is removed as far as `cast_part` says.
LEAST_CAST, CLEAR_CAST = 0.1, 0.35
#: Share of the deviation from a usual scene's light that is cast and not scene. These and the strengths above gave the
#: least error over 600 photographs with and without casts of 15 to 60 %.
WARMTH_SHARE, TINT_SHARE = 0.65, 0.85
#: Scenes are seldom blue: light that is bluer than usual by the second (half the log ratio of red to blue) is a cast
#: whatever its strength, by the first it may be one; and of such a deviation this share is cast.
BLUER, CLEARLY_BLUER, BLUE_SHARE = 0.3, 0.4, 0.95
#: No channel is multiplied by more, nor divided by more.
LARGEST_GAIN = 2.5
#: A network's gains are trusted farther: water swallows nine tenths of the red.
LARGEST_FOUND_GAIN = 12.0
#: Probability of a cast below which it is left alone, and from which it is removed wholly. Source: of 149 photographs
#: without a cast 22 % were made visibly worse and approved with 0.7 and 0.8, 3 % with these.
IMPROBABLE, PROBABLE = 0.9, 0.98
#: Root mean square of the logarithms of the gains that counts as strength 1.
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
        The last one stretches each channel (`veil.stretched`) and divides by nothing. Of the others: how the light is
        estimated, see `estimate_light`. How much of it is removed depends on the cast's strength
        (`estimate_cast`): nothing below 0.1, all that is probably cast (`cast_part`) from 0.35 on; and all of a
        clearly blue one, whose strength says little: it makes the brown parts of a scene neutral.

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

    A network that returns a light, for the whole picture or on a coarse grid, has it divided out in linear light at
    full size, after the veil that it may have found too (under water, on faded prints). If it returns the probability
    of a cast, an improbable one stays. One between the two limits is removed in part, and the output is doubtful. A
    network that returns pixels gets the cast's `strength` and the `norm` if it has such inputs.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is. Greyscale pictures stay as they are.
    parameters : WhiteBalanceParameters
    model : StageModel
        Its answers by name: the first one is the light, (3,) or (3, h, w), relative to a neutral one; `veil` (3, h, w)
        in linear light; `illuminant` (3,); `cast_probability` and `cast_strength` (1,).
    """
    if model.answer == "pixels":
        return _with_pixels(picture, parameters, model)
    if is_grey(picture.pixels):
        return StageOutput(picture=picture, notes=("the picture has no colours",), values={"cast_detected": False})
    found = Found.read(read_model(model, picture.pixels))
    if found.share == 0.0:
        return StageOutput(picture=picture, notes=("no colour cast found",), values=found.values)
    pixels = relit(picture.pixels, found.log_gains * np.float32(found.share), found.veil * np.float32(found.share))
    output = StageOutput(picture=picture.with_pixels(pixels), values=found.values)
    return output if found.share == 1.0 else replace(output, doubtful=True, notes=(found.doubt,))


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
class Found:
    """What a network says about the light."""

    #: Logarithms of the gains that would make it neutral, (3, h, w).
    log_gains: Grid
    #: Linear light in front of the scene, (3, h, w).
    veil: Grid
    #: Red, green, blue of the light in linear sRGB; their mean is 1.
    illuminant: tuple[float, float, float]
    #: 0-1; how probable a cast is, and how strong the one found.
    probability: float
    strength: float

    @classmethod
    def read(cls, answers: Mapping[str, Tensor]) -> "Found":
        """From a network's answers by name; what it does not tell follows from the light, which comes first."""
        light = _as_grid(answers)
        log_gains = -np.log(np.clip(light, 1.0 / LARGEST_FOUND_GAIN, LARGEST_FOUND_GAIN))
        mean = np.asarray(answers.get("illuminant", light.mean(axis=(1, 2))), np.float32)
        red, green, blue = (float(value) for value in mean / max(float(mean.mean()), 1e-6))
        return cls(
            log_gains=log_gains,
            veil=np.maximum(answers.get("veil", np.zeros((3, 1, 1), np.float32)), np.float32(0.0)),
            illuminant=(red, green, blue),
            probability=_number(answers, "cast_probability", 1.0),
            strength=_number(answers, "cast_strength", _strength(log_gains)),
        )

    @property
    def share(self) -> float:
        """How much of the cast is taken away, 0-1."""
        return float(np.clip((self.probability - IMPROBABLE) / (PROBABLE - IMPROBABLE), 0.0, 1.0))

    @property
    def doubt(self) -> str:
        """Why a person must look at a cast that was removed in part, as a sentence."""
        return f"the colour may belong to the scene: the probability of a cast is {self.probability:.2f}"

    @property
    def values(self) -> dict[str, Value]:
        """For the record."""
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


def _number(answers: Mapping[str, Tensor], name: str, otherwise: float) -> float:
    return float(np.clip(answers[name].mean(), 0.0, 1.0)) if name in answers else otherwise


def _strength(log_gains: Grid) -> float:
    """Root mean square of what the gains change in colour, 1 from `FULL_STRENGTH` on."""
    chroma = log_gains - log_gains.mean(axis=0)
    return min(1.0, float(np.sqrt(np.square(chroma).sum(axis=0).mean())) / FULL_STRENGTH)


def removed_share(cast: Cast) -> float:
    """How much of what is probably cast is taken away, 0-1; 1 if there is a cast beyond doubt."""
    red, _, blue = np.log(np.maximum(cast.illuminant, 1e-4))
    bluer = USUAL_WARMTH - float(red - blue) / 2.0
    by_strength = (cast.strength - LEAST_CAST) / (CLEAR_CAST - LEAST_CAST)
    by_blue = (bluer - BLUER) / (CLEARLY_BLUER - BLUER)
    return float(np.clip(max(by_strength, by_blue), 0.0, 1.0))


def _gains(pixels: Pixels, light: Triple, share: float) -> Triple:
    """Factors of linear red, green and blue that take away `share` of the cast and no luminance."""
    warmth, tint = cast_part(light)
    # The inverse of the axes in `cast_part`, with green as the one that stays.
    logs = np.array([warmth + tint, 0.0, tint - warmth]) * -share
    gains = np.clip(np.exp(logs), 1.0 / LARGEST_GAIN, LARGEST_GAIN)
    mean = linear_from_pixels(reduced(pixels)).mean(axis=(0, 1))
    before, after = float(mean @ LUMINANCE_WEIGHTS), float((mean * gains) @ LUMINANCE_WEIGHTS)
    kept: Triple = (gains * (before / max(after, 1e-6))).astype(np.float32)
    return kept


def cast_part(light: Triple) -> tuple[float, float]:
    """What of an estimated light's colour is cast and not scene, as log ratios: blue to red, and green to magenta.

    The estimate is the sum of both. Scenes vary around a slight warmth, far more from blue to red than from green to
    magenta; the most probable cast is the deviation from that, shrunk by the scenes' share of the variance, which is
    next to nothing far on the blue side. It never exceeds the estimate itself: neutral stays neutral.
    """
    red, green, blue = np.log(np.maximum(light, 1e-4))
    warmth, tint = float(red - blue) / 2.0, float(red + blue) / 2.0 - float(green)
    deviation = warmth - USUAL_WARMTH
    cast = deviation * float(np.interp(-deviation, (0.0, CLEARLY_BLUER), (WARMTH_SHARE, BLUE_SHARE)))
    return min(max(cast, min(0.0, warmth)), max(0.0, warmth)), TINT_SHARE * tint


def _multiplied(pixels: Pixels, gains: Triple) -> Pixels:
    levels = int(np.iinfo(pixels.dtype).max) + 1
    linear = linear_from_srgb(np.linspace(0.0, 1.0, levels, dtype=np.float32))[:, np.newaxis]
    # A gain below 1 would tint what is blown out; the added term brings 1 back to 1 and fades fast below it.
    returned = np.maximum(1.0 - gains, 0.0) * linear**HIGHLIGHT_POWER
    return apply_table(pixels, srgb_from_linear(np.clip(linear * gains + returned, 0.0, 1.0).astype(np.float32)))
