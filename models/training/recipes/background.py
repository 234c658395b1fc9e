"""The matte of the subject: a residual encoder down to 1/32, where it sees the whole picture, and a light decoder.

After U2-Net (Qin, Zhang, Huang et al.: U2-Net: Going deeper with nested U-structure for salient object detection,
2020, arXiv 2005.09007) in what it answers and in judging every level, and BASNet (Qin, Zhang, Huang et al., 2019,
https://doi.org/10.1109/CVPR.2019.00766) in the loss: cross-entropy and soft intersection over union.
Most of the channels are at low resolution: three quarters of the arithmetic are at an eighth and below.
"""

from functools import partial
from itertools import pairwise

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from darkroom.imaging.picture import Image, Pixels
from models.training.layers import Block, Join, convolution, is_normalised, with_mirror
from models.training.mattes import pairs
from models.training.muon import Muon
from models.training.recipe import Recipe, Sample

#: Side in pixels of the network's input, and of the training samples.
SIDE = 160
#: Side in pixels of the samples in the first part of the training.
EARLY_SIDE = 128
#: Channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the height and width, and residual blocks there.
WIDTHS, BLOCKS = (32, 48, 96, 160, 192), (0, 1, 2, 2, 2)
#: Channels of the decoder at 1/2, 1/4, 1/8 and 1/16.
DECODED = (24, 48, 64, 96)
#: Pixels added to intersection and union, so that pictures without a subject have a loss that can be followed.
SMOOTHING = 64.0
#: Value that is subtracted from the logits at export.
STRICTER = 1.0
#: Factor of the logits after this subtraction.
STEEPER = 2.0
#: Share of the samples that show the subject in close-up.
CLOSE_UPS = 0.12
#: Share of such a crop that the subject fills, lowest and highest.
FILLED = (0.55, 0.95)
#: Approximate mean of photographs, range [0, 1], for normalisation.
MEAN = 0.45
#: Approximate standard deviation of photographs, for normalisation.
DEVIATION = 0.26
#: Weight of the losses at the coarser levels relative to that of the output.
SIDE_WEIGHT = 0.4


class SubjectNet(nn.Module):
    """(N, 3, H, W) in [0, 1] to logits (N, 4, H, W): the matte, and its estimates from 1/4, 1/8 and 1/16 alone.

    H and W are multiples of 32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = convolution(3, WIDTHS[0], stride=2)
        self.downs = nn.ModuleList(convolution(above, below, stride=2) for above, below in pairwise(WIDTHS))
        self.levels = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(count))) for width, count in zip(WIDTHS, BLOCKS, strict=True)
        )
        self.whole = nn.Conv2d(WIDTHS[-1], WIDTHS[-1], 1)
        below = (*DECODED[1:], WIDTHS[-1])
        self.joins = nn.ModuleList(Join(*each) for each in zip(below, WIDTHS[:-1], DECODED, strict=True))
        self.sides = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in DECODED[1:])
        self.tail = nn.Conv2d(DECODED[0], 4, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        features, seen = self.head((image - MEAN) / DEVIATION), []
        for level, down in zip(self.levels, (*self.downs, None), strict=True):
            features = level(F.relu(features))
            seen.append(features)
            features = down(features) if down else features
        features = seen.pop()
        features = features + F.relu(self.whole(features.mean(dim=(2, 3), keepdim=True)))
        decoded = []
        for join in reversed(self.joins):
            features = join(features, seen.pop())
            decoded.append(features)
        matte = F.pixel_shuffle(self.tail(decoded.pop()), 2)
        if not self.training:
            return matte
        sides = [side(each) for side, each in zip(self.sides, reversed(decoded), strict=True)]
        return torch.cat([matte, *(_enlarged(each, matte.shape[-2:]) for each in sides)], dim=1)


def _enlarged(logits: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)


class Matte(nn.Module):
    """The matte (N, 1, H, W) in [0, 1]: the mean of the outputs for the picture and for its mirror image.

    The loss rewards finding all of the subject more than finding nothing else, so that a logit of 0 is too generous,
    and its doubts are too grey for a matte: the logits are moved and steepened as served the validation pairs best.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = fused(network)

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(STEEPER * (with_mirror(self.network, image) - STRICTER))


def fused(network: nn.Module) -> nn.Module:
    """The network with each normalisation merged into the convolution before it."""
    network.eval()
    for module in network.modules():
        if is_normalised(module):
            module[0] = fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    return network


def train_sample(pair: Pixels, rng: np.random.Generator, *, side: int = SIDE) -> Sample:
    """A cut of a pair in other colours, `side` pixels wide; now and then one without a subject."""
    if rng.random() < 0.04:
        return _without_subject(pair, rng, side)
    close = _close_up(pair, rng, side) if rng.random() < CLOSE_UPS else None
    cut = _cut(pair, rng, side) if close is None else close
    return Sample(inputs=(_recoloured(cut[..., :3], rng),), target=cut[..., 3:])


def val_sample(pair: Pixels, rng: np.random.Generator) -> Sample:  # noqa: ARG001
    """The whole pair as it is."""
    small = _floats(cv2.resize(pair, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return Sample(inputs=(small[..., :3],), target=small[..., 3:])


def _floats(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    return pixels.astype(np.float32) / np.float32(255)


def _cut(pair: Pixels, rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """A cut that keeps most of the subject; the whole after some misses."""
    whole = float(pair[..., 3].mean()) / 255
    for _ in range(3):
        window, share = _window(rng)
        cut = _floats(_warped(pair, window, side))
        if float(cut[..., 3].mean()) * share >= 0.7 * whole:
            return cut
    return _floats(_warped(pair, np.float32([[1, 0, 0], [0, 1, 0]]), side))


def _close_up(pair: Pixels, rng: np.random.Generator, side: int) -> NDArray[np.float32] | None:
    """A cut that the subject fills and exceeds, so that a large one is not torn; None if none is found."""
    for _ in range(4):
        window, _share = _window(rng)
        nearer = np.float32(rng.uniform(0.5, 0.8))
        window[:, 2] += (1 - nearer) * window[:, :2].sum(axis=1) / 2
        window[:, :2] *= nearer
        cut = _floats(_warped(pair, window, side))
        if FILLED[0] <= float(cut[..., 3].mean()) <= FILLED[1]:
            return cut
    return None


def _window(rng: np.random.Generator) -> tuple[NDArray[np.float32], float]:
    """A map from the cut's unit square to the pair's, and the share of the area that it covers."""
    height, width = np.clip(rng.uniform(0.7, 1.1) * np.exp(rng.normal(0, 0.08, 2)), 0.5, 1.3)
    top, left = (rng.uniform(min(0, 1 - side), max(0, 1 - side)) for side in (height, width))
    turn = rng.normal(0, 0.12) if rng.random() < 0.3 else 0.0
    mirror = -1 if rng.random() < 0.5 else 1
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * [width * mirror, height]
    shift = [left + width / 2, top + height / 2] - turned @ [0.5, 0.5]
    return np.column_stack([turned, shift]).astype(np.float32), float(height * width)


def _warped(pair: Pixels, window: NDArray[np.float32], side: int) -> Pixels:
    """The part `window` of the pair, mirrored beyond its frame, `side` pixels wide."""
    matrix = window.astype(np.float64)
    matrix[:, 2] = matrix[:, 2] * pair.shape[0] + (matrix[:, :2].sum(axis=1) * pair.shape[0] / side - 1) / 2
    matrix[:, :2] *= pair.shape[0] / side
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(pair, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def _without_subject(pair: Pixels, rng: np.random.Generator, side: int) -> Sample:
    """Background alone, a plain colour or a smooth ramp: nothing to cut out."""
    nothing = np.zeros((side, side, 1), np.float32)
    for _ in range(4):
        window, _share = _window(rng)
        window[:, :2] *= 0.6
        cut = _floats(_warped(pair, window, side))
        if cut[..., 3].max() < 0.1:
            return Sample(inputs=(_recoloured(cut[..., :3], rng),), target=nothing)
    corners = rng.uniform(0, 1, (1, 1, 3)) + rng.normal(0, 0.2 * rng.integers(2), (2, 2, 3))
    ramp = cv2.resize(corners.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    noisy = ramp + rng.normal(0, rng.uniform(0, 0.05), ramp.shape).astype(np.float32)
    return Sample(inputs=(np.clip(noisy, 0, 1),), target=nothing)


def _recoloured(image: Image, rng: np.random.Generator) -> Image:
    """Other exposure, contrast, tint and saturation; now and then grey, soft or noisy."""
    if rng.random() < 0.08:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    grey = image.mean(axis=2, keepdims=True)
    saturation = 0.0 if rng.random() < 0.06 else rng.uniform(0.6, 1.4)
    image = grey + (image - grey) * np.float32(saturation)
    gain = rng.uniform(0.75, 1.3) * np.exp(rng.normal(0, 0.06, 3))
    level = np.float32(rng.uniform(0.3, 0.6))
    image = (image - level) * (gain * rng.uniform(0.8, 1.2)).astype(np.float32) + level * np.float32(gain.mean())
    if rng.random() < 0.06:
        image = image + rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0.01, 0.06))
    return np.clip(image, 0, 1).astype(np.float32, copy=False)


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:  # noqa: ARG001
    """Cross-entropy and what is missing of the intersection over union, of the answer and of the levels below."""
    wanted = target.expand_as(output)
    entropy = F.binary_cross_entropy_with_logits(output, wanted, reduction="none").mean(dim=(0, 2, 3))
    matte = torch.sigmoid(output)
    both = (matte * wanted).sum(dim=(2, 3))
    either = (matte + wanted).sum(dim=(2, 3)) - both
    missing = 1 - ((both + SMOOTHING) / (either + SMOOTHING)).mean(dim=0)
    each = entropy + missing
    return each[0] + SIDE_WEIGHT * each[1:].mean()


def score(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...] = ()) -> float:  # noqa: ARG001
    """Mean over the batch of the F-measure (beta squared 0.3) of the answer, cut at one half."""
    found, wanted = output[:, :1] > 0, target > 0.5
    right = (found & wanted).sum(dim=(1, 2, 3)).float()
    sizes = 0.3 * wanted.sum(dim=(1, 2, 3)) + found.sum(dim=(1, 2, 3))
    return float((1.3 * right / sizes.clamp_min(1)).mean())


def centre(inputs: tuple[Tensor, ...]) -> Tensor:
    """Logits of an ellipse in the middle: where subjects mostly are."""
    height, width = inputs[0].shape[-2:]
    rows, columns = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)[None, :]
    return (0.36 - rows.square() - columns.square()).expand(len(inputs[0]), 1, -1, -1)


RECIPE = Recipe(
    id="background",
    network=SubjectNet,
    inputs=("image",),
    load=pairs,
    train_sample=train_sample,
    early_train_sample=partial(train_sample, side=EARLY_SIDE),
    val_sample=val_sample,
    loss=loss,
    score=score,
    unit="F",
    baseline=centre,
    optimizer=Muon,
    batch=16,
    learning_rate=4e-3,
    exported=Matte,
    outputs=("matte",),
    example=(torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)),),
    free_axes=(None,),
)
