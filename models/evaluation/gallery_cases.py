"""Lists the scenes on the gallery sheet of each stage and each preset."""

from collections.abc import Callable

import numpy as np

from darkroom.domain.parameters import Stage
from darkroom.domain.pipeline import Preset
from models.evaluation import scenes
from models.evaluation.scenes import Scene, spoilt, untouched
from models.training import blur


def _denoise() -> list[Scene]:
    return [
        spoilt("white noise, sigma 25", scenes.portrait(), scenes.noisy(25)),
        spoilt("film grain, sigma 20", scenes.cat(), scenes.grained(20)),
        spoilt("JPEG, quality 20", scenes.table(), scenes.compressed(20)),
        untouched("clean", scenes.cat()),
    ]


def _deblur() -> list[Scene]:
    return [
        spoilt("motion, 11 px", scenes.portrait(), scenes.blurred(blur.straight_motion(11, 0.5))),
        spoilt("shaken, 15 px", scenes.table(), scenes.blurred(blur.shaken(15, np.random.default_rng(3)))),
        spoilt("defocus, 3 px", scenes.cat(), scenes.blurred(blur.defocus(3))),
        spoilt("print, defocus 2 px", scenes.label(), scenes.blurred(blur.defocus(2))),
        untouched("sharp", scenes.table()),
    ]


def _repair() -> list[Scene]:
    scratched = [
        spoilt(f"damage {seed}", photograph, scenes.scratched, seed=seed)
        for seed, photograph in ((1, scenes.portrait()), (2, scenes.grey(scenes.cat())), (5, scenes.table()))
    ]
    return [*scratched, untouched("undamaged", scenes.launch_pad())]


def _low_light() -> list[Scene]:
    return [
        spoilt("night, lamps", scenes.launch_pad(), scenes.at_night),
        spoilt("dark table", scenes.table(), scenes.at_night),
        spoilt("dark portrait", scenes.portrait(), scenes.at_night),
        untouched("well exposed", scenes.cat()),
    ]


def _white_balance() -> list[Scene]:
    return [
        spoilt("tungsten light", scenes.table(), scenes.in_tungsten),
        spoilt("tungsten light", scenes.portrait(), scenes.in_tungsten),
        spoilt("under water", scenes.cat(), scenes.under_water),
        untouched("neutral", scenes.portrait()),
        untouched("a table of one colour", scenes.table()),
    ]


def _colorize() -> list[Scene]:
    photographs = (scenes.portrait(), scenes.cat(), scenes.table(), scenes.launch_pad())
    return [Scene(name="greyscale", given=scenes.grey(each), wanted=each) for each in photographs]


def _background() -> list[Scene]:
    return [
        Scene(name="product on a cluttered table", given=scenes.cluttered(), wanted=None),
        Scene(name="product", given=scenes.table(), wanted=None),
        Scene(name="portrait", given=scenes.portrait(), wanted=None),
        Scene(name="fur", given=scenes.cat(), wanted=None),
        Scene(name="object before the sky", given=scenes.launch_pad(), wanted=None),
    ]


def _upscale() -> list[Scene]:
    return [
        spoilt("text on a label, half", scenes.label(), scenes.smaller(2)),
        spoilt("half, JPEG 85", scenes.cat(), scenes.smaller(2, 85)),
        spoilt("half", scenes.portrait(), scenes.smaller(2)),
    ]


#: The scenes of each stage's sheet, created when the sheet is drawn.
STAGES: dict[Stage, Callable[[], list[Scene]]] = {
    "repair": _repair,
    "denoise": _denoise,
    "deblur": _deblur,
    "low_light": _low_light,
    "white_balance": _white_balance,
    "colorize": _colorize,
    "background": _background,
    "upscale": _upscale,
}


def everyday() -> list[Scene]:
    """What people bring."""
    return [
        spoilt("old photograph", scenes.portrait(), scenes.old_print, seed=3),
        Scene(name="product on a cluttered table", given=scenes.cluttered(), wanted=None),
        spoilt("night, lamps", scenes.launch_pad(), scenes.at_night),
        spoilt("tungsten light", scenes.table(), scenes.in_tungsten),
        spoilt("text on a label", scenes.label(), scenes.smaller(2, 80)),
        untouched("nothing to do", scenes.cat()),
    ]


def scenes_of(preset: Preset) -> list[Scene]:
    """The scenes of a preset's sheet: those of its one stage, or what people bring."""
    single: dict[str, Stage] = {"color_cast": "white_balance", "cutout": "background"}
    stage = single.get(preset, preset)
    return next((make() for name, make in STAGES.items() if name == stage), None) or everyday()
