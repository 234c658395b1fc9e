"""Cuts out the subject and removes the old background's colour from its edge."""

from dataclasses import replace

import cv2
import numpy as np

from darkroom.domain.errors import ModelUnusable
from darkroom.domain.parameters import BackgroundParameters
from darkroom.domain.sizes import within
from darkroom.imaging.filters import gaussian, resized
from darkroom.imaging.matting.edge_colours import FREE_COLOURS_HALO, free_colours
from darkroom.imaging.matting.guided import GuidedMatte, fit, restrict_to_edges
from darkroom.imaging.matting.matte_doubt import MOST_DOUBT, MOST_FINE_DOUBT, matte_evidence
from darkroom.imaging.matting.refinement import colour_fields, cut_window
from darkroom.imaging.matting.subject import certain_parts, decide_by_colour, find_subject, is_uncertain, shows_subject
from darkroom.imaging.picture import Image, Picture, Pixels, Plane, to_float, to_pixels
from darkroom.imaging.tiling import plan_tiles
from darkroom.stages import StageModel, StageOutput, read_model
from darkroom.stages.windows import SIDE

#: Longer side in pixels of the reduced picture in which the subject is searched.
SEARCH_SIDE = 400
#: Half side of the guided filter's windows for GrabCut's mask, in pixels of the reduced picture.
GUIDE_RADIUS = 4
#: Regularisation of the guided filter: variance of colour (range [0, 1]) below which there is no edge.
GUIDE_EPSILON = 1e-4
#: Half sides of the guided filter's windows for a coarse matte of a network, one per pass, in pixels.
MODEL_RADII = (8, 4)
#: Longer side in pixels at which a fine matte is refined. A matte is fine if its longer side exceeds `SEARCH_SIDE`: it
#: shows hair and thin parts.
FINE_SIDE = 1024
#: Half side of the guided filter's windows for a fine matte, in pixels of the matte.
FINE_RADIUS = 4.0
#: Distance from the edges of a fine matte within which no pixel counts as known, in pixels of the matte.
FINE_REACH = 3.0
#: Alpha at and below which a guided matte becomes 0: the guided filter leaves a haze of background there.
MATTE_LOW = 0.2
#: Alpha at and above which a guided matte becomes 1.
MATTE_HIGH = 0.8

#: Note of a result without a subject.
NOT_FOUND = "no subject found: the picture is left opaque"


def classical(picture: Picture, parameters: BackgroundParameters, method: str) -> StageOutput:  # noqa: ARG001
    """Cut out the subject by its colours, which differ from those of the border.

    The subject is found in a reduced picture (`find_subject`). A guided filter aligns its matte with the edges of the
    full-size picture (`guided.fit`). The old background's colour is removed from the pixels at the edge.

    Parameters
    ----------
    picture : Picture
        Transparent parts stay transparent.
    parameters : BackgroundParameters
        A larger `feather` makes the cut softer, in pixels of the full-size picture.
    method : {"grabcut"}

    Returns
    -------
    StageOutput
        The matte becomes the alpha channel. Without a subject the picture stays opaque, with a note and the value
        `subject_found` False. Both results have low confidence: colours alone do not identify a subject.

    References
    ----------
    See `find_subject`, `guided.fit` and `free_colours`.
    """
    small = _reduced(picture, SEARCH_SIDE)
    mask = find_subject(small)
    if mask is None:
        return _not_found(picture)
    guided = fit(to_float(small), mask, radius=GUIDE_RADIUS, epsilon=GUIDE_EPSILON)
    return replace(_cut(picture, _full_matte(picture, guided), parameters.feather), low_confidence=True)


def with_model(picture: Picture, parameters: BackgroundParameters, model: StageModel) -> StageOutput:
    """Cut out the subject by the matte of a network.

    Faint islands of the matte are removed. Uncertain parts are decided by colour (`decide_by_colour`). A guided filter
    aligns the edges with those of the full-size picture (`guided.fit`) and leaves the inside and the outside unchanged
    (`guided.restrict_to_edges`). The old background's colour is removed from the pixels at the edge. A fine matte (see
    `FINE_SIDE`) is refined by colour near its edges only.

    Parameters
    ----------
    picture : Picture
        Transparent parts stay transparent.
    parameters : BackgroundParameters
    model : StageModel
        Its first output is a matte.

    Returns
    -------
    StageOutput
        As for `classical`. The confidence is low if the matte may be wrong (value `matte_doubt`), or if the subject
        covers nearly nothing or nearly everything. All certain parts of the matte are kept: there may be several
        subjects.
    """
    if model.answer != "matte":
        raise ModelUnusable(f"the model answers with {model.answer}; background needs a matte", code="model_contract")
    answer = next(iter(read_model(model, picture.pixels).values()))[0]
    if max(answer.shape) > SEARCH_SIDE:
        return _with_matte_doubt(_cut_finely(picture, answer, parameters.feather), picture, answer)
    small = _reduced(picture, SEARCH_SIDE)
    found = certain_parts(_enlarged(answer, small.shape))
    if found is None:
        return _not_found(picture)
    guided = _followed(to_float(small), decide_by_colour(small, found))
    cut = _cut(picture, _full_matte(picture, guided), parameters.feather)
    return _with_matte_doubt(replace(cut, low_confidence=cut.low_confidence or is_uncertain(found)), picture, answer)


def _with_matte_doubt(cut: StageOutput, picture: Picture, answer: Plane) -> StageOutput:
    """Add the probability of a wrong matte to the values, and set low confidence if it is high."""
    if cut.picture.alpha is None or not cut.values["subject_found"]:
        return cut
    evidence = matte_evidence(picture.pixels, answer, cut.picture.alpha)
    values = {**cut.values, "matte_doubt": round(evidence.doubt, 3)}
    if evidence.doubt <= (MOST_FINE_DOUBT if max(answer.shape) > SEARCH_SIDE else MOST_DOUBT):
        return replace(cut, values=values)
    note = f"the cut may be wrong: {evidence.sentence}"
    return replace(cut, values=values, notes=(*cut.notes, note), low_confidence=True, places=evidence.places)


def _cut_finely(picture: Picture, answer: Plane, feather: float) -> StageOutput:
    """Cut out by a fine matte: colours decide only within a few pixels of its edges."""
    small = _reduced(picture, FINE_SIDE)
    found = certain_parts(_enlarged(answer, small.shape))
    if found is None:
        return _not_found(picture)
    image, pixel = to_float(small), max(small.shape[:2]) / max(answer.shape)
    radius, reach = (max(1, round(extent * pixel)) for extent in (FINE_RADIUS, FINE_REACH))
    guided = restrict_to_edges(fit(image, found, radius=radius, epsilon=GUIDE_EPSILON), found, radius=radius)
    fields = colour_fields(image, guided.on(image, 0, 0, (small.shape[0], small.shape[1])), reach=reach)
    size = picture.height, picture.width
    matte, pixels = np.empty(size, picture.pixels.dtype), np.empty_like(picture.pixels)
    for tile in plan_tiles(size, tile=SIDE, halo=0):
        core = to_float(tile.core.of(picture.pixels))
        cut = cut_window(core, guided, fields, start=(tile.core.row, tile.core.column), size=size)
        tile.core.of(matte)[...] = to_pixels(cut.matte, matte.dtype)
        tile.core.of(pixels)[...] = to_pixels(cut.colours, matte.dtype)
    output = _with_alpha(picture, pixels, feathered(matte, feather))
    return replace(output, low_confidence=output.low_confidence or is_uncertain(found))


def _reduced(picture: Picture, side: int) -> Pixels:
    """The picture as uint8, reduced to a longer side of `side` pixels."""
    small = resized(picture.pixels, *within(picture.height, picture.width, side))
    return small if small.dtype == np.uint8 else to_pixels(to_float(small), np.dtype(np.uint8))


def _enlarged(matte: Plane, size: tuple[int, ...]) -> Plane:
    # Not Lanczos: it overshoots, so that uncertain pixels would become certain.
    way = cv2.INTER_AREA if matte.size > size[0] * size[1] else cv2.INTER_LINEAR
    return cv2.resize(matte, (size[1], size[0]), interpolation=way)  # type: ignore[return-value]


def _followed(small: Image, matte: Plane) -> GuidedMatte:
    """Align the network's matte with the picture's edges in two passes: a wide window, then a narrow one."""
    for radius in MODEL_RADII:
        guided = restrict_to_edges(fit(small, matte, radius=radius, epsilon=GUIDE_EPSILON), matte, radius=radius)
        matte = guided.on(small, 0, 0, (small.shape[0], small.shape[1]))
    return guided


def _not_found(picture: Picture) -> StageOutput:
    return StageOutput(
        picture=picture, notes=(NOT_FOUND,), values={"subject_found": False, "subject_share": 0.0}, low_confidence=True
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
    return cut_by(picture, feathered(matte, feather))


def cut_by(picture: Picture, matte: Pixels) -> StageOutput:
    """Cut out by a matte (H, W) of the type of the pixels, and free the edge from the old background's colour."""
    return _with_alpha(picture, _freed(picture.pixels, matte), matte)


def feathered(matte: Pixels, feather: float) -> Pixels:
    """The matte with a softer edge; `feather` in pixels, 0 changes nothing."""
    # The matte itself is about as soft as a feather of 1 px.
    return gaussian(matte, 0.5 * feather) if feather > 0.0 else matte


def _with_alpha(picture: Picture, pixels: Pixels, matte: Pixels) -> StageOutput:
    full = np.iinfo(matte.dtype).max
    if not shows_subject(matte > full // 2):
        # The matte is nearly empty or nearly full: an empty picture is no useful result.
        return _not_found(picture)
    share = float(matte.mean()) / full
    alpha = matte if picture.alpha is None else np.minimum(matte, picture.alpha)
    found = Picture(pixels=pixels, alpha=alpha)
    return StageOutput(picture=found, values={"subject_found": True, "subject_share": round(share, 4)})


def _freed(pixels: Pixels, matte: Pixels) -> Pixels:
    """Apply `free_colours` tile by tile, to tiles that are not fully opaque."""
    result = pixels.copy()
    for tile in plan_tiles((pixels.shape[0], pixels.shape[1]), tile=SIDE, halo=FREE_COLOURS_HALO):
        around = tile.window.of(matte)
        if int(around.min()) < np.iinfo(matte.dtype).max:
            freed = to_pixels(free_colours(to_float(tile.window.of(pixels)), to_float(around)), pixels.dtype)
            tile.core.of(result)[...] = tile.core.within(tile.window).of(freed)
    return result
