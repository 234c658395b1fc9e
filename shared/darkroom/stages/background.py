"""Cuts out the subject and removes the old background's colour from its edge."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import BackgroundParameters
from darkroom.imaging.filters import box_mean, gaussian, resized
from darkroom.imaging.matting.guided import GuidedMatte, fit, settle
from darkroom.imaging.matting.matte_doubt import MOST_DOUBT, matte_evidence
from darkroom.imaging.matting.refinement import colour_fields, cut_window
from darkroom.imaging.matting.subject import decided, find_subject, is_doubtful, shows_subject, sure_parts
from darkroom.imaging.picture import Image, Picture, Pixels, Plane, to_float, to_pixels
from darkroom.imaging.tiling import plan_tiles
from darkroom.stages import StageModel, StageOutput, read_model
from darkroom.stages.windows import SIDE

#: The subject is looked for at this length of the longer side, in pixels.
SEARCH_SIDE = 400
#: The guided filter's windows, in pixels of the reduced picture, and its softness.
GUIDE_RADIUS, GUIDE_EPSILON = 4, 1e-4
#: The windows for a network's matte, round by round.
MODEL_RADII = (8, 4)
#: A matte of a longer side beyond `SEARCH_SIDE` shows hair and thin parts itself; it is worked on at this longer side.
FINE_SIDE = 1024
#: Half side of the guided filter's windows for such a matte, and pixels beside its edges that are not known either;
#: both in pixels of the matte.
FINE_RADIUS, FINE_REACH = 4.0, 3.0
#: The matte between these is stretched to the full range: what a guided filter leaves of the background is not wanted.
MATTE_LOW, MATTE_HIGH = 0.2, 0.8
#: Half sides in pixels of the surroundings in which the colours of subject and background are averaged, coarse to fine.
COLOUR_RADII = (24, 4)
#: Weight of a pixel's own colour where nothing of the sought colour is near.
FAINT = np.float32(1e-3)

NOT_FOUND = "no subject found: the picture is left opaque"


def classical(picture: Picture, parameters: BackgroundParameters, method: str) -> StageOutput:  # noqa: ARG001
    """Cut out what stands out from the border's colours.

    The subject is found on a reduction (`find_subject`), its matte follows the edges of the full-size picture
    (`guided.fit`), and the colours at the cut are freed from the old background's.

    Parameters
    ----------
    picture : Picture
        Where it is transparent already it stays so.
    parameters : BackgroundParameters
        A larger `feather` makes the cut softer, in pixels of the full-size picture.
    method : {"grabcut"}

    Returns
    -------
    StageOutput
        The matte becomes the alpha channel. "No subject found" is an answer: the picture comes back opaque, with a
        note and the value `subject_found` False. Both answers are doubtful: colours alone do not tell a subject.

    References
    ----------
    See `find_subject`, `guided.fit` and `free_colours`.
    """
    small = _reduced(picture, SEARCH_SIDE)
    mask = find_subject(small)
    if mask is None:
        return _not_found(picture)
    guided = fit(to_float(small), mask, radius=GUIDE_RADIUS, epsilon=GUIDE_EPSILON)
    return replace(_cut(picture, _full_matte(picture, guided), parameters.feather), doubtful=True)


def with_model(picture: Picture, parameters: BackgroundParameters, model: StageModel) -> StageOutput:
    """Cut out by a network that answers with a small matte.

    Faint islands of the matte are dropped, its doubts are settled by colour (`decided`), its edges follow those of the
    full-size picture (`guided.fit`) while its inside and outside are believed (`guided.settle`), and the colours at the
    cut are freed from the old background's.

    Parameters
    ----------
    picture : Picture
        Where it is transparent already it stays so.
    parameters : BackgroundParameters
    model : StageModel
        Its answer is a matte.

    Returns
    -------
    StageOutput
        As `classical` gives; doubtful if the matte may be wrong (`matte_doubt`, also the name of the value), or the
        subject is nearly nothing or nearly everything. All parts of the matte that the
        network is sure of are kept: there may be several subjects.
    """
    if model.answer != "matte":
        raise ModelUnusable(f"the model answers with {model.answer}; background needs a matte", code="model_contract")
    answer = next(iter(read_model(model, picture.pixels).values()))[0]
    if max(answer.shape) > SEARCH_SIDE:
        return _doubted(_cut_finely(picture, answer, parameters.feather), picture, answer)
    small = _reduced(picture, SEARCH_SIDE)
    found = sure_parts(_enlarged(answer, small.shape))
    if found is None:
        return _not_found(picture)
    guided = _followed(to_float(small), decided(small, found))
    cut = _cut(picture, _full_matte(picture, guided), parameters.feather)
    return _doubted(replace(cut, doubtful=cut.doubtful or is_doubtful(found)), picture, answer)


def _doubted(cut: StageOutput, picture: Picture, answer: Plane) -> StageOutput:
    """The cut-out with how likely its matte is wrong, and doubtful if that is likely."""
    if cut.picture.alpha is None or not cut.values["subject_found"]:
        return cut
    evidence = matte_evidence(picture.pixels, answer, cut.picture.alpha)
    values = {**cut.values, "matte_doubt": round(evidence.doubt, 3)}
    if evidence.doubt <= MOST_DOUBT:
        return replace(cut, values=values)
    note = f"the cut may be wrong: {evidence.sentence}"
    return replace(cut, values=values, notes=(*cut.notes, note), doubtful=True)


def _cut_finely(picture: Picture, answer: Plane, feather: float) -> StageOutput:
    """Cut out by a matte that has the resolution of thin parts: colours decide within a few of its pixels only."""
    small = _reduced(picture, FINE_SIDE)
    found = sure_parts(_enlarged(answer, small.shape))
    if found is None:
        return _not_found(picture)
    image, pixel = to_float(small), max(small.shape[:2]) / max(answer.shape)
    radius, reach = (max(1, round(extent * pixel)) for extent in (FINE_RADIUS, FINE_REACH))
    guided = settle(fit(image, found, radius=radius, epsilon=GUIDE_EPSILON), found, radius=radius)
    fields = colour_fields(image, guided.on(image, 0, 0, (small.shape[0], small.shape[1])), reach=reach)
    size = picture.height, picture.width
    matte, pixels = np.empty(size, picture.pixels.dtype), np.empty_like(picture.pixels)
    for tile in plan_tiles(size, tile=SIDE, halo=0):
        core = to_float(tile.core.of(picture.pixels))
        cut = cut_window(core, guided, fields, start=(tile.core.row, tile.core.column), size=size)
        tile.core.of(matte)[...] = to_pixels(cut.matte, matte.dtype)
        tile.core.of(pixels)[...] = to_pixels(cut.colours, matte.dtype)
    output = _with_alpha(picture, pixels, _feathered(matte, feather))
    return replace(output, doubtful=output.doubtful or is_doubtful(found))


def _reduced(picture: Picture, side: int) -> Pixels:
    """The picture as uint8, at the size at which its subject is looked for."""
    factor = min(1.0, side / max(picture.height, picture.width))
    height, width = (max(1, round(side * factor)) for side in (picture.height, picture.width))
    small = resized(picture.pixels, height, width)
    return small if small.dtype == np.uint8 else to_pixels(to_float(small), np.dtype(np.uint8))


def _enlarged(matte: Plane, size: tuple[int, ...]) -> Plane:
    # Not Lanczos: it overshoots, and what the network is unsure of must not become sure.
    way = cv2.INTER_AREA if matte.size > size[0] * size[1] else cv2.INTER_LINEAR
    return cv2.resize(matte, (size[1], size[0]), interpolation=way)  # type: ignore[return-value]


def _followed(small: Image, matte: Plane) -> GuidedMatte:
    """The network's matte along the picture's edges, in two rounds: the first finds them, the second sharpens."""
    for radius in MODEL_RADII:
        guided = settle(fit(small, matte, radius=radius, epsilon=GUIDE_EPSILON), matte, radius=radius)
        matte = guided.on(small, 0, 0, (small.shape[0], small.shape[1]))
    return guided


def _not_found(picture: Picture) -> StageOutput:
    return StageOutput(
        picture=picture, notes=(NOT_FOUND,), values={"subject_found": False, "subject_share": 0.0}, doubtful=True
    )


def _full_matte(picture: Picture, guided: GuidedMatte) -> Pixels:
    size = picture.height, picture.width
    matte = np.empty(size, picture.pixels.dtype)
    for tile in plan_tiles(size, tile=SIDE, halo=0):
        image = to_float(tile.core.of(picture.pixels))
        local = guided.on(image, tile.core.row, tile.core.column, size)
        stretched = (local - np.float32(MATTE_LOW)) / np.float32(MATTE_HIGH - MATTE_LOW)
        tile.core.of(matte)[...] = to_pixels(stretched, picture.pixels.dtype)
    return matte


def _cut(picture: Picture, matte: Pixels, feather: float) -> StageOutput:
    softened = _feathered(matte, feather)
    return _with_alpha(picture, _freed(picture.pixels, softened), softened)


def _feathered(matte: Pixels, feather: float) -> Pixels:
    # A feather of 1 px is about what the matte has of itself.
    return gaussian(matte, 0.5 * feather) if feather > 0.0 else matte


def _with_alpha(picture: Picture, pixels: Pixels, matte: Pixels) -> StageOutput:
    full = np.iinfo(matte.dtype).max
    if not shows_subject(matte > full // 2):
        # What was found was too faint to be cut out: an empty picture is no answer.
        return _not_found(picture)
    share = float(matte.mean()) / full
    alpha = matte if picture.alpha is None else np.minimum(matte, picture.alpha)
    found = Picture(pixels=pixels, alpha=alpha)
    return StageOutput(picture=found, values={"subject_found": True, "subject_share": round(share, 4)})


def _freed(pixels: Pixels, matte: Pixels) -> Pixels:
    """`free_colours`, window by window, where a window holds any of the cut."""
    result = pixels.copy()
    for tile in plan_tiles((pixels.shape[0], pixels.shape[1]), tile=SIDE, halo=sum(COLOUR_RADII)):
        around = tile.window.of(matte)
        if int(around.min()) < np.iinfo(matte.dtype).max:
            freed = to_pixels(free_colours(to_float(tile.window.of(pixels)), to_float(around)), pixels.dtype)
            tile.core.of(result)[...] = tile.core.within(tile.window).of(freed)
    return result


def free_colours(image: Image, matte: Plane) -> Image:
    """Colours of the subject alone, estimated where a matte is neither 0 nor 1.

    A pixel at the cut shows the subject's colour mixed with the old background's; laid on a new one it would bring a
    fringe of the old. Subject and background are averaged over their surroundings, and what the mixture of the two
    averages does not explain is given to the subject.

    Parameters
    ----------
    image : (H, W, 3) float32 in [0, 1]
    matte : (H, W) float32 in [0, 1]

    Returns
    -------
    (H, W, 3) float32
        Equal to `image` where the matte is 1 and where the subject is far; its nearest colours where it is 0.

    References
    ----------
    M. Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021,
    https://doi.org/10.1109/ICIP42928.2021.9506164
    """
    share = matte[..., np.newaxis]
    subject, background = image, image
    for radius in COLOUR_RADII:
        subject, background = _one_pass(image, subject, background, share, radius)
    return subject


def _one_pass(
    image: Image, subject: Image, background: Image, share: NDArray[np.float32], radius: int
) -> tuple[Image, Image]:
    subject_mean = _weighted(subject, share, radius)
    background_mean = _weighted(background, 1 - share, radius)
    unexplained = image - share * subject_mean - (1 - share) * background_mean
    return np.clip(subject_mean + share * unexplained, 0, 1), background_mean


def _weighted(image: Image, weight: NDArray[np.float32], radius: int) -> Image:
    total = box_mean(weight[..., 0], radius)[..., np.newaxis]
    mean: Image = (box_mean(image * weight, radius) + FAINT * image) / (total + FAINT)
    return mean
