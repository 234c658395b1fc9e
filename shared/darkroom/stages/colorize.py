"""Adds colours to a greyscale picture."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import ColorizeParameters, Hint
from darkroom.imaging.color import lab_from_image, parse_hex
from darkroom.imaging.filters import resized
from darkroom.imaging.measurement.measure import is_grey
from darkroom.imaging.picture import Picture, Pixels
from darkroom.imaging.tone.chroma import fit
from darkroom.stages import StageModel, StageOutput, Value, read_model, run_model

#: A hint is shown to the network as a square of this share of the longer side.
HINT_SIDE = 0.03
#: Where the network is less sure of its colour than this (0-1), colour fades towards grey, by half at no confidence.
CLEAR_CONFIDENCE = 0.4
#: Below this mean confidence a person should look at the colours.
DOUBTFUL_CONFIDENCE = 0.35

Maps = Mapping[str, NDArray[np.float32]]


def classical(picture: Picture, parameters: ColorizeParameters, method: str) -> StageOutput:  # noqa: ARG001
    """There is none: which colour a grey was cannot be calculated, only learnt.

    Raises ModelUnusable, code `no_method`.
    """
    raise ModelUnusable(f"colorize has no classical method {method!r}; it needs a model", code="no_method")


def with_model(picture: Picture, parameters: ColorizeParameters, model: StageModel) -> StageOutput:
    """Colours by a network. A picture that has colour already comes back as it is unless `force` is set.

    Parameters
    ----------
    picture : Picture
        Its luma stays, to the last bit; so does its alpha.
    parameters : ColorizeParameters
        `hints` reach a network that takes a tensor of that name, see `hint_map`.
    model : StageModel
        One that answers with chroma of any size, and may tell its `confidence` beside; or with pixels.
    """
    grey = is_grey(picture.pixels)
    if not grey and not parameters.force:
        note = "the picture has colour already; force=true colorizes it all the same"
        return StageOutput(picture=picture, notes=(note,), values={"greyscale": False})
    if model.answer == "chroma":
        return _by_chroma(picture, parameters.hints, model, grey=grey)
    pixels = run_model(model, picture.pixels)
    return StageOutput(
        picture=picture.with_pixels(pixels), notes=_ignored(parameters.hints), values={"greyscale": grey}
    )


def _by_chroma(picture: Picture, hints: tuple[Hint, ...], model: StageModel, *, grey: bool) -> StageOutput:
    shown = hint_map(hints, model.reduced(picture.height, picture.width))
    maps = read_model(model, picture.pixels, {"hints": shown})
    notes = () if "hints" in model.extra else _ignored(hints)
    chroma, told = faded(maps)
    values: dict[str, Value] = {"greyscale": grey, "mean_chroma": _rounded(np.hypot(*chroma)), **told}
    return StageOutput(
        picture=picture.with_pixels(coloured(picture.pixels, chroma)),
        notes=notes,
        values=values,
        low_confidence=told.get("confidence", 1.0) < DOUBTFUL_CONFIDENCE,
    )


def hint_map(hints: tuple[Hint, ...], size: tuple[int, int]) -> NDArray[np.float32]:
    """Hints as a network takes them: (3, h, w) with a* and b* of CIE L*a*b* and a mask of 1 where a colour is set.

    Each is a small square; where two overlap the later one counts. Zeros everywhere without hints.
    """
    height, width = size
    shown = np.zeros((3, height, width), np.float32)
    reach = max(1, round(HINT_SIDE * max(size))) // 2
    for hint in hints:
        row, column = min(int(hint.y * height), height - 1), min(int(hint.x * width), width - 1)
        square = np.s_[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
        shown[:2, *square] = lab_from_image(parse_hex(hint.color).reshape(1, 1, 3))[0, 0, 1:, np.newaxis, np.newaxis]
        shown[2, *square] = 1.0
    return shown


def faded(maps: Maps) -> tuple[NDArray[np.float32], Mapping[str, float]]:
    """The first map, a* and b* (2, h, w), weaker where the network is not sure of it; and its mean confidence.

    Unchanged for a network that tells no `confidence`.
    """
    chroma = next(iter(maps.values()))
    if "confidence" not in maps:
        return chroma, {}
    confidence = np.clip(maps["confidence"], 0.0, 1.0)
    weight = 0.5 + 0.5 * np.minimum(confidence / CLEAR_CONFIDENCE, 1.0)
    small = resized(np.ascontiguousarray(weight[0]), *chroma.shape[1:])
    return chroma * small, {"confidence": _rounded(confidence)}


def coloured(pixels: Pixels, chroma: NDArray[np.float32]) -> Pixels:
    """The picture in the colours of (2, h, w), which follow its edges."""
    small = np.ascontiguousarray(chroma.transpose(1, 2, 0))
    return fit(pixels, small).on(pixels)


def _ignored(hints: tuple[Hint, ...]) -> tuple[str, ...]:
    return (f"the model takes no hints; {len(hints)} were left out",) if hints else ()


def _rounded(values: NDArray[np.float32]) -> float:
    return round(float(values.mean()), 3)
