"""How does a picture lose a colour cast and keep the colours of its scene?"""

import numpy as np

from shared.imaging.color import LUMINANCE_WEIGHTS, apply_table, linear_from_pixels, linear_from_srgb, srgb_from_linear
from shared.imaging.illuminant import USUAL_WARMTH, Cast, Triple, estimate_cast, estimate_light
from shared.imaging.picture import Picture, Pixels
from shared.imaging.sampling import reduced
from shared.parameters import WhiteBalanceParameters
from shared.stages import StageModel, StageOutput, Value, run_model

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
#: How close to the top of the range a value keeps its place: what is blown out stays white.
HIGHLIGHT_POWER = 32


def classical(picture: Picture, parameters: WhiteBalanceParameters, method: str) -> StageOutput:
    """Divide by the colour of the cast, in linear light (von Kries), keeping the mean luminance.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is. Greyscale pictures stay as they are.
    parameters : WhiteBalanceParameters
        A larger `norm` trusts the brighter pixels more; 1 is grey-world.
    method : {"shades_of_grey", "grey_world", "white_patch", "grey_edge"}
        How the light is estimated, see `estimate_light`. How much of it is removed depends on the cast's strength
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


def with_model(picture: Picture, parameters: WhiteBalanceParameters, model: StageModel) -> StageOutput:
    """Balance by a network, which is told the cast's `strength` and the `norm` if it asks for them."""
    cast = estimate_cast(picture.pixels)
    values: dict[str, Value] = {
        "cast_detected": removed_share(cast) >= 1.0,
        "cast_strength": round(cast.strength, 3),
    }
    pixels = run_model(model, picture.pixels, {"strength": cast.strength, "norm": parameters.norm})
    return StageOutput(picture=picture.with_pixels(pixels), values=values)


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
