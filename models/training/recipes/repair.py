"""Trains the repair network, which detects damage and fills it in one pass.

Wan, Zhang, Chen et al.: Bringing old photos back to life, 2020, arXiv 2004.09484 (there a second network detects the
scratches first). One U-Net at half resolution returns a colour and the log-odds of damage for every pixel. The exported
graph uses the colour where damage is certain, and where it is likely and connected to certain damage. All other pixels
are copied from the input, so that nothing outside the mask can change.

Besides the colours the U-Net gets top hats of the luma (Serra: Image analysis and mathematical morphology, 1982). They
contain bright and dark marks of any direction that are thinner than a square, and no edges.
"""

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from darkroom.imaging.picture import Image, Pixels, Plane
from models.training.damage import aged, damaged
from models.training.degradations import gaussian_noise, jpeg, quantise
from models.training.hard_negatives import cluttered
from models.training.layers import UNet, crop, pad_edges
from models.training.muon import Muon
from models.training.photographs import random_patch
from models.training.recipe import EXAMPLE_IMAGE, IMAGE_AXES, Recipe, Sample, on_centres

#: Channels and residual blocks at a half, a quarter, an eighth and a sixteenth of the height and width.
WIDTHS, BLOCKS = (32, 64, 96, 128), (1, 1, 2, 4)
#: Sides in pixels of the squares of the top hats: marks thinner than them are visible.
SQUARES = (7, 15)
#: Factor of the top hats before they enter the network.
CONTRAST = 4.0
#: Pixels by which the picture is padded, repeating its border.
MARGIN = 8
#: The sides of the padded picture are multiples of this, in pixels.
MULTIPLE = 16
#: Probability above which a pixel is certain damage, at the default sensitivity of 0.5. At sensitivity 0 no pixel
#: reaches the threshold.
CERTAIN = 0.97
#: Share of the threshold above which a pixel is likely damage. It is repaired if it is connected to certain damage:
#: most true damage is certain somewhere, few false detections are.
LIKELY = 0.7
#: The threshold at sensitivity 1.
LEAST = 0.5
#: Radius in pixels of one dilation from certain into likely damage.
STEP = 4
#: Number of these dilations.
STEPS = 4
#: Exponent of the sensitivity that gives the thresholds `CERTAIN` at 0.5 and `LEAST` at 1.
CAUTION = math.log2((1 - LEAST) / (1 - CERTAIN))
#: Change of a channel, range [0, 1], above which a pixel belongs to the mask: 8 of 255 are visible.
VISIBLE = 0.03
#: Share of undamaged samples: in use most pixels are undamaged.
UNDAMAGED = 0.35
#: Number of patches of which the one with the most thin marks is used, for half of the undamaged samples.
LOOKED_AT = 5
#: Side of the area over which damage is drawn, relative to the patch, for half of the damaged samples: sparse damage.
SPARSE = 2
#: Share of the damage with hard edges, as in sharpened scans and in masks drawn by programs.
HARD = 0.3
#: Share of the samples from a resized photograph.
RESIZED = 0.4
#: Largest resize factor in either direction, as a base-2 logarithm.
LARGEST_ZOOM = 1.0
#: Share of the samples that are smoothed after the damage, as by a scanner or an enlargement.
SOFTENED = 0.4
#: Standard deviation of this smoothing in pixels, lowest and highest.
SOFTNESS = (0.4, 1.8)
#: Share of the samples with noise of a scan over picture and damage.
SCANNED = 0.25
#: Sigma of this noise (0-255 scale), lowest and highest.
SCAN_NOISE = (1.0, 10.0)
#: Side in pixels of the training patches.
SIDE = 128
#: Side in pixels of the validation patches.
VALIDATION_SIDE = 128
#: Pixels that are added to intersection and union of each patch. On an undamaged patch the loss reaches half of its
#: maximum when this many pixels are detected.
TOLERATED = 16.0
#: Initial log-odds of damage: few pixels are damaged.
RARE = -3.0
#: Channels of a target: colours, mask, and whether a pixel counts for the mask.
COLOURS, MASK, COUNTS = slice(0, 3), slice(3, 4), slice(4, 5)


class Repairer(nn.Module):
    """(N, 3, H, W) to (N, 4, H, W): the fill's colour, and the log-odds that a pixel is damaged; H and W any."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = UNet(4 * (3 + 2 * len(SQUARES)), 16, widths=WIDTHS, blocks=BLOCKS)
        with torch.no_grad():
            self.trunk.tail.bias[12:].fill_(RARE)

    def forward(self, image: Tensor) -> Tensor:
        padded = pad_edges(image, MARGIN, MULTIPLE)
        halved = F.pixel_unshuffle(torch.cat([padded, *hats(padded)], dim=1), 2)
        answer = crop(F.pixel_shuffle(self.trunk(halved), 2), MARGIN, image.shape[-2:])
        return torch.cat([image + answer[:, COLOURS], answer[:, MASK]], dim=1)


def hats(image: Tensor) -> list[Tensor]:
    """Bright and dark marks (N, 1, H, W) that do not contain a square, for each of SQUARES, with stretched contrast."""
    light = image.mean(dim=1, keepdim=True)
    found = []
    for side in SQUARES:
        found += [light - _widest(_narrowest(light, side), side), _narrowest(_widest(light, side), side) - light]
    return [CONTRAST * each for each in found]


def _widest(plane: Tensor, side: int) -> Tensor:
    """The brightest within a square, one direction after the other."""
    rows = F.max_pool2d(plane, (side, 1), stride=1, padding=(side // 2, 0))
    return F.max_pool2d(rows, (1, side), stride=1, padding=(0, side // 2))


def _narrowest(plane: Tensor, side: int) -> Tensor:
    return -_widest(-plane, side)


class Repaired(nn.Module):
    """The graph that is exported: the repaired picture (N, 3, H, W), and the mask (N, 1, H, W) of what was repaired."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, sensitivity: Tensor) -> tuple[Tensor, Tensor]:
        answer = self.network(image)
        chance = answer[:, MASK].sigmoid()
        certain = (1 - (1 - LEAST) * sensitivity**CAUTION).reshape(1, 1, 1, 1)
        likely = (chance > LIKELY * certain).to(image.dtype)
        found = (chance > certain).to(image.dtype)
        for _ in range(STEPS):
            found = _widest(found, 2 * STEP + 1) * likely
        return torch.where(found > 0, answer[:, COLOURS].clamp(0, 1), image), found


def train_sample(photograph: Pixels, rng: np.random.Generator) -> Sample:
    """A patch, new or old, perhaps with hard negatives in it, and most often damaged."""
    if rng.random() < UNDAMAGED:
        return undamaged(photograph, rng)
    sparse = SPARSE if rng.random() < 0.5 else 1
    clean = patch(photograph, SIDE * sparse, rng)
    clean = aged(cluttered(clean, rng) if rng.random() < 0.35 else clean, rng)
    image, hidden = damaged(clean, rng, hard=HARD)
    image, clean, hidden = (_middle(each) for each in softened((image, clean, hidden), rng))
    return Sample(inputs=(_stored(image, rng),), target=answer(clean, image, hidden))


def undamaged(photograph: Pixels, rng: np.random.Generator) -> Sample:
    """A patch in which nothing must be found: the busiest of several, or any with hard negatives in it."""
    if rng.random() < 0.5:
        clean = max((patch(photograph, SIDE, rng) for _ in range(LOOKED_AT)), key=busy)
    else:
        clean = cluttered(patch(photograph, SIDE, rng), rng)
    (clean,) = softened((aged(clean, rng),), rng)
    return Sample(inputs=(_stored(clean, rng),), target=answer(clean, clean, np.zeros(clean.shape[:2], np.float32)))


def softened(planes: tuple[Image, ...], rng: np.random.Generator) -> tuple[Image, ...]:
    """Blur all of them sometimes, as a scan or an enlargement does.

    Without such samples the network uses sharpness as the sign of damage and finds nothing on a soft scan.
    """
    if rng.random() >= SOFTENED:
        return planes
    sigma = float(rng.uniform(*SOFTNESS))
    return tuple(cv2.GaussianBlur(each, (0, 0), sigma) for each in planes)


def patch(photograph: Pixels, side: int, rng: np.random.Generator) -> Image:
    """A cut of a photograph at its own size or another: what is thin, and how sharp, differs from camera to camera."""
    zoom = 2 ** rng.uniform(-LARGEST_ZOOM, LARGEST_ZOOM) if rng.random() < RESIZED else 1.0
    cut = random_patch(photograph, round(side / zoom), rng)
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    return np.clip(cv2.resize(cut, (side, side), interpolation=how), 0, 1)


def busy(image: Image) -> float:
    """How much of thin bright and dark marks an image (H, W, 3) has: the mean of its steps in luma, [0, 1]."""
    light = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    square = np.ones((SQUARES[0], SQUARES[0]), np.uint8)
    filled, opened = (cv2.morphologyEx(light, how, square) for how in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN))
    return float((filled - opened).mean())


def _middle(image: Image) -> Image:
    margin = (image.shape[0] - SIDE) // 2
    return image[margin : margin + SIDE, margin : margin + SIDE]


def always_damaged(clean: Image, rng: np.random.Generator) -> Sample:
    """What is validated on: the damage of `train_sample`, without hard negatives."""
    clean = aged(clean, rng)
    image, hidden = damaged(clean, rng)
    return Sample(inputs=(_stored(image, rng),), target=answer(clean, image, hidden))


def answer(clean: Image, image: Image, hidden: Plane) -> Image:
    """The target (H, W, 5). Damage with the colour of the covered pixels is invisible and not part of the mask."""
    changed = np.abs(image - clean).max(axis=-1) > VISIBLE
    counts = changed | (hidden <= VISIBLE)
    return np.dstack([clean, changed, counts]).astype(np.float32)


def _stored(image: Image, rng: np.random.Generator) -> Image:
    if rng.random() < SCANNED:
        image = gaussian_noise(image, float(rng.uniform(*SCAN_NOISE)), rng)
    return jpeg(image, int(rng.integers(75, 98))) if rng.random() < 0.25 else quantise(image)


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:  # noqa: ARG001
    """Cross-entropy of the mask, its soft IoU patch by patch, L1 of the fill under it, and a little beside it.

    With the IoU of each patch, a small false detection in an undamaged patch would weigh as much as a missed scratch.
    """
    logits, mask, counts = output[:, MASK], target[:, MASK], target[:, COUNTS]
    entropy = (F.binary_cross_entropy_with_logits(logits, mask, reduction="none") * counts).mean()
    chance = logits.sigmoid() * counts
    common, both = (each.sum(dim=(1, 2, 3)) for each in (chance * mask, chance + mask))
    overlap = ((common + TOLERATED) / (both - common + TOLERATED)).mean()
    weight = mask + 0.02
    fill = ((output[:, COLOURS] - target[:, COLOURS]).abs() * weight).mean() / weight.mean()
    return 2 * entropy + 0.5 * (1 - overlap) + 2 * fill


def iou(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...] = ()) -> float:  # noqa: ARG001
    """Intersection over union of the visible damage and what is found of it; 1 if both are empty."""
    counts = target[:, COUNTS] > 0
    found, true = (output[:, MASK] > 0) & counts, (target[:, MASK] > 0) & counts
    return float(((found & true).sum() + 1e-6) / ((found | true).sum() + 1e-6))


def _nothing_found(inputs: tuple[Tensor, ...]) -> Tensor:
    (image,) = inputs
    return torch.cat([image, torch.full_like(image[:, :1], -10)], dim=1)


RECIPE = Recipe(
    id="repair",
    network=Repairer,
    inputs=("image", "sensitivity"),
    train_sample=train_sample,
    val_sample=on_centres(always_damaged, VALIDATION_SIDE),
    loss=loss,
    score=iou,
    unit="IoU",
    baseline=_nothing_found,
    batch=6,
    optimizer=Muon,
    learning_rate=3e-3,
    exported=Repaired,
    outputs=("restored", "mask"),
    example=(EXAMPLE_IMAGE, torch.tensor([0.5])),
    free_axes=(IMAGE_AXES, None),
)
