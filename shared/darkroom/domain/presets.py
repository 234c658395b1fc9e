"""Defines the presets.

A preset is data: for each stage whether it runs always or only if the measurements require it, its parameters, and the
parameters of `finish`. `darkroom presets` prints this table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from darkroom.domain.measurements import Measurements
from darkroom.domain.parameters import REPAIR_EVIDENCE, Stage
from darkroom.domain.pipeline import Preset

#: Noise sigma (0-255 scale) above which noise is removed; below it the risk to fine texture is larger than the gain.
NOISE_SIGMA = 4.0
#: Blockiness above which JPEG blocks are visible.
BLOCKINESS = 0.25
#: Blur radius in pixels above which blur is visible at full size; sharp photographs measure about 0.5.
BLUR_RADIUS = 1.0
#: Median luma below which a picture is underexposed.
DARK_MEDIAN = 0.18
#: Strength above which a cast is more likely than a coloured scene.
CAST_STRENGTH = 0.45
#: From this strength on a network looks for a cast; it leaves the picture alone if there is none. Source: all but
#: 2 of 921 pictures under coloured light that it visibly improves reach it.
POSSIBLE_CAST = 0.02
#: Probability from which one colour covers the picture. Source: none of 65 clean photographs reaches it.
VEIL = 0.9
#: Shorter side in pixels below which a restored print is enlarged.
RESTORE_MIN_SIDE = 1200
#: Smallest side in pixels of the square of a product picture.
PRODUCT_MIN_SIDE = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Whether a preset runs a stage, and how."""

    when: Literal["always", "needed"] = "always"
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetRules:
    """A preset."""

    summary: str
    stages: Mapping[Stage, Rule] = field(default_factory=dict)
    #: Parameters of `finish`.
    output: Mapping[str, JsonValue] = field(default_factory=dict)


def _noise(m: Measurements) -> str | None:
    if m.noise_sigma > NOISE_SIGMA:
        return f"noise sigma {m.noise_sigma:.1f} above {NOISE_SIGMA:g}"
    return f"blockiness {m.blockiness:.2f} above {BLOCKINESS:g}" if m.blockiness > BLOCKINESS else None


def _blur(m: Measurements) -> str | None:
    return f"blur radius {m.blur_radius:.2f} px above {BLUR_RADIUS:g}" if m.blur_radius > BLUR_RADIUS else None


def _darkness(m: Measurements) -> str | None:
    return f"median luma {m.exposure_median:.2f} below {DARK_MEDIAN:g}" if m.exposure_median < DARK_MEDIAN else None


def has_veil(m: Measurements) -> bool:
    """Whether one colour covers the whole picture, which a stretch of the channels removes and gains do not."""
    return not m.greyscale and m.veil > VEIL


def _cast(m: Measurements) -> str | None:
    if has_veil(m):
        return f"the picture has a colour veil, probability {m.veil:.2f} above {VEIL:g}"
    if m.greyscale or m.cast_strength <= CAST_STRENGTH:
        return None
    return f"colour cast {m.cast_strength:.2f} above {CAST_STRENGTH:g}"


def _possible_cast(m: Measurements) -> str | None:
    clear = _cast(m)
    if clear or m.greyscale or m.cast_strength <= POSSIBLE_CAST:
        return clear
    return f"a colour cast is possible: {m.cast_strength:.2f} above {POSSIBLE_CAST:g}"


def _greyscale(m: Measurements) -> str | None:
    if m.greyscale:
        return "the picture is greyscale"
    return "the picture has a single hue" if m.toned else None


def _small(m: Measurements) -> str | None:
    if m.shorter_side >= RESTORE_MIN_SIDE:
        return None
    return f"shorter side {m.shorter_side} px below {RESTORE_MIN_SIDE}"


#: For each stage, why the measurements call for it, or None if they do not.
NEEDS: Mapping[Stage, Callable[[Measurements], str | None]] = {
    "denoise": _noise,
    "deblur": _blur,
    "low_light": _darkness,
    "white_balance": _cast,
    "colorize": _greyscale,
    "upscale": _small,
}

#: The same for a model that leaves alone what needs nothing, so that it may run more often than a classical method.
NEEDS_OF_MODEL: Mapping[Stage, Callable[[Measurements], str | None]] = {"white_balance": _possible_cast}

_NEEDED = Rule(when="needed")
_ALWAYS = Rule()
_DAMAGED = Rule(parameters={"evidence": REPAIR_EVIDENCE})
_REPAIRS: Mapping[Stage, Rule] = dict.fromkeys(("denoise", "deblur", "low_light", "white_balance"), _NEEDED)

PRESET_RULES: Mapping[Preset, PresetRules] = {
    "auto": PresetRules(
        summary="what the measurements call for, and nothing else",
        stages=_REPAIRS,
    ),
    "restore": PresetRules(
        summary="old photographs: scratches, noise, blur, darkness, casts, fading, small prints doubled, light finish",
        stages={"repair": _DAMAGED, **_REPAIRS, "upscale": Rule(when="needed", parameters={"scale": 2.0})},
        output={"unfade": 1.0, "smooth": 0.5, "sharpen": 0.5},
    ),
    "product": PresetRules(
        summary="catalogue: subject on a white square of at least 1500 px, crisp, small JPEG",
        stages={
            **_REPAIRS,
            "background": _ALWAYS,
            "upscale": Rule(parameters={"min_side": PRODUCT_MIN_SIDE}),
        },
        output={
            "background": "#FFFFFF",
            "crop_to_subject": True,
            "aspect": "1:1",
            "min_side": PRODUCT_MIN_SIDE,
            "sharpen": 0.4,
            "format": "jpeg",
            "quality": 88,
        },
    ),
    "full": PresetRules(
        summary="every enhancement, needed or not, enlarged twice; greyscale is colorized, the background stays",
        stages={
            "repair": _DAMAGED,
            "denoise": _ALWAYS,
            "deblur": _ALWAYS,
            "low_light": _ALWAYS,
            "white_balance": _ALWAYS,
            "colorize": _NEEDED,
            "upscale": Rule(parameters={"scale": 2.0}),
        },
        output={"unfade": 1.0, "smooth": 0.5, "sharpen": 0.5},
    ),
    "repair": PresetRules(summary="scratches, dust, creases and tears only", stages={"repair": _ALWAYS}),
    "denoise": PresetRules(summary="noise and grain only", stages={"denoise": _ALWAYS}),
    "deblur": PresetRules(summary="blur only", stages={"deblur": _ALWAYS}),
    "low_light": PresetRules(summary="underexposure only", stages={"low_light": _ALWAYS}),
    "color_cast": PresetRules(summary="colour cast only", stages={"white_balance": _ALWAYS}),
    "colorize": PresetRules(summary="colour for greyscale pictures", stages={"colorize": _ALWAYS}),
    "cutout": PresetRules(
        summary="subject on a transparent background",
        stages={"background": _ALWAYS},
        output={"background": "transparent"},
    ),
    "upscale": PresetRules(summary="twice the size", stages={"upscale": Rule(parameters={"scale": 2.0})}),
    "sharpen": PresetRules(summary="clearer edges and text, no other change", output={"sharpen": 0.8}),
    "optimize": PresetRules(summary="a smaller file, no enhancement", output={"quality": 82}),
}
