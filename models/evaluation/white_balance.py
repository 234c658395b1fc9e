"""Compares the white balancer with simple methods, on photographs under known lights and veils.

Photographs of the validation split are reduced to 96 pixels on the longer side, since a cast is no detail, put under a
light by the functions of `models.training.lighting` or under a uniform colour, rounded to 8 bits, balanced by the
stage, and compared with what they were.
"""

import colorsys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from darkroom.domain.parameters import WhiteBalanceParameters
from darkroom.imaging.color import LUMINANCE_WEIGHTS, lab_from_image, linear_from_pixels, linear_from_srgb
from darkroom.imaging.measurement.illuminant import estimate_light
from darkroom.imaging.picture import Image, Picture, Pixels, to_float
from darkroom.imaging.tone.relight import relit
from darkroom.imaging.veil import stretched
from darkroom.inference.session import Model
from darkroom.stages import StageOutput
from darkroom.stages.restore import restore
from models.training.degradations import to_u8
from models.training.lighting import black_body, exposed, mixed_light, under_light, veiled, water
from models.training.photographs import is_validation, read_rgb

LONGEST_SIDE = 96
#: One in so many of the photographs that belong to mattes, which are far more than the others.
MATTE_SHARE = 16
#: Mean CIEDE2000 from which a picture is visibly better or worse.
VISIBLE = 1.0
#: What `outcomes` counts.
OUTCOMES = ("changed", "to review", "visibly worse and approved", "visibly better")
ASSUMPTIONS = ("grey_world", "white_patch", "shades_of_grey", "grey_edge")

#: From what is given to the answer.
Method = Callable[[Pixels], Pixels]
#: From a clean image to what is given.
Cast = Callable[[Image, np.random.Generator], Image]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Means over the photographs."""

    #: CIEDE2000 between answer and photograph, mean over the pixels.
    delta_e: float
    #: Degrees between grey and the colour in which the answer shows what was grey.
    angle: float


def table(folder: Path, model: Model) -> str:
    """Markdown: mean colour difference / mean angular error of every method under every light."""
    photographs = [reduced(read_rgb(path)) for path in unseen(folder)]
    competitors = methods(model)
    lines = [_row(["", *competitors]), _row(["---"] * (1 + len(competitors)))]
    told = [_row(["", *OUTCOMES]), _row(["---"] * (1 + len(OUTCOMES)))]
    for name, cast in CASTS.items():
        cases = list(degraded(photographs, cast))
        errors = [judged(cases, method) for method in competitors.values()]
        lines.append(_row([name, *(f"{each.delta_e:.2f} / {each.angle:.2f}°" for each in errors)]))
        told.append(_row([name, *(f"{share:.1%}" for share in outcomes(cases, model))]))
    title = f"{len(photographs)} photographs, mean ΔE2000 / mean angular error"
    return "\n\n".join(
        [title, "\n".join(lines), "What the stage does with the model, share of photographs", "\n".join(told)]
    )


def unseen(folder: Path) -> list[Path]:
    """The validation split: photographs, and some of those that belong to mattes."""
    photographs, others = (
        [path for path in sorted(folder.glob(f"{kind}/*.jpg")) if is_validation(path.name)]
        for kind in ("photos", "mattes")
    )
    return [*photographs, *others[::MATTE_SHARE]]


def reduced(photograph: Pixels) -> Pixels:
    """At most `LONGEST_SIDE` pixels on the longer side."""
    factor = min(1.0, LONGEST_SIDE / max(photograph.shape[:2]))
    height, width = (max(1, round(side * factor)) for side in photograph.shape[:2])
    return cv2.resize(photograph, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def methods(model: Model) -> Mapping[str, Method]:
    """Nothing, the literature's four as they are published, the stage's own use of them, and the model."""
    return {
        "as given": lambda given: given,
        **{name.replace("_", "-"): _divided(name) for name in ASSUMPTIONS},
        "shades-of-grey, norm 30": _divided("shades_of_grey", 30.0),
        "channel stretch": stretched,
        "stage, classical": _stage("shades_of_grey", None),
        "model": _stage("model", model),
    }


def _divided(assumption: str, norm: float = 6.0) -> Method:
    """The whole estimated light divided out, luminance kept; a Minkowski norm of 6 by default, for edges 1."""

    def divide(given: Pixels) -> Pixels:
        light = estimate_light(given, assumption, 1.0 if assumption == "grey_edge" else norm)
        mean = linear_from_pixels(given).mean(axis=(0, 1)) + 1e-6
        kept = float(mean @ LUMINANCE_WEIGHTS) / float((mean / light) @ LUMINANCE_WEIGHTS)
        gains = np.log(kept / light).astype(np.float32).reshape(3, 1, 1)
        return relit(given, gains, np.zeros((3, 1, 1), np.float32))

    return divide


def _stage(method: str, model: Model | None) -> Method:
    return lambda given: balanced(given, method, model).picture.pixels


def balanced(given: Pixels, method: str, model: Model | None) -> StageOutput:
    """What the stage returns with default parameters."""
    return restore("white_balance", Picture(pixels=given), WhiteBalanceParameters(), method, model)


def outcomes(cases: Iterable[tuple[Pixels, Pixels]], model: Model) -> tuple[float, ...]:
    """Shares of `OUTCOMES`."""
    found = []
    for given, photograph in cases:
        output = balanced(given, "model", model)
        gained = delta_e(given, photograph) - delta_e(output.picture.pixels, photograph)
        changed, approved = output.picture.pixels is not given, not output.low_confidence
        found.append((changed, not approved, approved and gained < -VISIBLE, gained > VISIBLE))
    return tuple(np.mean(found, axis=0).tolist())


def degraded(photographs: Sequence[Pixels], cast: Cast) -> Iterable[tuple[Pixels, Pixels]]:
    """What is given, and the photograph, the same at every call."""
    for number, photograph in enumerate(photographs):
        yield to_u8(cast(to_float(photograph), np.random.default_rng(number))), photograph


def judged(cases: Iterable[tuple[Pixels, Pixels]], method: Method) -> Errors:
    """Mean errors of one method."""
    errors = []
    for given, photograph in cases:
        answer = method(given)
        errors.append((delta_e(answer, photograph), angle(given, answer, photograph)))
    means = np.mean(errors, axis=0)
    return Errors(delta_e=float(means[0]), angle=float(means[1]))


def delta_e(answer: Pixels, photograph: Pixels) -> float:
    """Mean CIEDE2000."""
    first, second = (lab_from_image(to_float(each)) for each in (answer, photograph))
    return float(deltaE_ciede2000(first, second).mean())


def angle(given: Pixels, answer: Pixels, photograph: Pixels) -> float:
    """Mean angle in degrees between grey and the colour in which the answer shows what was grey.

    That colour is the ratio of answer and photograph in linear light, at every pixel that is neither black nor clipped
    in any of the three; the photograph itself has 0, whatever lay on it.

    References
    ----------
    Finlayson, Zakizadeh, Gijsenij: The reproduction angular error for evaluating the performance of illuminant
    estimation algorithms, 2017, DOI 10.1109/TPAMI.2016.2582171.
    """
    before, after, wanted = (linear_from_pixels(each) for each in (given, answer, photograph))
    seen = np.stack([before, after, wanted])
    usable = (seen.min(axis=(0, 3)) > 0.002) & (seen.max(axis=(0, 3)) < 0.95)
    if not usable.any():
        return 0.0
    return float(np.degrees(np.arccos(_cosine(after[usable] / wanted[usable]))).mean())


def _cosine(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(colours.sum(axis=1) / (np.linalg.norm(colours, axis=1) * 3**0.5), -1, 1)


def _one_light(draw: Callable[[np.random.Generator], NDArray[np.floating]]) -> Cast:
    return lambda clean, rng: under_light(clean, exposed(draw(rng).astype(np.float32), linear_from_srgb(clean), rng))


def _mixed(clean: Image, rng: np.random.Generator) -> Image:
    lights = [black_body(temperature_k) ** 0.7 for temperature_k in (rng.uniform(2200, 3500), rng.uniform(6000, 12000))]
    light = mixed_light(lights[0], lights[1], clean.shape, rng)
    return under_light(clean, exposed(light, linear_from_srgb(clean), rng))


def _under_water(clean: Image, rng: np.random.Generator) -> Image:
    return veiled(clean, *water(clean.shape, rng))


def _under_colour(clean: Image, rng: np.random.Generator) -> Image:
    opacity = np.float32(rng.uniform(0.2, 0.6))
    colour = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.4, 1), rng.uniform(0.4, 1))
    return clean * (1 - opacity) + np.array(colour, np.float32) * opacity


CASTS: Mapping[str, Cast] = {
    "none": lambda clean, _: clean,
    "one colour over the scene (20 to 60 %, any hue)": _under_colour,
    "any gains (exp(±0.6))": lambda clean, rng: under_light(
        clean, np.exp(rng.uniform(-0.6, 0.6, 3)).astype(np.float32)
    ),
    "mild, any colour (up to 25 %)": _one_light(lambda rng: np.exp(rng.uniform(-0.22, 0.22, 3))),
    "strong, any colour (up to 2.2 times)": _one_light(lambda rng: np.exp(rng.uniform(-0.8, 0.8, 3))),
    "tungsten (2200 to 3500 K)": _one_light(lambda rng: black_body(rng.uniform(2200, 3500)) ** rng.uniform(0.5, 1)),
    "shade (9000 to 20000 K)": _one_light(lambda rng: black_body(rng.uniform(9000, 20000))),
    "fluorescent (green or magenta)": _one_light(
        lambda rng: np.exp([0, rng.choice([-1, 1]) * rng.uniform(0.2, 0.6), 0])
    ),
    "two lights": _mixed,
    "under water": _under_water,
}


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
