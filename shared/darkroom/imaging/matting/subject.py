"""Finds the subject of a photograph, with or without the matte of a network."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import lab_from_image
from darkroom.imaging.filters import gaussian
from darkroom.imaging.picture import Image, Pixels, Plane, to_float


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLimits:
    """Lower limits for a connected part; a part below them is a speck or a mistake."""

    #: Area as a share of the picture.
    share: float
    #: Mean certainty of the network for this part, 0-1.
    certainty: float


#: Width of the border strip that counts as background, as a share of the shorter side.
BORDER = 0.03
#: Number of colours that describe the background.
BORDER_COLOURS = 5
#: Distance in L*a*b* at which a colour certainly does not belong to the background.
CLEAR_DISTANCE = 30.0
#: Iterations of GrabCut for a subject found by its colours.
GRABCUT_ITERATIONS = 4
#: Smallest share of the picture that a subject covers.
LEAST_SHARE = 0.01
#: Largest share of the picture that a subject covers.
LARGEST_SHARE = 0.9
#: Least difference between subject and surroundings in their mean distance from the border's colours, in L*a*b*.
LEAST_CONTRAST = 6.0
#: Parts smaller than this share of the largest part are dust.
DUST = 0.05

#: Value of a network's matte below which a pixel is certain background; colours do not decide it.
CERTAIN_BELOW = 0.03
#: Value of a network's matte above which a pixel is certain subject; colours do not decide it.
CERTAIN_ABOVE = 0.97
#: Weight of the decision by colour against the network's matte.
COLOURS_WEIGHT = 0.8
#: Iterations of GrabCut for a network's matte.
COLOUR_ITERATIONS = 2
#: Limits for a part of the subject that colours have decided.
PART = PartLimits(share=0.002, certainty=0.4)
#: Limits for a hole in the subject, or a part of the background, that colours have decided.
HOLE = PartLimits(share=0.004, certainty=0.7)
#: Limits for a part where colours contradict the network. A part of higher certainty keeps the network's value.
CONTRADICTION = PartLimits(share=0.0, certainty=0.5)
#: Value of a network's matte below which a pixel is background.
FAINT = 0.2
#: Value of a network's matte that a part of the subject must exceed somewhere.
SURE = 0.5
#: Least share of the picture that a network's subject covers, and least share that it leaves uncovered.
NEXT_TO_NOTHING = 0.001
#: Mean distance of a matte from 0 and 1, relative to the subject's share, above which the matte is uncertain.
GUESSED = 0.3


def find_subject(pixels: Pixels) -> Plane | None:
    """Separate a subject from its surroundings without a trained model.

    The border counts as background and is described by a few colours. Pixels that differ from these colours and are
    near the centre initialise the subject. GrabCut then labels every pixel by colour and edges.

    Parameters
    ----------
    pixels : (H, W, 3) uint8
        Reduced to some 400 px a side: it takes 0.4 s for 320x320.

    Returns
    -------
    (H, W) float32 of 0 and 1, or None
        None if nothing differs from the background, or if the subject covers nearly nothing or nearly everything. The
        method fails for a subject of the background's colours, for one that covers most of the border, and for busy
        surroundings. Background inside a handle or a ring counts as subject.

    References
    ----------
    C. Rother, V. Kolmogorov, A. Blake, "GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts",
    ACM SIGGRAPH 2004, https://doi.org/10.1145/1186562.1015720
    """
    if min(pixels.shape[:2]) < 8:
        return None
    distance = border_distance(to_float(pixels))
    seed = _seed(distance)
    if not (seed == cv2.GC_PR_FGD).any() and not (seed == cv2.GC_FGD).any():
        return None
    mask = _without_dust(_grabcut(pixels, seed, iterations=GRABCUT_ITERATIONS))
    return mask.astype(np.float32) if _stands_out(mask, distance) else None


def certain_parts(matte: Plane) -> Plane | None:
    """Remove the parts of a network's matte that are nowhere certain: they become as faint as background.

    Parameters
    ----------
    matte : (H, W) float32 in [0, 1]

    Returns
    -------
    (H, W) float32 in [0, 1], or None
        None if no part is certain, or if the certain parts cover nearly nothing or nearly everything.
    """
    count, labels = cv2.connectedComponents((matte > FAINT).astype(np.uint8), connectivity=4)
    peaks = np.zeros(count, np.float32)
    np.maximum.at(peaks, np.asarray(labels, np.intp), matte)
    peaks[0] = 1.0
    kept: Plane = np.where(peaks[labels] > SURE, matte, np.float32(FAINT))
    return kept if shows_subject(kept > SURE) else None


def shows_subject(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask covers at least `NEXT_TO_NOTHING` of the picture, and leaves at least that uncovered."""
    return NEXT_TO_NOTHING <= float(mask.mean()) <= 1.0 - NEXT_TO_NOTHING


def decide_by_colour(pixels: Pixels, matte: Plane) -> Plane:
    """Decide the uncertain parts of a network's matte by the colours of its certain parts.

    A network may be certain about the collar of an orange suit and uncertain about its sleeve. A half transparent
    sleeve is wrong in any case. GrabCut learns the colours of the certain subject and the certain background. It then
    labels all other pixels; neighbours of similar colour get the same label.

    Parameters
    ----------
    pixels : (H, W, 3) uint8
        Reduced to some 400 px a side: it takes 0.3 s for 400x300.
    matte : (H, W) float32 in [0, 1]

    Returns
    -------
    (H, W) float32 in [0, 1]
        Weighted mean of the decision and the matte. The matte keeps the edges soft.

    References
    ----------
    As for `find_subject`.
    """
    likely = matte > SURE
    if likely.all() or not likely.any():
        return matte
    seed = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seed[matte > CERTAIN_ABOVE], seed[matte < CERTAIN_BELOW] = cv2.GC_FGD, cv2.GC_BGD
    decision = _supported(_grabcut(pixels, seed, iterations=COLOUR_ITERATIONS), matte, PART)
    decision = ~_supported(~decision, 1.0 - matte, HOLE)
    decision ^= _supported(decision ^ likely, np.abs(2.0 * matte - 1.0), CONTRADICTION)
    return cv2.addWeighted(decision.astype(np.float32), COLOURS_WEIGHT, matte, 1.0 - COLOURS_WEIGHT, 0.0)  # type: ignore[return-value]


def _supported(mask: NDArray[np.bool_], certainty: Plane, least: PartLimits) -> NDArray[np.bool_]:
    """The mask without its connected parts that are too small or of too little certainty."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA]
    means = np.bincount(labels.ravel(), certainty.ravel(), minlength=count) / np.maximum(areas, 1)
    kept = (areas > least.share * mask.size) & (means > least.certainty)
    kept[0] = False
    return np.isin(labels, np.flatnonzero(kept))


def is_uncertain(matte: Plane) -> bool:
    """Whether a person should review a matte: much of it is grey, or it covers nearly all or nearly nothing."""
    share = float((matte > SURE).mean())
    grey = float(np.minimum(matte, 1.0 - matte).mean())
    return grey > GUESSED * share or not LEAST_SHARE <= share <= LARGEST_SHARE


def border_distance(image: Image) -> Plane:
    """Distance of each pixel's colour from the nearest of the border's colours, in L*a*b*."""
    lab = lab_from_image(gaussian(image, 1.0))
    strip = _border(lab.shape[:2])
    samples = lab[strip]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    count = min(BORDER_COLOURS, len(samples))
    cv2.setRNGSeed(0)
    _, labels, centres = cv2.kmeans(samples, count, None, criteria, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    shares = np.bincount(labels.ravel(), minlength=count) / len(labels)
    # A rare colour of the border may belong to the subject, where the frame cuts it.
    kept = centres[shares >= 0.08]
    distances = np.stack([np.linalg.norm(lab - centre, axis=2) for centre in kept])
    nearest: Plane = distances.min(axis=0).astype(np.float32)
    return nearest


def _border(size: tuple[int, ...]) -> NDArray[np.bool_]:
    width = max(2, round(BORDER * min(size)))
    strip = np.ones(size, bool)
    strip[width:-width, width:-width] = False
    return strip


def _seed(distance: Plane) -> NDArray[np.uint8]:
    """GrabCut's labels from distance in colour and from the centre."""
    height, width = distance.shape
    rows, columns = np.linspace(-1.0, 1.0, height)[:, None], np.linspace(-1.0, 1.0, width)[None, :]
    central = np.exp(-(rows**2 + columns**2)).astype(np.float32)
    saliency = np.minimum(distance / CLEAR_DISTANCE, 1.0) * central
    threshold = max(_otsu(saliency), 0.12)
    seed = np.where(saliency > threshold, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seed[saliency > max(2.0 * threshold, 0.6)] = cv2.GC_FGD
    seed[_border(distance.shape) & (distance < CLEAR_DISTANCE / 2.0)] = cv2.GC_BGD
    return seed


def _otsu(plane: Plane) -> float:
    levels = np.rint(plane * 255.0).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return float(threshold) / 255.0


def _grabcut(pixels: Pixels, seed: NDArray[np.uint8], *, iterations: int) -> NDArray[np.bool_]:
    cv2.setRNGSeed(0)
    labels, background, foreground = seed.copy(), np.zeros((1, 65)), np.zeros((1, 65))
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, labels, None, background, foreground, iterations, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _without_dust(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Remove small islands, close small gaps, and fill the holes inside the subject."""
    return _filled(~_large_parts(~_large_parts(mask)))


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill the holes: the inside of a cup belongs to the cup, even in the colour of the table."""
    _, labels = cv2.connectedComponents((~np.pad(mask, 1)).astype(np.uint8), connectivity=4)
    # The corner is in the padding. Its component is the background that is connected to the frame.
    filled: NDArray[np.bool_] = (labels != labels[0, 0])[1:-1, 1:-1]
    return filled


def _large_parts(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.isin(labels, np.flatnonzero(areas > DUST * max(int(areas.max()), 1)))


def _stands_out(mask: NDArray[np.bool_], distance: Plane) -> bool:
    share = float(mask.mean())
    if not LEAST_SHARE <= share <= LARGEST_SHARE:
        return False
    return float(distance[mask].mean() - distance[~mask].mean()) >= LEAST_CONTRAST
