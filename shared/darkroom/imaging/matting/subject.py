"""Finds the subject of a photograph, with or without the matte of a network."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.color import lab_from_image
from darkroom.imaging.filters import gaussian
from darkroom.imaging.picture import Image, Pixels, Plane, to_float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """What a connected part needs at least, so that it is neither a speck nor a mistake."""

    #: Of the picture.
    share: float
    #: How much the network believes in it, on average.
    opinion: float


#: Width of the border strip that is taken for background, as a share of the shorter side.
BORDER = 0.03
#: Colours that the background is described by.
BORDER_COLOURS = 5
#: Distance in L*a*b* at which a colour is clearly none of the background's.
CLEAR_DISTANCE = 30.0
GRABCUT_ITERATIONS = 4
#: A subject covers at least and at most these shares of the picture.
LEAST_SHARE, LARGEST_SHARE = 0.01, 0.9
#: Mean distance from the border's colours that the subject must have over the surroundings, in L*a*b*.
LEAST_CONTRAST = 6.0
#: Parts smaller than this share of the largest part are dust.
DUST = 0.05

#: A network's matte beyond these is believed; between them colours have a say, of this weight, after so many rounds.
BELIEVED_BELOW, BELIEVED_ABOVE = 0.03, 0.97
COLOURS_WEIGHT, COLOUR_ROUNDS = 0.8, 2
#: What colours decide stands for parts of the subject, and for holes in it and parts of the background, of this size.
#: And where they overturn what the network said, they do so only if it was in doubt there.
PART, HOLE = Backing(share=0.002, opinion=0.4), Backing(share=0.004, opinion=0.7)
CONVICTION = Backing(share=0.0, opinion=0.5)
#: A network's matte below this is background, and a part of it that nowhere reaches the second is an afterthought.
FAINT, SURE = 0.2, 0.5
#: A network's subject covers more than this share of the picture and leaves more than this uncovered.
NEXT_TO_NOTHING = 0.001
#: Mean distance of a matte from 0 and 1, relative to the subject's share, from which on the network was guessing.
GUESSED = 0.3


def find_subject(pixels: Pixels) -> Plane | None:
    """Separate a subject from its surroundings without a trained model.

    The border is taken for background and described by a few colours; what is far from them and near the centre is
    taken for subject; GrabCut then settles every pixel by colour and edges.

    Parameters
    ----------
    pixels : (H, W, 3) uint8
        Reduced to some 400 px a side: it takes 0.4 s for 320x320.

    Returns
    -------
    (H, W) float32 of 0 and 1, or None
        None if nothing stands out, or what stands out is nearly nothing or nearly everything. It fails where the
        subject has the background's colours, where it covers most of the border, and on busy surroundings. What
        shows through a handle or a ring counts as subject.

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
    mask = _without_dust(_grabcut(pixels, seed, rounds=GRABCUT_ITERATIONS))
    return mask.astype(np.float32) if _stands_out(mask, distance) else None


def sure_parts(matte: Plane) -> Plane | None:
    """A network's matte without the parts that it is nowhere sure of: they become as faint as background is.

    Parameters
    ----------
    matte : (H, W) float32 in [0, 1]

    Returns
    -------
    (H, W) float32 in [0, 1], or None
        None if it is sure of nothing, or of next to nothing, or of nearly everything: then there is no subject.
    """
    count, labels = cv2.connectedComponents((matte > FAINT).astype(np.uint8), connectivity=4)
    peaks = np.zeros(count, np.float32)
    np.maximum.at(peaks, np.asarray(labels, np.intp), matte)
    peaks[0] = 1.0
    kept: Plane = np.where(peaks[labels] > SURE, matte, np.float32(FAINT))
    return kept if shows_subject(kept > SURE) else None


def shows_subject(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask holds more than next to nothing, and leaves more than that."""
    return NEXT_TO_NOTHING <= float(mask.mean()) <= 1.0 - NEXT_TO_NOTHING


def decided(pixels: Pixels, matte: Plane) -> Plane:
    """A network's matte, its doubts settled by what the sure parts look like.

    A network that has seen the collar of an orange suit may be in doubt about its sleeve; a half transparent sleeve is
    wrong in any case. GrabCut learns the colours of the sure subject and the sure background and decides every pixel
    between, where neighbours of one colour go together.

    Parameters
    ----------
    pixels : (H, W, 3) uint8
        Reduced to some 400 px a side: it takes 0.3 s for 400x300.
    matte : (H, W) float32 in [0, 1]

    Returns
    -------
    (H, W) float32 in [0, 1]
        Mostly the decision, with some of the matte left in it, whose edges are softer.

    References
    ----------
    As for `find_subject`.
    """
    likely = matte > SURE
    if likely.all() or not likely.any():
        return matte
    seed = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seed[matte > BELIEVED_ABOVE], seed[matte < BELIEVED_BELOW] = cv2.GC_FGD, cv2.GC_BGD
    decision = _backed(_grabcut(pixels, seed, rounds=COLOUR_ROUNDS), matte, PART)
    decision = ~_backed(~decision, 1.0 - matte, HOLE)
    decision ^= _backed(decision ^ likely, np.abs(2.0 * matte - 1.0), CONVICTION)
    return cv2.addWeighted(decision.astype(np.float32), COLOURS_WEIGHT, matte, 1.0 - COLOURS_WEIGHT, 0.0)  # type: ignore[return-value]


def _backed(mask: NDArray[np.bool_], opinion: Plane, least: Backing) -> NDArray[np.bool_]:
    """The mask without those of its parts that are too small or that the network itself hardly believes in."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA]
    means = np.bincount(labels.ravel(), opinion.ravel(), minlength=count) / np.maximum(areas, 1)
    kept = (areas > least.share * mask.size) & (means > least.opinion)
    kept[0] = False
    return np.isin(labels, np.flatnonzero(kept))


def is_doubtful(matte: Plane) -> bool:
    """Whether a person should look at a network's matte: much of it is grey, or it is nearly all or nearly nothing."""
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
    # A colour that the border hardly shows may be the subject's own, cut by the frame.
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


def _grabcut(pixels: Pixels, seed: NDArray[np.uint8], *, rounds: int) -> NDArray[np.bool_]:
    cv2.setRNGSeed(0)
    labels, background, foreground = seed.copy(), np.zeros((1, 65)), np.zeros((1, 65))
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, labels, None, background, foreground, rounds, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _without_dust(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Small islands off, small gaps closed, and filled what the subject surrounds."""
    return _filled(~_large_parts(~_large_parts(mask)))


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without holes: what is inside a cup is the cup's, even if it has the table's colour."""
    _, labels = cv2.connectedComponents((~np.pad(mask, 1)).astype(np.uint8), connectivity=4)
    # The corner lies in the padding, from which only what reaches the frame can be reached.
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
