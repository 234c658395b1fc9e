"""Photographs that are spoilt in known ways, for each preset.

The photographs are clean, so the photograph itself is the truth. Photograph number N has the seed N, so every case is
the same in each run.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.filters import resized
from darkroom.imaging.picture import Image, Pixels, to_float
from models.evaluation.white_balance import CASTS
from models.training import blur, damage, lighting
from models.training.degradations import film_grain, gaussian_noise, jpeg, reduced, to_u8
from models.training.mattes import photographs_with_matte, read_pair
from models.training.mixtures import degraded, random_mixture
from models.training.photographs import is_validation, read_rgb

#: Largest number of pixels of a photograph; a larger one is reduced, for speed.
MOST_PIXELS = 160_000
#: Change of any channel, 0-255, from which a pixel counts as damaged. Source: as in models/evaluation/repair.py.
VISIBLE = 8
#: Presets that are judged by the matte of their subject.
CUT_OUT_PRESETS = ("cutout", "product")
#: Fault of a photograph that is given as it is.
CLEAN = "clean"
#: Fault of a photograph that is given to be cut out.
SUBJECT = "subject"

Mask = NDArray[np.bool_]
Spoil = Callable[[Image, np.random.Generator], Image]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One picture for one preset, with its truth."""

    preset: str
    #: File name of the photograph.
    photograph: str
    #: Name of the fault.
    fault: str
    given: Pixels
    #: The photograph without the fault, at its own size.
    wanted: Pixels
    #: Where the subject is, (H, W); None if the case is no cut-out.
    subject: Mask | None = None
    #: Where damage was drawn, (H, W); None if none was drawn.
    damaged: Mask | None = None


def photograph_cases(paths: Sequence[Path], presets: Sequence[str]) -> Iterator[Case]:
    """All faults of all `presets` for each photograph."""
    for number, path in enumerate(paths):
        photograph = bounded(read_rgb(path))
        for preset in presets:
            for fault in FAULTS_OF.get(preset, ()):
                yield spoilt(preset, path.name, photograph, fault, np.random.default_rng(number))


def spoilt(preset: str, name: str, photograph: Pixels, fault: str, rng: np.random.Generator) -> Case:
    """The case of one photograph (H, W, 3) with even sides and one fault."""
    wanted = _grey(photograph) if fault in GREY else photograph
    given = to_u8(SPOIL[fault](to_float(wanted), rng))
    damaged = (np.abs(given.astype(np.int16) - wanted) > VISIBLE).any(axis=2) if fault in DAMAGE else None
    truth = photograph if fault == "grey" else wanted
    return Case(preset=preset, photograph=name, fault=fault, given=given, wanted=truth, damaged=damaged)


def cut_out_cases(paths: Sequence[Path], presets: Sequence[str]) -> Iterator[Case]:
    """Each photograph with a matte, for each of the `presets` that cuts out."""
    for path in paths:
        pair = read_pair(path)
        photograph, subject = pair[..., :3].copy(), pair[..., 3] > 127
        for preset in (each for each in presets if each in CUT_OUT_PRESETS):
            yield Case(
                preset=preset,
                photograph=path.name,
                fault=SUBJECT,
                given=photograph,
                wanted=photograph,
                subject=subject,
            )


def photograph_paths(folder: Path, *, validation: bool) -> list[Path]:
    """The photographs of one part of the split."""
    return [path for path in sorted(folder.glob("photos/*.jpg")) if is_validation(path.name) == validation]


def matte_paths(folder: Path, *, validation: bool) -> list[Path]:
    """The photographs with a matte of one part of the split."""
    return [path for path in photographs_with_matte(folder) if is_validation(path.name) == validation]


def spread(paths: Sequence[Path], limit: int) -> list[Path]:
    """At most `limit` paths, evenly spaced, so that every source is among them."""
    return [paths[int(place)] for place in np.linspace(0, len(paths) - 1, min(limit, len(paths)))]


def bounded(photograph: Pixels) -> Pixels:
    """The photograph with at most `MOST_PIXELS` pixels and even sides."""
    height, width = photograph.shape[:2]
    factor = min(1.0, (MOST_PIXELS / (height * width)) ** 0.5)
    height, width = (2 * max(1, int(side * factor / 2)) for side in (height, width))
    if factor < 1.0:
        return resized(photograph, height, width)
    return photograph[:height, :width].copy()


def _grey(photograph: Pixels) -> Pixels:
    return cv2.cvtColor(cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)


def _veiled(image: Image, rng: np.random.Generator) -> Image:
    share = np.float32(rng.uniform(0.2, 0.6))
    return image * (1 - share) + rng.random(3, dtype=np.float32) * share


def _dark(image: Image, rng: np.random.Generator) -> Image:
    exposure = lighting.some_exposure(rng)
    return lighting.photon_noise(lighting.underexposed(image, exposure), exposure, rng)


def _moved(image: Image, rng: np.random.Generator) -> Image:
    kernel = blur.straight_motion(float(rng.uniform(4, 13)), float(rng.uniform(0, np.pi)))
    return gaussian_noise(blur.blurred(image, kernel), 1.0, rng)


def _defocused(image: Image, rng: np.random.Generator) -> Image:
    return gaussian_noise(blur.blurred(image, blur.defocus(float(rng.uniform(1, 3.5)))), 1.0, rng)


def _cast(image: Image, rng: np.random.Generator) -> Image:
    casts = [cast for name, cast in CASTS.items() if name != "none"]
    return casts[int(rng.integers(len(casts)))](image, rng)


#: Every fault by its name, from the photograph to the given picture.
SPOIL: Mapping[str, Spoil] = {
    CLEAN: lambda image, _: image,
    "noise": lambda image, rng: gaussian_noise(image, float(rng.uniform(5, 35)), rng),
    "grain": lambda image, rng: film_grain(image, float(rng.uniform(5, 20)), rng, radius=0.7, coloured=False),
    "motion": _moved,
    "defocus": _defocused,
    "blocks": lambda image, rng: jpeg(image, int(rng.integers(10, 60))),
    "low light": _dark,
    "cast": _cast,
    "veil": _veiled,
    "mixture": lambda image, rng: degraded(image, random_mixture(rng), rng),
    "damage": lambda image, rng: damage.damaged(image, rng)[0],
    "grey, damage": lambda image, rng: damage.damaged(image, rng)[0],
    "grey": lambda image, _: image,
    "half size": lambda image, _: reduced(image, 2),
    "soft": lambda image, _: blur.blurred(image, blur.softness(0.7)),
}
#: Faults of a photograph without colours.
GREY = ("grey", "grey, damage")
#: Faults that hide parts of the photograph.
DAMAGE = ("damage", "grey, damage")
#: The faults that each preset receives.
FAULTS_OF: Mapping[str, Sequence[str]] = {
    "auto": (CLEAN, "noise", "motion", "blocks", "low light", "cast", "veil"),
    "restore": (CLEAN, "damage", "grey, damage", "mixture"),
    "full": (CLEAN, "mixture"),
    "repair": (CLEAN, "damage", "grey, damage"),
    "denoise": (CLEAN, "noise", "grain"),
    "deblur": (CLEAN, "motion", "defocus"),
    "low_light": (CLEAN, "low light"),
    "color_cast": (CLEAN, "cast", "veil"),
    "colorize": ("grey",),
    "upscale": ("half size",),
    "sharpen": ("soft",),
    "optimize": (CLEAN,),
}
