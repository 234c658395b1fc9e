"""Runs a stage by a mask: `repair` fills it, `background` corrects its matte by it."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from darkroom.domain.errors import BadPipeline
from darkroom.domain.parameters import BackgroundParameters, MaskedParameters
from darkroom.imaging.marks import Marked, marked
from darkroom.imaging.matting.strokes import corrected_matte
from darkroom.imaging.picture import Picture, Pixels, to_pixels
from darkroom.stages import StageOutput
from darkroom.stages.background import cut_by, feathered
from darkroom.stages.repair import filled


def run_masked(
    picture: Picture, parameters: MaskedParameters, mask: Picture, unmasked: Callable[[], StageOutput]
) -> StageOutput:
    """Run `repair` or `background` by a mask.

    Parameters
    ----------
    picture : Picture
    parameters : MaskedParameters
        Their class selects the stage.
    mask : Picture
        As large as the picture. For `repair` white is filled, and nothing else changes. For `background` white belongs
        to the subject and black does not; what is grey or transparent is decided by the stage and by the colours of
        what is marked.
    unmasked : callable
        Runs the stage without the mask. It is called for `background` only, if the mask leaves pixels undecided.

    Raises
    ------
    BadPipeline
        Code `bad_mask`: the mask has another size, marks nothing, or leaves nothing.
    """
    _require_size(mask, picture)
    white, black = marked(mask)
    if isinstance(parameters, BackgroundParameters):
        return _cut_out(picture, parameters.feather, (white, black), unmasked)
    _require(bool(white.any()), "the mask marks nothing: no pixel of it is white")
    _require(not white.all(), "the mask covers the whole picture: there is nothing to fill it from")
    return filled(picture, white)


def _cut_out(
    picture: Picture, feather: float, marks: tuple[Marked, Marked], unmasked: Callable[[], StageOutput]
) -> StageOutput:
    white, black = marks
    _require(bool(white.any() or black.any()), "the mask marks nothing: no pixel of it is white or black")
    if (white | black).all():
        return cut_by(picture, feathered(_as_matte(white, picture), feather))
    found = unmasked()
    before = _matte_of(found, picture)
    matte = corrected_matte(picture.pixels, before, white=white, black=black)
    cut = cut_by(picture, matte)
    # The stage has estimated the colours at the edges that the mask leaves as they are.
    same = cv2.erode((matte == before).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    pixels: Pixels = np.where(same[..., np.newaxis], found.picture.pixels, cut.picture.pixels)
    values = {**found.values, **cut.values}
    return replace(found, picture=cut.picture.with_pixels(pixels), values=values, notes=_notes(found, cut))


def _notes(found: StageOutput, cut: StageOutput) -> tuple[str, ...]:
    """The notes of the stage, if they still hold, and those of the corrected cut."""
    return (*(found.notes if found.values["subject_found"] else ()), *cut.notes)


def _as_matte(white: Marked, picture: Picture) -> Pixels:
    return to_pixels(white.astype(np.float32), picture.pixels.dtype)


def _matte_of(found: StageOutput, picture: Picture) -> Pixels:
    """The matte of a cut; all background if no subject was found."""
    alpha = found.picture.alpha
    if alpha is None or not found.values["subject_found"]:
        return np.zeros(picture.pixels.shape[:2], picture.pixels.dtype)
    return alpha


def _require_size(mask: Picture, picture: Picture) -> None:
    sizes = f"the mask has {mask.width}x{mask.height} pixels, the picture {picture.width}x{picture.height}"
    _require((mask.height, mask.width) == (picture.height, picture.width), f"{sizes}; both must be equal")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BadPipeline(message, code="bad_mask")
