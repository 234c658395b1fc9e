"""Corrects a matte by strokes that a person or a program has drawn."""

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.sizes import within
from darkroom.imaging.color import lab_from_image
from darkroom.imaging.filters import resized
from darkroom.imaging.matting.guided import fit, restrict_to_edges
from darkroom.imaging.picture import Image, Pixels, Plane, to_float, to_pixels
from darkroom.imaging.tiling import plan_tiles

#: Longer side in pixels of the reduced picture in which strokes spread.
SPREAD_SIDE = 400
#: Iterations of GrabCut.
ITERATIONS = 3
#: Half side of the guided filter's windows, in pixels of the reduced picture.
RADIUS = 4
#: Regularisation of the guided filter: variance of colour (range [0, 1]) below which there is no edge.
EPSILON = 1e-4
#: Distance in pixels of the reduced picture around a change within which its edge follows the picture.
EDGE = 3
#: Number of colours that describe the picture under the strokes.
STROKE_COLOURS = 5
#: Distance in L*a*b* below which a colour is that of a stroke.
NEAR_COLOUR = 10.0
#: Distance from a stroke below which a pixel of its colour probably belongs to it, as a share of the longer side. A
#: stroke that slips onto the other side thus does no harm far away.
NEAR_PLACE = 0.1
#: Side in pixels of a tile at full size.
TILE = 1024

Mask = NDArray[np.bool_]


def corrected_matte(pixels: Pixels, matte: Pixels, *, white: Mask, black: Mask) -> Pixels:
    """Correct a matte by strokes.

    A stroke affects more than its own pixels: the part of the picture under it that has its colours changes too, as far
    as that part is connected with the stroke. GrabCut learns the colours of subject and background from the strokes
    and from the matte. Its answer counts only in connected parts that differ from the matte and that a stroke of the
    same kind touches; all other pixels keep the matte.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16
    matte : (H, W) of the same type
        0 is background, the largest value subject.
    white, black : (H, W) bool
        Pixels that surely belong to the subject, and pixels that surely do not.

    Returns
    -------
    (H, W) of the same type
        Exactly subject on white strokes, exactly background on black ones.

    References
    ----------
    C. Rother, V. Kolmogorov, A. Blake, "GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts",
    ACM SIGGRAPH 2004, https://doi.org/10.1145/1186562.1015720
    """
    size = within(matte.shape[0], matte.shape[1], SPREAD_SIDE)
    small = to_pixels(to_float(resized(pixels, *size)), np.dtype(np.uint8))
    whites, blacks = _shrunk(white, size), _shrunk(black, size)
    coarse = to_float(resized(matte, *size))
    added, removed = _spread(small, coarse > 0.5, whites & ~blacks, blacks & ~whites)
    result = matte.copy()
    if added.any() or removed.any():
        result = _joined(pixels, matte, small, np.where(added, 1.0, np.where(removed, 0.0, coarse)), added | removed)
    result[white] = np.iinfo(matte.dtype).max
    result[black] = 0
    return result


def _shrunk(strokes: Mask, size: tuple[int, int]) -> Mask:
    """The strokes at another size; a thin one stays connected."""
    plane = strokes.astype(np.float32)
    return cv2.resize(plane, (size[1], size[0]), interpolation=cv2.INTER_AREA) > 0.0


def _spread(small: Pixels, subject: Mask, whites: Mask, blacks: Mask) -> tuple[Mask, Mask]:
    """The parts that white strokes add to the subject, and those that black strokes take from it."""
    seed = np.where(subject, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    lab = lab_from_image(to_float(small))
    seed[_alike(lab, whites) & ~subject] = cv2.GC_PR_FGD
    seed[_alike(lab, blacks) & subject] = cv2.GC_PR_BGD
    seed[whites], seed[blacks] = cv2.GC_FGD, cv2.GC_BGD
    own = seed % 2 == 1  # GC_FGD is 1, GC_PR_FGD 3
    if own.all() or not own.any():
        return whites, blacks
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(small, seed, None, *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    labelled = seed % 2 == 1
    return _touching((labelled & ~subject) | whites, whites), _touching((~labelled & subject) | blacks, blacks)


def _alike(lab: Image, strokes: Mask) -> Mask:
    """The connected parts around strokes whose colours are near those under the strokes.

    Without them GrabCut would learn a wrong part as background: a stroke has few pixels, and the part many.
    """
    if not strokes.any():
        return strokes
    under = lab[strokes]
    count = min(STROKE_COLOURS, len(under))
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_COUNT, 10, 0.0)
    _, _, colours = cv2.kmeans(under, count, None, criteria, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    distance = np.min([np.linalg.norm(lab - colour, axis=2) for colour in colours], axis=0)
    away = cv2.distanceTransform((~strokes).astype(np.uint8), cv2.DIST_L2, 3)
    near = (distance < NEAR_COLOUR) & (away < NEAR_PLACE * max(strokes.shape))
    return _touching(near | strokes, strokes)


def _touching(parts: Mask, strokes: Mask) -> Mask:
    """The connected parts that contain a pixel of the strokes."""
    count, labels = cv2.connectedComponents(parts.astype(np.uint8), connectivity=4)
    touched = np.zeros(count, np.bool_)
    touched[labels[strokes]] = True
    touched[0] = False
    inside: Mask = touched[labels]
    return inside


def _joined(pixels: Pixels, matte: Pixels, small: Pixels, coarse: Plane, changed: Mask) -> Pixels:
    """The matte at full size: new where it changed, with edges that follow the picture, and as it was elsewhere."""
    wanted = coarse.astype(np.float32)
    guided = restrict_to_edges(fit(to_float(small), wanted, radius=RADIUS, epsilon=EPSILON), wanted, radius=RADIUS)
    near = cv2.dilate(changed.astype(np.float32), np.ones((2 * EDGE + 1, 2 * EDGE + 1), np.uint8))
    size = (matte.shape[0], matte.shape[1])
    share: Plane = cv2.resize(near, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    result = matte.copy()
    for tile in plan_tiles(size, tile=TILE, halo=0):
        weight = tile.core.of(share)
        if not weight.any():
            continue
        new = guided.on(to_float(tile.core.of(pixels)), tile.core.row, tile.core.column, size)
        old = to_float(tile.core.of(matte))
        tile.core.of(result)[...] = to_pixels(old + (new - old) * weight, matte.dtype)
    return result
