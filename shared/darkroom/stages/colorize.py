"""Adds colours to a greyscale picture."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import ColorizeParameters, Hint
from darkroom.imaging.color import lab_from_image, luma, parse_hex
from darkroom.imaging.filters import resized
from darkroom.imaging.measurement.measure import is_grey
from darkroom.imaging.measurement.noise import estimate_noise
from darkroom.imaging.measurement.toning import is_toned
from darkroom.imaging.picture import Picture, Pixels, to_float, to_pixels
from darkroom.imaging.sampling import native_tiles
from darkroom.imaging.tone.chroma import fit
from darkroom.stages import StageModel, StageOutput, Value, read_model, run_model

#: Side of the square that represents a hint in the network's input, as a share of the longer side.
HINT_SIDE = 0.03
#: Confidence, 0-1, below which colours are moved towards grey; by half at confidence 0.
CLEAR_CONFIDENCE = 0.4
#: Mean confidence, 0-1, below which a person must review the colours.
LOW_CONFIDENCE = 0.35

Maps = Mapping[str, NDArray[np.float32]]


def classical(picture: Picture, parameters: ColorizeParameters, method: str) -> StageOutput:  # noqa: ARG001
    """Raise an error: colorize has no classical method, because colours can only be learned.

    Raises ModelUnusable, code `no_method`.
    """
    raise ModelUnusable(f"colorize has no classical method {method!r}; it needs a model", code="no_method")


def with_model(picture: Picture, parameters: ColorizeParameters, model: StageModel) -> StageOutput:
    """Colorize by a network. A picture with several colours is returned unchanged unless `force` is set.

    Parameters
    ----------
    picture : Picture
        Luma and alpha do not change by a single bit.
    parameters : ColorizeParameters
        `hints` are passed to a network with an input of that name, see `hint_map`. The tint of a toned print is
        taken off first; with `keep_tint` the new colours are added to it.
    model : StageModel
        It returns chroma of any size and optionally `confidence`; or pixels.
    """
    grey = is_grey(picture.pixels)
    toned = not grey and is_toned(picture.pixels, estimate_noise(native_tiles(picture.pixels)).sigma)
    if not (grey or toned or parameters.force):
        note = "the picture has colour already; force=true colorizes it all the same"
        return StageOutput(picture=picture, notes=(note,), values={"greyscale": False})
    seen = picture.with_pixels(without_tint(picture.pixels)) if toned and not parameters.keep_tint else picture
    if model.answer == "chroma":
        output = _by_chroma(seen, parameters, model)
    else:
        output = StageOutput(picture=seen.with_pixels(run_model(model, seen.pixels)), notes=_ignored(parameters.hints))
    return replace(output, values={"greyscale": grey, "toned": toned, **output.values})


def without_tint(pixels: Pixels) -> Pixels:
    """The picture (H, W, 3) in grey; its luma stays."""
    grey: Pixels = np.repeat(to_pixels(luma(pixels), pixels.dtype)[..., np.newaxis], 3, axis=2)  # type: ignore[assignment]
    return grey


def _tint(pixels: Pixels, size: tuple[int, ...]) -> NDArray[np.float32]:
    """a* and b* of the picture itself at another size, (2, h, w)."""
    small = resized(pixels, size[0], size[1])
    return np.ascontiguousarray(lab_from_image(to_float(small))[..., 1:].transpose(2, 0, 1))


def _by_chroma(picture: Picture, parameters: ColorizeParameters, model: StageModel) -> StageOutput:
    hints = parameters.hints
    shown = hint_map(hints, model.reduced(picture.height, picture.width))
    maps = read_model(model, picture.pixels, {"hints": shown})
    notes = () if "hints" in model.extra else _ignored(hints)
    chroma, confidence = faded(maps)
    values: dict[str, Value] = {"mean_chroma": _rounded(np.hypot(*chroma)), **confidence}
    if parameters.keep_tint:
        chroma = chroma + _tint(picture.pixels, chroma.shape[1:])
    return StageOutput(
        picture=picture.with_pixels(coloured(picture.pixels, chroma)),
        notes=notes,
        values=values,
        low_confidence=confidence.get("confidence", 1.0) < LOW_CONFIDENCE,
    )


def hint_map(hints: tuple[Hint, ...], size: tuple[int, int]) -> NDArray[np.float32]:
    """Hints as an input tensor: (3, h, w) with a* and b* of CIE L*a*b*, and a mask that is 1 where a colour is set.

    Each hint is a small square. Where two overlap, the later one counts. Without hints all values are 0.
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
    """The first map, a* and b* (2, h, w), weaker where the confidence is low; and the mean confidence.

    Unchanged for a network that returns no `confidence`.
    """
    chroma = next(iter(maps.values()))
    if "confidence" not in maps:
        return chroma, {}
    confidence = np.clip(maps["confidence"], 0.0, 1.0)
    weight = 0.5 + 0.5 * np.minimum(confidence / CLEAR_CONFIDENCE, 1.0)
    small = resized(np.ascontiguousarray(weight[0]), *chroma.shape[1:])
    return chroma * small, {"confidence": _rounded(confidence)}


def coloured(pixels: Pixels, chroma: NDArray[np.float32]) -> Pixels:
    """The picture with the colours `chroma`, (2, h, w), aligned with its edges."""
    small = np.ascontiguousarray(chroma.transpose(1, 2, 0))
    return fit(pixels, small).on(pixels)


def _ignored(hints: tuple[Hint, ...]) -> tuple[str, ...]:
    return (f"the model takes no hints; {len(hints)} were ignored",) if hints else ()


def _rounded(values: NDArray[np.float32]) -> float:
    return round(float(values.mean()), 3)
