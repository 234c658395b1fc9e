"""The colorizer: from lightness, and colours that a person may have set, to a distribution over colours at a quarter
of the size.

A palette of colours is classified, as in Zhang, Isola, Efros: Colorful image colorization, 2016, arXiv 1603.08511,
whose mean makes one colour of it; hints enter as in Zhang, Zhu, Isola et al.: Real-time user-guided image
colorization with learned deep priors, 2017, arXiv 1705.02999. The deepest features see the whole picture, as in
Iizuka, Simo-Serra, Ishikawa: Let there be color!, 2016, DOI 10.1145/2897824.2925974.
"""

from itertools import pairwise

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from darkroom.imaging.color import lab_from_image
from darkroom.imaging.picture import Pixels, to_float
from models.training.colourful import colourful
from models.training.layers import Block, Join, convolution
from models.training.muon import Muon
from models.training.recipe import Recipe, Sample

#: Side in pixels of the training samples.
TRAINED_SIDE = 96
#: Side in pixels of the exported network's input.
SIDE = 128
#: Factor by which the output is smaller than the input.
REDUCTION = 4
#: Channels at 1/4, 1/8, 1/16 and 1/32 of the height and width, residual blocks there, and channels of the decoder.
WIDTHS, BLOCKS, DECODED = (48, 96, 160, 224), (1, 1, 2, 2), (48, 64, 96)
#: The palette: chroma of each ring in CIE Lab units, and hues on it. Finer near grey, where most colours are.
RINGS = ((0, 1), (5, 6), (10, 8), (16, 10), (23, 12), (31, 12), (41, 12), (53, 12), (68, 10), (86, 8))
#: A colour counts for the palette's colours around it by a Gaussian of this width, in Lab units.
SOFTNESS = 6.0
#: Errors of a picture below this (mean square, Lab units) are not pursued further.
FAINTEST_ERROR = 12.0
#: Share of the samples that show some of their colours.
HINTED = 0.25


def palette() -> Tensor:
    """(Q, 2): a* and b* of every colour of the palette."""
    colours = [
        (radius * np.cos(angle), radius * np.sin(angle))
        for number, (radius, hues) in enumerate(RINGS)
        for angle in 2 * np.pi * (np.arange(hues) + number % 2 / 2) / hues
    ]
    return torch.tensor(np.array(colours), dtype=torch.float32)


class ColourNet(nn.Module):
    """Lightness (N, 1, H, W) in [0, 100] and hints (N, 3, H, W) to logits (N, Q, H/4, W/4) over the palette.

    Hints are a* and b* where a colour is set, else 0, and a mask of where. H and W are multiples of 32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = convolution(4, 32, stride=2)
        self.downs = nn.ModuleList(convolution(above, below, stride=2) for above, below in pairwise((32, *WIDTHS)))
        self.levels = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(count))) for width, count in zip(WIDTHS, BLOCKS, strict=True)
        )
        self.whole = nn.Conv2d(WIDTHS[-1], WIDTHS[-1], 1)
        below = (*DECODED[1:], WIDTHS[-1])
        self.joins = nn.ModuleList(Join(*each) for each in zip(below, WIDTHS[:-1], DECODED, strict=True))
        self.tail = nn.Conv2d(DECODED[0], len(palette()), 1)

    def forward(self, lightness: Tensor, hints: Tensor) -> Tensor:
        given = torch.cat([lightness / 50 - 1, hints[:, :2] / 50, hints[:, 2:]], dim=1)
        features, seen = F.relu(self.head(given)), []
        for down, level in zip(self.downs, self.levels, strict=True):
            features = level(F.relu(down(features)))
            seen.append(features)
        features = seen.pop()
        features = features + F.relu(self.whole(features.mean(dim=(2, 3), keepdim=True)))
        for join in reversed(self.joins):
            features = join(features, seen.pop())
        return self.tail(features)


def train_sample(photograph: Pixels, rng: np.random.Generator) -> Sample:
    """A cut of a photograph as a grey picture; some with hints."""
    cut = _cut(photograph, rng)
    lab = lab_from_image(to_float(cut))
    hints = revealed(lab[..., 1:], rng) if rng.random() < HINTED else np.zeros_like(lab)
    return _sample(_weathered(_grey(cut, lab, rng), rng), hints, lab)


def val_sample(photograph: Pixels, rng: np.random.Generator) -> Sample:  # noqa: ARG001
    """The whole photograph without hints."""
    whole = _resized(photograph, SIDE)
    lab = lab_from_image(to_float(whole))
    return _sample(_lightness_of(cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY)), np.zeros_like(lab), lab)


def _sample(lightness: NDArray[np.float32], hints: NDArray[np.float32], lab: NDArray[np.float32]) -> Sample:
    side = lab.shape[0] // REDUCTION
    target = cv2.resize(lab[..., 1:], (side, side), interpolation=cv2.INTER_AREA)
    return Sample(inputs=(lightness[..., np.newaxis], hints), target=target)


def _cut(photograph: Pixels, rng: np.random.Generator) -> Pixels:
    """Half to all of each side, squeezed to a square, mirrored or not."""
    height, width = (max(8, round(extent * rng.uniform(0.5, 1))) for extent in photograph.shape[:2])
    top, left = rng.integers(photograph.shape[0] - height + 1), rng.integers(photograph.shape[1] - width + 1)
    cut = _resized(photograph[top : top + height, left : left + width], TRAINED_SIDE)
    return np.ascontiguousarray(cut[:, ::-1]) if rng.integers(2) else cut


def _resized(photograph: Pixels, side: int) -> Pixels:
    smaller = max(photograph.shape[:2]) >= side
    kernel = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(photograph, (side, side), interpolation=kernel).astype(np.uint8, copy=False)


def _grey(cut: Pixels, lab: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The grey plane: mostly luma, sometimes lightness, or the response of film (more blue)."""
    kind = rng.random()
    if kind < 0.7:
        return _lightness_of(cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY))
    if kind < 0.9:
        return np.ascontiguousarray(lab[..., 0])
    weights = rng.dirichlet((2.0, 3.0, 2.0))
    return _lightness_of((cut @ weights).astype(np.uint8))


def _lightness_of(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.take(_LIGHTNESS, grey)


_LIGHTNESS = lab_from_image(np.repeat(np.linspace(0, 1, 256, dtype=np.float32), 3).reshape(1, 256, 3))[0, :, 0]


def _weathered(lightness: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Other tone, less contrast, noise or softness, as in pictures that were taken in grey."""
    if rng.random() < 0.25:
        low, high = rng.uniform(0, 20), rng.uniform(80, 100)
        tone = (np.clip(lightness, 0, 100) / 100) ** np.float32(np.exp(rng.normal(0, 0.25)))
        lightness = np.float32(low) + tone * np.float32(high - low)
    if rng.random() < 0.15:
        lightness = cv2.GaussianBlur(lightness, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.15:
        noise = rng.standard_normal(lightness.shape, dtype=np.float32)
        lightness = lightness + noise * np.float32(rng.uniform(0.5, 4))
    return lightness.astype(np.float32, copy=False)


def revealed(chroma: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The colours of a few places: (H, W, 3), a*, b* and a mask, each place a square of its mean colour.

    Mostly one to five of them, now and then twenty.
    """
    hints = np.zeros((*chroma.shape[:2], 3), np.float32)
    for _ in range(min(20, int(rng.geometric(0.25)))):
        size = int(rng.integers(1, 8))
        row, column = (int(rng.integers(extent - size + 1)) for extent in chroma.shape[:2])
        window = np.s_[row : row + size, column : column + size]
        hints[window] = (*chroma[window].mean(axis=(0, 1)), 1.0)
    return hints


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:  # noqa: ARG001
    """Cross-entropy with the palette, and the logarithm of each picture's mean square error, which PSNR measures."""
    wanted = torch.softmax(nearness(target) / SOFTNESS**2, dim=1)
    entropy = -(wanted * F.log_softmax(output, dim=1)).sum(dim=1).mean()
    missed = (mean_colour(output) - target).square().sum(dim=1).mean(dim=(1, 2))
    return entropy + torch.log(missed + FAINTEST_ERROR).mean()


def nearness(chroma: Tensor) -> Tensor:
    """(N, 2, h, w) to (N, Q, h, w): minus half the squared distance to each colour of the palette, up to a number that
    is the same for all of them."""
    colours = palette().to(chroma)
    return F.conv2d(chroma, colours[..., None, None], -colours.square().sum(dim=1) / 2)


def mean_colour(logits: Tensor) -> Tensor:
    """(N, Q, h, w) to (N, 2, h, w): the mean of the palette, weighted by the distribution."""
    return F.conv2d(torch.softmax(logits, dim=1), palette().to(logits).T[..., None, None])


def score(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...] = ()) -> float:  # noqa: ARG001
    """Peak signal-to-noise ratio of chroma for a peak of 100, mean over the pictures."""
    missed = (mean_colour(output) - target).square().mean(dim=(1, 2, 3)).clamp_min(1e-6)
    return float((10 * torch.log10(100**2 / missed)).mean())


def grey(inputs: tuple[Tensor, ...]) -> Tensor:
    """No colour at all."""
    number, _, height, width = inputs[0].shape
    logits = torch.full((number, len(palette()), height // REDUCTION, width // REDUCTION), -1e4)
    logits[:, 0] = 0
    return logits.to(inputs[0].device)


#: The mean of what is possible is paler than what is true: it may be multiplied by so much, chosen on the validation
#: split, but becomes no stronger than the possible colours are on average. More is more colourful, and more often
#: wrong.
VIVIDNESS = 1.4
#: Distance in Lab units: the confidence is the probability that the true colour is nearer than this.
NEAR = 15.0
#: Width in Lab units of the transition at this distance.
NEAR_SOFTNESS = 3.0


def _enlivened(logits: Tensor) -> Tensor:
    """The mean colour, as strong as the possible ones are on average; a colour beyond doubt, as by a hint, stays."""
    mean = mean_colour(logits)
    usual = F.conv2d(torch.softmax(logits, dim=1), palette().to(logits).norm(dim=1).view(1, -1, 1, 1))
    return mean * (usual / mean.norm(dim=1, keepdim=True).clamp_min(1e-3)).clamp(max=VIVIDNESS)


class Colours(nn.Module):
    """Chroma (N, 2, h, w) in Lab units, and confidence (N, 1, h, w) in [0, 1]: the chance that it is nearly right.

    Of the mean output of the network for the picture and for its mirror image.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, lightness: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        seen, mirrored = self.network(*(torch.cat([each, each.flip(-1)]) for each in (lightness, hints))).chunk(2)
        logits = (F.log_softmax(seen, dim=1) + F.log_softmax(mirrored.flip(-1), dim=1)) / 2
        chroma = _enlivened(logits)
        away = (chroma.square().sum(dim=1, keepdim=True) - 2 * nearness(chroma)).clamp_min(0).sqrt()
        near = torch.sigmoid((NEAR - away) / NEAR_SOFTNESS)
        return chroma, (torch.softmax(logits, dim=1) * near).sum(dim=1, keepdim=True)


RECIPE = Recipe(
    id="colorize",
    network=ColourNet,
    inputs=("lightness", "hints"),
    load=colourful,
    train_sample=train_sample,
    val_sample=val_sample,
    loss=loss,
    score=score,
    baseline=grey,
    batch=32,
    optimizer=Muon,
    learning_rate=3e-3,
    exported=Colours,
    outputs=("chroma", "confidence"),
    example=(torch.full((1, 1, SIDE, SIDE), 50.0), torch.zeros(1, 3, SIDE, SIDE)),
    free_axes=(None, None),
)
