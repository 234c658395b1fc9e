"""How do scratches, dust, creases and tears leave a picture, and nothing else?"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.filters import box_mean
from shared.imaging.picture import Image, Picture, Pixels, Plane, to_float, to_pixels
from shared.parameters import RepairParameters
from shared.stages import StageModel, StageOutput, run_model
from shared.stages.windows import apply_to_windows

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
#: Few marks are damage all the same if one is so long, as a share of the picture's longer side, or if they are such a
#: share of its pixels. Of 104 undamaged photographs the network paints over something in 34, but over five marks, a
#: long one or so much in 6 alone; of 12 pictures with mixed damage in 10.
LONG, ENOUGH = 0.25, 0.01
#: Marks so near each other, in pixels, are one; and the longest side at which they are counted.
NEAR, COUNTED_SIDE = 5, 2048

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
        at 1.
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

    def on_image(image: Image) -> Image:
        return inpainted(image, marks(image, parameters.sensitivity))

    halo = WIDEST + AROUND + RIM + RADIUS
    return _told(picture, apply_to_windows(picture.pixels, on_image, halo=halo), parameters.least_marks)


def with_model(picture: Picture, parameters: RepairParameters, model: StageModel) -> StageOutput:
    """Repair by a network that finds and fills at once; it is told `sensitivity` if it asks for it.

    What the network leaves as it was is not damaged: the share of changed pixels is the share of damage.
    """
    pixels = run_model(model, picture.pixels, {"sensitivity": parameters.sensitivity})
    return _told(picture, pixels, parameters.least_marks)


def _told(picture: Picture, pixels: Pixels, least_marks: int) -> StageOutput:
    found = (pixels != picture.pixels).any(axis=2)
    share = float(found.mean())
    if share == 0.0:
        return StageOutput(picture=picture, notes=("no damage found",), values={"damaged_share": 0.0})
    marks = 0 if least_marks == 1 or share >= ENOUGH else small_marks(found)
    if 0 < marks < least_marks:
        left = "1 small mark was" if marks == 1 else f"{marks} small marks were"
        note = f"{left} left: {least_marks} would be taken for damage, fewer may belong to the scene"
        return StageOutput(picture=picture, notes=(note,), values={"damaged_share": 0.0})
    values = {"damaged_share": float(f"{share:.4g}")}
    notes = (f"{share:.0%} of the picture was painted over",) if share > MUCH else ()
    return StageOutput(picture=picture.with_pixels(pixels), notes=notes, values=values, doubtful=share > MUCH)


def small_marks(found: Found) -> int:
    """How many separate marks (H, W) has, 0 if one of them is long."""
    step = -(-max(found.shape) // COUNTED_SIDE)
    joined = cv2.dilate(found.astype(np.uint8), np.ones((NEAR * step, NEAR * step), np.uint8))[::step, ::step]
    _, _, boxes, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(joined))
    sides = boxes[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    return 0 if sides.max(initial=0) >= LONG * max(joined.shape) else len(sides)


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
