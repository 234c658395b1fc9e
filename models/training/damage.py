"""Simulates damage to prints and negatives, and undamaged content that resembles it.

Every kind of damage is a function from the (height, width) of a photograph to a `Layer`: what hides the photograph, and
where. Lengths and widths are in pixels. Layers are drawn at twice the size and reduced, so that edges are soft.

References
----------
Kokaram: On missing data treatment for degraded video and film archives, 2004, DOI 10.1109/TIP.2004.823815 (dirt and
scratches: bright or dark, opaque for the most part, unrelated to what the picture shows).
Newson, Almansa, Gousseau, Pérez: Robust automatic line scratch detection in films, 2014, DOI 10.1109/TIP.2014.2300824
(long, nearly straight, along the film's transport).
Wan, Zhang, Chen et al.: Bringing old photos back to life, 2020, arXiv 2004.09484 (cracks, folds and holes of prints,
blended over photographs with varying opacity).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.imaging.picture import Image, Plane
from models.training.degradations import film_grain

Size = tuple[int, int]
#: Points (N, 2) as column and row, as OpenCV draws them.
Path = NDArray[np.float64]

#: Factor by which drawings are larger than the picture before they are reduced.
_ZOOM = 2
#: Fractional bits of the coordinates for OpenCV.
_BITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer that covers parts of a photograph."""

    #: (H, W), [0, 1]: how much of the photograph it hides.
    coverage: Plane
    #: (H, W, 3), or one colour (3,), that covers the photograph.
    colour: Image

    def over(self, image: Image) -> Image:
        """The photograph (H, W, 3) with this on top."""
        return image + (self.colour - image) * self.coverage[..., np.newaxis]

    def cut_hard(self) -> "Layer":
        """The same with hard edges, as in sharpened scans: a pixel has the largest coverage or none."""
        most = self.coverage.max()
        return Layer(coverage=np.where(self.coverage > most / 2, most, np.float32(0)), colour=self.colour)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The path of a line."""

    #: Direction at its start, in radians from the columns' towards the rows'.
    heading: float
    #: Length in pixels.
    length: float
    #: Standard deviation of the turn at each step of 4 pixels, in radians.
    bend: float = 0.0
    #: Mean of this turn, in radians.
    curl: float = 0.0
    #: Column and row of its start; if absent, its middle is at a random place.
    start: NDArray[np.float64] | None = None


def scratches(size: Size, rng: np.random.Generator) -> Layer:
    """One to four scratches of one colour: nearly straight, thin, upright more often than not, interrupted.

    A scratch through the emulsion lets all light pass: black on a print from a negative, white on a slide or a
    scratched print; one that removes only some of the dye layers is coloured.
    """
    coverage = np.zeros(size, np.float32)
    for _ in range(int(rng.integers(1, 5))):
        upright = rng.random() < 0.5
        heading = rng.normal(np.pi / 2, 0.12) if upright else rng.uniform(0, np.pi)
        length = float(rng.uniform(0.15, 2.0)) * max(size)
        path = wander(size, rng, Course(heading=heading, length=length, bend=float(rng.choice([0.0, 0.02, 0.08]))))
        coverage = np.maximum(coverage, stroke(size, path, float(rng.choice([0.5, 1, 1, 1.5, 2, 2, 3, 4]))))
    if rng.random() < 0.4:
        coverage = worn(coverage, rng, cell=float(rng.uniform(6, 30)), kept=float(rng.uniform(0.4, 0.9)))
    return Layer(coverage=_faint(coverage, rng), colour=foreign_colour(rng))


def dust(size: Size, rng: np.random.Generator) -> Layer:
    """Specks of dust or dirt, 1 to 8 pixels wide, irregular; those of one picture have one colour."""
    area = size[0] * size[1] / 128**2
    count = int(np.ceil(area * 2 ** rng.uniform(0, 5)))
    largest = float(rng.uniform(1.0, 4.0))
    radii = np.clip(largest * rng.random(count) ** 2, 0.7, None)
    coverage = spots(size, radii, rng)
    return Layer(coverage=_faint(coverage, rng), colour=foreign_colour(rng))


def fibres(size: Size, rng: np.random.Generator) -> Layer:
    """Lint: short curled threads, thin, of one colour."""
    coverage = np.zeros(size, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        curl = float(rng.normal(0, 0.15))
        length = float(rng.uniform(12, 70))
        path = wander(size, rng, Course(heading=rng.uniform(0, 7), length=length, bend=0.15, curl=curl))
        coverage = np.maximum(coverage, stroke(size, path, float(rng.choice([0.5, 1, 1.5]))))
    return Layer(coverage=_faint(coverage, rng), colour=foreign_colour(rng))


def crease(size: Size, rng: np.random.Generator) -> Layer:
    """A fold across the picture: along it the emulsion is missing, with ragged edges and a shadow beside it."""
    path = wander(size, rng, Course(heading=rng.uniform(0, np.pi), length=3.0 * max(size), bend=0.03))
    width = float(rng.uniform(1.5, 7.0))
    core = stroke(size, path, width)
    if rng.random() < 0.7:
        core = worn(core, rng, cell=float(rng.uniform(2, 10)), kept=float(rng.uniform(0.5, 1.0)))
    shadow = cv2.GaussianBlur(stroke(size, path + rng.uniform(-2, 2, 2), 2 * width), (0, 0), width / 2)
    shadow *= np.float32(rng.uniform(0, 0.35))
    return _stacked(_faint(core, rng), paper(size, rng), shadow)


def cracks(size: Size, rng: np.random.Generator) -> Layer:
    """Brittle emulsion: thin jagged lines that branch off each other."""
    trunk = wander(
        size, rng, Course(heading=rng.uniform(0, 7), length=float(rng.uniform(0.5, 2)) * max(size), bend=0.5)
    )
    width = float(rng.choice([0.5, 1, 1.5, 2]))
    coverage = stroke(size, trunk, width)
    for _ in range(int(rng.integers(0, 6))):
        start = trunk[rng.integers(len(trunk))]
        length = float(rng.uniform(0.1, 0.6)) * max(size)
        branch = wander(size, rng, Course(heading=rng.uniform(0, 7), length=length, bend=0.5, start=start))
        coverage = np.maximum(coverage, stroke(size, branch, width))
    return Layer(coverage=_faint(coverage, rng), colour=foreign_colour(rng))


def tear(size: Size, rng: np.random.Generator) -> Layer:
    """A tear from the border inwards: white fibres of paper, narrower towards its end, a shadow along it."""
    row, column = rng.uniform(0, size[0]), rng.uniform(0, size[1])
    start = np.array([column, 0.0] if rng.random() < 0.5 else [0.0, row])
    length = float(rng.uniform(0.3, 1.3)) * max(size)
    path = wander(size, rng, Course(heading=rng.uniform(0, np.pi), length=length, bend=0.6, start=start))
    widths = np.linspace(float(rng.uniform(3, 16)), 1.0, len(path)) * rng.uniform(0.7, 1.3, len(path))
    core = np.zeros(size, np.float32)
    for here in range(0, len(path) - 1, 2):
        core = np.maximum(core, stroke(size, path[here : here + 3], float(widths[here])))
    shadow = cv2.GaussianBlur(core, (0, 0), 2.0) * np.float32(rng.uniform(0, 0.4))
    return _stacked(core, paper(size, rng), shadow)


def chips(size: Size, rng: np.random.Generator) -> Layer:
    """Emulsion that has flaked off in pieces of up to 24 pixels: the paper shows."""
    coverage = spots(size, rng.uniform(2, 12, int(rng.integers(1, 5))), rng)
    return Layer(coverage=coverage, colour=paper(size, rng))


def foxing(size: Size, rng: np.random.Generator) -> Layer:
    """Brown spots of mould and rust in the paper: soft edges, half transparent."""
    coverage = spots(size, rng.uniform(1.5, 8, int(rng.integers(2, 10))), rng)
    soft = cv2.GaussianBlur(coverage, (0, 0), float(rng.uniform(0.5, 1.5))) * np.float32(rng.uniform(0.4, 0.9))
    brown = np.array([0.45, 0.28, 0.12]) * rng.uniform(0.4, 1.5)
    return Layer(coverage=soft, colour=brown.astype(np.float32))


#: Every kind of damage and how often it is drawn.
KINDS: dict[Callable[[Size, np.random.Generator], Layer], float] = {
    scratches: 0.34,
    dust: 0.22,
    fibres: 0.08,
    crease: 0.10,
    cracks: 0.08,
    tear: 0.07,
    chips: 0.06,
    foxing: 0.05,
}


def damaged(image: Image, rng: np.random.Generator, *, hard: float = 0.0) -> tuple[Image, Plane]:
    """One to three kinds of damage over a photograph.

    Parameters
    ----------
    image : (H, W, 3) float32, RGB, [0, 1]; not changed
    rng : draws kinds, number, places, widths, colours and opacity
    hard : share of the layers that end hard, [0, 1]; the others have edges as soft as a lens and a sensor make them

    Returns
    -------
    The damaged photograph, and the (H, W) coverage by all damage together. About 0.5 ms for 128 x 128.
    """
    uncovered = np.ones(image.shape[:2], np.float32)
    for _ in range(int(rng.choice([1, 2, 3], p=[0.45, 0.35, 0.2]))):
        layer = rng.choice(np.array(list(KINDS), object), p=list(KINDS.values()))(image.shape[:2], rng)
        if hard and rng.random() < hard:
            layer = layer.cut_hard()
        image = layer.over(image)
        uncovered *= 1 - layer.coverage
    return np.clip(image, 0, 1), 1 - uncovered


def aged(image: Image, rng: np.random.Generator) -> Image:
    """Four in ten photographs (H, W, 3) degraded like old ones: grey or brown, faded, soft, grainy; six unchanged."""
    if rng.random() < 0.6:
        return image
    if rng.random() < 0.7:
        grey = image @ np.array([0.299, 0.587, 0.114], np.float32)
        tint = rng.uniform(0.75, 1.0) if rng.random() < 0.5 else 1.0
        image = grey[..., np.newaxis] ** np.array([tint, 1.0, 1 / tint], np.float32)
    if rng.random() < 0.5:
        black, white = rng.uniform(0, 0.3), rng.uniform(0.65, 1)
        image = black + image * np.float32(white - black)
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 1.5)))
    if rng.random() < 0.6:
        grain = float(rng.uniform(0.3, 1.0))
        image = film_grain(image, float(rng.uniform(1, 14)), rng, radius=grain, coloured=rng.random() < 0.2)
    return np.clip(image, 0, 1).astype(np.float32, copy=False)


def wander(size: Size, rng: np.random.Generator, course: Course) -> Path:
    """A random path in steps of 4 pixels."""
    steps = max(2, int(course.length / 4))
    headings = course.heading + np.cumsum(rng.normal(course.curl, course.bend, steps))
    path = np.cumsum(4 * np.stack([np.cos(headings), np.sin(headings)], axis=1), axis=0)
    if course.start is not None:
        return path - path[0] + course.start
    return path - path[steps // 2] + rng.uniform(0, 1, 2) * (size[1], size[0])


def stroke(size: Size, path: Path, width: float) -> Plane:
    """The (H, W) coverage of a line: `width` pixels in steps of a half, and up to one more by its soft edges."""
    canvas = np.zeros((size[0] * _ZOOM, size[1] * _ZOOM), np.uint8)
    points = np.rint(path * (_ZOOM << _BITS)).astype(np.int32)
    cv2.polylines(canvas, [points], False, 255, max(1, round(_ZOOM * width)), cv2.LINE_AA, _BITS)
    return _reduced(canvas, size)


def spots(size: Size, radii: Sequence[float] | NDArray[np.float64], rng: np.random.Generator) -> Plane:
    """The (H, W) coverage of irregular spots at random places."""
    canvas = np.zeros((size[0] * _ZOOM, size[1] * _ZOOM), np.uint8)
    angles = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    for radius in radii:
        reach = radius * rng.uniform(0.6, 1.3, (10, 1)) * rng.uniform(0.6, 1.2, 2)
        outline = reach * np.stack([np.cos(angles), np.sin(angles)], axis=1) + rng.uniform(0, 1, 2) * (size[1], size[0])
        points = np.rint(outline * (_ZOOM << _BITS)).astype(np.int32)
        cv2.fillPoly(canvas, [points], 255, cv2.LINE_AA, _BITS)
    return _reduced(canvas, size)


def worn(coverage: Plane, rng: np.random.Generator, *, cell: float, kept: float) -> Plane:
    """The coverage with gaps about `cell` pixels in size, of which about the share `kept` is left."""
    rows, columns = (int(side / cell) + 2 for side in coverage.shape)
    noise = cv2.resize(
        rng.random((rows, columns), dtype=np.float32), coverage.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    return coverage * np.clip(4 * (noise - 0.9 + kept * 0.8), 0, 1)


def foreign_colour(rng: np.random.Generator) -> Image:
    """White, black, or, less often, any colour."""
    kind = rng.random()
    if kind < 0.5:
        return (rng.uniform(0.75, 1) + rng.uniform(-0.08, 0.08, 3)).clip(0, 1).astype(np.float32)
    if kind < 0.8:
        return (rng.uniform(0, 0.25) + rng.uniform(-0.05, 0.05, 3)).clip(0, 1).astype(np.float32)
    return rng.random(3, dtype=np.float32)


def paper(size: Size, rng: np.random.Generator) -> Image:
    """(H, W, 3) bare paper: white to yellowish, a little rough."""
    tone = np.float32(rng.uniform(0.75, 1)) * np.array([1, 1, rng.uniform(0.85, 1)], np.float32)
    rough = rng.standard_normal((*size, 1), dtype=np.float32) * np.float32(rng.uniform(0, 0.05))
    return tone + rough


def _faint(coverage: Plane, rng: np.random.Generator) -> Plane:
    """Opaque more often than not."""
    opacity = 1.0 if rng.random() < 0.6 else rng.uniform(0.5, 1.0)
    return coverage * np.float32(opacity)


def _stacked(core: Plane, colour: Image, shadow: Plane) -> Layer:
    """`core` above a black `shadow`, as one layer."""
    coverage = core + shadow * (1 - core)
    share = core / np.maximum(coverage, 1e-6)
    return Layer(coverage=coverage, colour=colour * share[..., np.newaxis])


def _reduced(canvas: NDArray[np.uint8], size: Size) -> Plane:
    return cv2.resize(canvas, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
