"""Removes scratches, dust, creases and tears and leaves all other pixels unchanged."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.parameters import RepairParameters
from darkroom.imaging.filters import box_mean
from darkroom.imaging.picture import Image, Picture, Pixels, Plane, to_float, to_pixels
from darkroom.stages import StageModel, StageOutput, run_model
from darkroom.stages.windows import apply_to_windows

#: Widest damage in pixels that the classical method sees: anything wider is part of the scene to it.
WIDEST = 9
#: Least step in luma, at sensitivity 0.5, from damage to what lies around it.
LEAST_STEP = 0.35
#: Damage stands out so many times more than what is usual within `AROUND` pixels; texture does not. Of 65 undamaged
#: photographs six times finds 0.44 %, eight times 0.20 %, ten times 0.09 %; twelve misses scratches 4 pixels wide.
STANDS_OUT, AROUND = 10.0, 24
#: Pixels beside what was found that it has coloured too.
RIM = 1
#: Reach in pixels of the inpainting.
RADIUS = 3
#: A picture of which so much is damaged is for a person to look at.
MUCH = 0.15
#: Damage is sure if it is still found at this share of the sensitivity: with the shipped network at a probability of
#: 0.996 and not of 0.97. Source: as `REPAIR_EVIDENCE` in shared/darkroom/domain/parameters.py.
SURE_SENSITIVITY = 0.6

Found = NDArray[np.bool_]


def classical(picture: Picture, parameters: RepairParameters, method: str) -> StageOutput:  # noqa: ARG001
    """Find thin bright and dark marks by morphology, and paint over them from their borders.

    Marks up to nine pixels wide vanish when a picture is opened (bright ones) or closed (dark ones). What vanishes is
    damage if it is a great step in luma, and far greater than what is usual around it. Whatever of the scene is like
    that, as wires before the sky, is taken for damage too.

    Parameters
    ----------
    picture : Picture
        Alpha stays as it is.
    parameters : RepairParameters
        A larger `sensitivity` finds fainter marks, in busier surroundings: luma steps of 0.7 at 0, 0.35 at 0.5, 0.07
        at 1. With `evidence` nothing is painted unless at least that share of the picture is found at 0.6 of the
        sensitivity too: picture-level evidence, since single marks belong to the scene more often than not.
    method : {"telea"}
        The fast marching method fills what was found. 0.15 s a megapixel, more where much is found.

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
    """Repair by a network that finds and fills at once; it is told `sensitivity` if it asks for it.

    What the network leaves as it was is not damaged: the share of changed pixels is the share of damage. With
    `evidence` the network runs a second time, less sensitive, where the first run found that much.
    """
    return _repaired(
        picture, parameters, lambda sensitivity: run_model(model, picture.pixels, {"sensitivity": sensitivity})
    )


def _repaired(picture: Picture, parameters: RepairParameters, paint: Callable[[float], Pixels]) -> StageOutput:
    """The picture as `paint` answers at the sensitivity asked for, if there is enough evidence of damage."""
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
    # Four significant digits, so that one pixel of a large picture is not rounded to nothing.
    values = {"damaged_share": float(f"{share:.4g}")}
    return StageOutput(picture=picture.with_pixels(pixels), notes=notes, values=values, low_confidence=much)


def _changed_share(one: Pixels, other: Pixels) -> float:
    return float((one != other).any(axis=2).mean())


def _left(picture: Picture, share: float, evidence: float) -> StageOutput:
    """The very input, and what looked like damage in it."""
    note = f"{share:.2%} of the picture may be damage and was left: surely damaged is less than {evidence:.2%}"
    values = {"damaged_share": 0.0, "suspected_share": float(f"{share:.4g}")}
    return StageOutput(picture=picture, notes=(note,), values=values)


def marks(image: Image, sensitivity: float) -> Found:
    """Where (H, W, 3) has thin marks that stand out: (H, W)."""
    light: Plane = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)  # type: ignore[assignment]
    step = np.maximum(
        cv2.morphologyEx(light, cv2.MORPH_TOPHAT, _disc(WIDEST)),
        cv2.morphologyEx(light, cv2.MORPH_BLACKHAT, _disc(WIDEST)),
    )
    caution = float(np.interp(sensitivity, (0.0, 0.5, 1.0), (2.0, 1.0, 0.2)))
    found = step > caution * np.maximum(LEAST_STEP, STANDS_OUT * box_mean(step, AROUND))
    return cv2.dilate(found.astype(np.uint8), _disc(2 * RIM + 1)) > 0


def inpainted(image: Image, found: Found) -> Image:
    """(H, W, 3) with what was `found` painted over from around it; all else as it was."""
    if not found.any():
        return image
    holes, deep = found.astype(np.uint8), to_pixels(image, np.dtype(np.uint16))
    # 16 bits: OpenCV fills three channels of 8 bits and one of 16, and leaves the range with floats from 0 to 1.
    planes = [cv2.inpaint(np.ascontiguousarray(deep[..., c]), holes, RADIUS, cv2.INPAINT_TELEA) for c in range(3)]
    filled = to_float(np.dstack(planes).astype(np.uint16, copy=False))
    return np.where(found[..., np.newaxis], filled, image)


@cache
def _disc(side: int) -> NDArray[np.uint8]:
    """Pixels within a circle: damage of any direction is thin in it."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)
