"""Estimate how likely the matte of a cut-out is wrong, from the matte and the picture alone."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.domain.places import Place
from darkroom.domain.sizes import within
from darkroom.imaging.color import lab_from_image
from darkroom.imaging.filters import gaussian, resized
from darkroom.imaging.picture import Image, Pixels, Plane, to_float
from darkroom.imaging.places import places

#: Longest side in pixels at which the evidence is measured. Source: that of the mattes for the weights.
SIDE = 240
#: Side in pixels of the square that a finer network's matte is reduced to. Source: the mattes behind the weights.
NETWORK_SIDE = 160
#: Least gradient of a strong edge, in CIE Lab units a pixel. Source: chosen together with the weights.
STRONG_EDGE = 6.0
#: Radius of the contour's rim in pixels of the network's own matte: always grey. Source: as `STRONG_EDGE`.
RIM = 1
#: Distance in pixels from the matte beyond which an edge is outside it.
OUTSIDE = 2
#: Distance in pixels from the matte within which an edge touches it.
TOUCHING = 4
#: Added to shares before their logarithm is taken, so that none is infinite.
FLOOR = 0.005
#: Weights of the evidence in the order of `Evidence`. Source: logistic regression on 567 validation pairs of
#: models/training/mattes.py; the target is an intersection over union below 0.85.
WEIGHTS = (1.18, 2.06, 0.21)
#: Constant term of the regression. Source: as for `WEIGHTS`.
CONSTANT = 3.44
#: Largest probability of a wrong matte that is approved. Source: 5 % wrong ones among the approved, cross-validated.
MOST_DOUBT = 0.2
#: The same for the matte of a finer network, which is wrong less often. Source: IS-Net on 202 validation pairs: 164
#: approved, 2 of them wrong; with 0.2, 106 and none.
MOST_FINE_DOUBT = 0.3
#: Terms of a typical good matte. Source: medians of the pairs whose intersection over union is 0.9 and more.
USUAL = (-4.63, 0.0, 0.42)


#: Distance of a pixel of a matte from 0 and 1 up to which it is marked nowhere.
CLEAR = 0.15

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Evidence that a matte is wrong."""

    #: Sum of the distances of the network's matte from 0 and 1, without its rim, relative to the subject's area.
    ambiguity: float
    #: Share of the picture's border that the subject covers, 0 to 1.
    frame: float
    #: Pixels on strong edges that continue outside the matte, per pixel of its contour.
    crossing: float
    #: Places of the strongest evidence, the most important one first.
    places: tuple[Place, ...] = ()

    @property
    def doubt(self) -> float:
        """Probability, 0 to 1, that the intersection over union with the true matte is below 0.85."""
        return 1.0 / (1.0 + math.exp(-(CONSTANT + sum(w * x for w, x in zip(WEIGHTS, self.terms, strict=True)))))

    @property
    def terms(self) -> tuple[float, float, float]:
        """The values that are multiplied by the weights."""
        return math.log(self.ambiguity + FLOOR), self.frame, math.log(self.crossing + FLOOR)

    @property
    def sentence(self) -> str:
        """The strongest evidence against the matte, for the person who reviews it."""
        return _SENTENCES[self.strongest]

    @property
    def strongest(self) -> int:
        """Index of the term that speaks most against the matte."""
        weights = [w * (x - usual) for w, x, usual in zip(WEIGHTS, self.terms, USUAL, strict=True)]
        return int(np.argmax(weights))


_SENTENCES = (
    "the outline is ambiguous",
    "the frame cuts the subject",
    "strong edges go on outside the cut",
)


def matte_evidence(pixels: Pixels, found: Plane, alpha: Pixels) -> Evidence:
    """Measure the evidence that a matte is wrong.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 or uint16, RGB, of any size
    found : (h, w) float32 in [0, 1]
        The network's output at its own size, before it was decided by colour. A larger one is reduced, so that its
        grey rim, which is many pixels wide, does not count as ambiguity.
    alpha : (H, W) uint8 or uint16
        The matte of the cut-out.

    Returns
    -------
    Evidence
        Measured at 240 pixels on the longer side, so that it means the same for every size. About 5 ms.
    """
    size = within(pixels.shape[0], pixels.shape[1], SIDE)
    mask = to_float(resized(alpha, *size)) > 0.5
    ambiguous, ring = _ambiguous(matte := _at_network_side(found)), _ring(mask)
    crossing = _crossing(to_float(resized(pixels, *size)), mask)
    evidence = Evidence(
        ambiguity=float(ambiguous.sum()) / max(int((matte > 0.5).sum()), 1),
        frame=float(mask[ring].mean()),
        crossing=float(np.count_nonzero(crossing)) / _contour_length(mask),
    )
    marked = (np.maximum(ambiguous - CLEAR, 0.0), mask & ring, crossing)[evidence.strongest]
    return replace(evidence, places=places(marked))


def _at_network_side(matte: Plane) -> Plane:
    return resized(matte, *(min(side, NETWORK_SIDE) for side in matte.shape[:2]))


def _ambiguous(matte: Plane) -> Plane:
    """Distance of each pixel from 0 and 1; 0 at the rim of the contour."""
    solid = (matte > 0.5).astype(np.uint8)
    rim = cv2.dilate(solid, _disc(RIM)) != cv2.erode(solid, _disc(RIM))
    return np.where(rim, np.float32(0), np.minimum(matte, 1.0 - matte)).astype(np.float32)


def _ring(mask: Mask) -> Mask:
    """The outermost pixels of the picture."""
    ring = np.ones_like(mask)
    ring[1:-1, 1:-1] = False
    return ring


def _contour_length(mask: Mask) -> int:
    """Pixels of all contours, at least 1."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return max(sum(len(each) for each in contours), 1)


def _crossing(image: Image, mask: Mask) -> Mask:
    """Pixels of strong edges outside that begin at the contour."""
    solid = mask.astype(np.uint8)
    outside = (_gradient(image) > STRONG_EDGE) & (cv2.dilate(solid, _disc(OUTSIDE)) == 0)
    count, labels = cv2.connectedComponents(outside.astype(np.uint8))
    begins = np.bincount(labels[cv2.dilate(solid, _disc(TOUCHING)) > 0], minlength=count) > 0
    begins[0] = False
    return np.asarray(begins[labels])


def _gradient(image: Image) -> NDArray[np.float32]:
    lab = lab_from_image(gaussian(image, 1.0))
    across, down = (cv2.Sobel(lab, cv2.CV_32F, *way, scale=0.125) for way in ((1, 0), (0, 1)))
    length: NDArray[np.float32] = np.sqrt((np.square(across) + np.square(down)).sum(axis=2))
    return length


def _disc(radius: int) -> NDArray[np.uint8]:
    side = 2 * radius + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)
