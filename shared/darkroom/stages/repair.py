"""Removes scratches, dust, creases and tears and leaves all other pixels unchanged."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.parameters import RepairParameters
from darkroom.imaging.filters import box_mean
from darkroom.imaging.picture import Image, Picture, Pixels, Plane, to_float, to_pixels
from darkroom.imaging.places import places
from darkroom.stages import StageModel, StageOutput, run_model
from darkroom.stages.windows import apply_to_windows

#: Widest mark in pixels that the classical method detects as damage.
WIDEST = 9
#: Least step of luma, range [0, 1], between damage and its surroundings at sensitivity 0.5.
LEAST_STEP = 0.35
#: Least ratio of the step at damage to the mean step around it. Source: in 65 undamaged photographs a ratio of 6 marks
#: 0.44 % of the pixels, 8 marks 0.20 %, 10 marks 0.09 %; 12 misses scratches 4 pixels wide.
STANDS_OUT = 10.0
#: Half side in pixels of the window for this mean step.
AROUND = 24
#: Pixels around detected damage that are repaired too, because damage discolours them.
RIM = 1
#: Radius in pixels of the inpainting.
RADIUS = 3
#: Share of damaged pixels above which a person must review the result.
MUCH = 0.15
#: Damage is certain if it is also detected at this share of the sensitivity: for the built-in network a probability of
#: 0.996 instead of 0.97. Source: as `REPAIR_EVIDENCE` in shared/darkroom/domain/parameters.py.
SURE_SENSITIVITY = 0.6

Found = NDArray[np.bool_]


def classical(picture: Picture, parameters: RepairParameters, method: str) -> StageOutput:  # noqa: ARG001
    """Find thin bright and dark marks by morphology, and inpaint them from their borders.

    Opening a picture removes bright marks up to nine pixels wide, closing removes dark ones. A removed mark is damage
    if its step in luma is large, and far larger than the mean step around it. Thin parts of the scene, such as wires in
    front of the sky, are detected as damage too.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is.
    parameters : RepairParameters
        A larger `sensitivity` finds fainter marks, in busier surroundings: luma steps of 0.7 at 0, 0.35 at 0.5, 0.07
        at 1. With `evidence` nothing is repaired unless at least that share of the picture is detected at 0.6 of the
        sensitivity too: most single marks belong to the scene.
    method : {"telea"}
        The fast marching method fills the detected marks. 0.15 s a megapixel, more for many marks.

    References
    ----------
    J. Serra, "Image Analysis and Mathematical Morphology", Academic Press, 1982 (top hats).
    A. Telea, "An Image Inpainting Technique Based on the Fast Marching Method", Journal of Graphics Tools 9(1), 2004,
    https://doi.org/10.1080/10867651.2004.10487596

    Examples
    --------
    >>> import numpy as np
    >>> scratched = np.full((64, 64, 3), 90, np.uint8)
    >>> scratched[:, 30:32] = 250
    >>> int(classical(Picture(pixels=scratched), RepairParameters(), "telea").picture.pixels.max())
    90
    """
    return _repaired(picture, parameters, lambda sensitivity: _painted(picture.pixels, sensitivity))


def _painted(pixels: Pixels, sensitivity: float) -> Pixels:
    def on_image(image: Image) -> Image:
        return inpainted(image, marks(image, sensitivity))

    return apply_to_windows(pixels, on_image, halo=WIDEST + AROUND + RIM + RADIUS)


def with_model(picture: Picture, parameters: RepairParameters, model: StageModel) -> StageOutput:
    """Repair by a network that detects and fills in one step. It receives `sensitivity` if that is one of its inputs.

    Pixels that the network does not change are undamaged: the share of changed pixels is the share of damage. With
    `evidence` the network runs a second time with less sensitivity if the first run detected at least that share.
    """
    return _repaired(
        picture, parameters, lambda sensitivity: run_model(model, picture.pixels, {"sensitivity": sensitivity})
    )


def _repaired(picture: Picture, parameters: RepairParameters, paint: Callable[[float], Pixels]) -> StageOutput:
    """The result of `paint` at the given sensitivity, if there is enough evidence of damage."""
    pixels = paint(parameters.sensitivity)
    share = _changed_share(pixels, picture.pixels)
    if share == 0.0:
        return StageOutput(picture=picture, notes=("no damage found",), values={"damaged_share": 0.0})
    sure = min(share, parameters.evidence)
    if 0.0 < parameters.evidence <= share:
        sure = _changed_share(paint(SURE_SENSITIVITY * parameters.sensitivity), picture.pixels)
    if sure < parameters.evidence:
        return _left(picture, share, parameters.evidence)
    much = share > MUCH
    notes = (f"{share:.0%} of the picture was painted over",) if much else ()
    # Four significant digits, so that one pixel of a large picture is not rounded to 0.
    values = {"damaged_share": float(f"{share:.4g}")}
    return StageOutput(
        picture=picture.with_pixels(pixels),
        notes=notes,
        values=values,
        low_confidence=much,
        places=places(_changed(pixels, picture.pixels)),
    )


def filled(picture: Picture, found: Found) -> StageOutput:
    """Fill the pixels of a given mask (H, W), which is neither empty nor full. All other pixels stay unchanged.

    Nothing is searched: the caller has decided what is damage.
    """
    rows, columns = _surrounding_box(found)
    part = to_pixels(inpainted(to_float(picture.pixels[rows, columns]), found[rows, columns]), picture.pixels.dtype)
    pixels = picture.pixels.copy()
    pixels[rows, columns] = part
    share = float(f"{float(found.mean()):.4g}")
    return StageOutput(
        picture=picture.with_pixels(pixels),
        notes=(f"the mask was filled: {share:.2%} of the picture",),
        values={"damaged_share": share},
        places=places(found),
    )


def _surrounding_box(found: Found) -> tuple[slice, slice]:
    """The rows and columns of the mask, with the pixels around it from which it is filled."""
    spans = []
    for axis in (1, 0):
        inside = np.flatnonzero(found.any(axis=axis))
        spans.append(slice(max(0, int(inside[0]) - 2 * RADIUS), int(inside[-1]) + 1 + 2 * RADIUS))
    return spans[0], spans[1]


def _changed_share(one: Pixels, other: Pixels) -> float:
    return float(_changed(one, other).mean())


def _changed(one: Pixels, other: Pixels) -> Found:
    """(H, W): whether any channel differs."""
    return np.asarray((one != other).any(axis=2))


def _left(picture: Picture, share: float, evidence: float) -> StageOutput:
    """The unchanged input, with the share of suspected damage."""
    note = f"{share:.2%} of the picture may be damage and was left: surely damaged is less than {evidence:.2%}"
    values = {"damaged_share": 0.0, "suspected_share": float(f"{share:.4g}")}
    return StageOutput(picture=picture, notes=(note,), values=values)


def marks(image: Image, sensitivity: float) -> Found:
    """Mask (H, W) of the thin, distinct marks of an image (H, W, 3)."""
    light: Plane = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)  # type: ignore[assignment]
    step = np.maximum(
        cv2.morphologyEx(light, cv2.MORPH_TOPHAT, _disc(WIDEST)),
        cv2.morphologyEx(light, cv2.MORPH_BLACKHAT, _disc(WIDEST)),
    )
    caution = float(np.interp(sensitivity, (0.0, 0.5, 1.0), (2.0, 1.0, 0.2)))
    found = step > caution * np.maximum(LEAST_STEP, STANDS_OUT * box_mean(step, AROUND))
    return cv2.dilate(found.astype(np.uint8), _disc(2 * RIM + 1)) > 0


def inpainted(image: Image, found: Found) -> Image:
    """(H, W, 3) with the pixels of the mask `found` filled from their surroundings; all others unchanged."""
    if not found.any():
        return image
    holes, deep = found.astype(np.uint8), to_pixels(image, np.dtype(np.uint16))
    # OpenCV inpaints three channels of 8 bits or one of 16 bits. With floats in [0, 1] its result leaves the range.
    planes = [cv2.inpaint(np.ascontiguousarray(deep[..., c]), holes, RADIUS, cv2.INPAINT_TELEA) for c in range(3)]
    filled = to_float(np.dstack(planes).astype(np.uint16, copy=False))
    return np.where(found[..., np.newaxis], filled, image)


@cache
def _disc(side: int) -> NDArray[np.uint8]:
    """A disc, which is isotropic: marks of any direction are thin relative to it."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)
