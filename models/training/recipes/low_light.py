"""The exposure: one curve each for red, green and blue, from a reduction of the picture.

The network sees the picture as it is and once more divided by its mean light, which is the same for every exposure.
The curves are piecewise linear and increasing; their knots are densest in the dark.
"""

from itertools import pairwise

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from darkroom.imaging.picture import Image, Pixels, to_float
from models.training.degradations import jpeg, quantise
from models.training.layers import Residual
from models.training.lighting import photon_noise, some_exposure, underexposed
from models.training.recipe import Recipe, Sample

#: Side of the reduction; samples are created at twice that.
SIDE = 64
#: Channels after each of the three halvings.
WIDTHS = (32, 64, 96)
#: Pieces of a curve; knot k is at (k / PIECES) squared.
PIECES = 16
#: Linear light below which a logarithm is not meaningful.
FLOOR = 0.0003
#: Share of the photographs that are exposed well and should stay as they are.
WELL_EXPOSED = 0.18
#: How much the squared error counts beside the absolute one: curves of uncertain exposure tend to the mean.
SQUARED = 2.0


class Exposer(nn.Module):
    """(N, 3, 64, 64) to (N, 3, 16): log of each piece's slope."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(6, WIDTHS[0], 5, stride=2, padding=2)
        self.downs = nn.ModuleList(nn.Conv2d(above, below, 3, stride=2, padding=1) for above, below in pairwise(WIDTHS))
        self.blocks = nn.ModuleList(Residual(width) for width in WIDTHS[1:])
        self.whole = nn.Linear(2 * WIDTHS[-1] + 6, 128)
        self.numbers = nn.Linear(128, 3 * PIECES + PIECES + 4)
        with torch.no_grad():
            self.numbers.weight.mul_(0.1)
            self.numbers.bias.zero_()

    def forward(self, image: Tensor) -> Tensor:
        light = linear(image)
        mean = (light.mean(dim=(1, 2, 3), keepdim=True) + FLOOR).log()
        relative = ((light + FLOOR).log() - mean) * 0.3
        features = F.relu(self.first(torch.cat([image * 2 - 1, relative], dim=1)))
        for down, block in zip(self.downs, self.blocks, strict=True):
            features = F.relu(block(F.relu(down(features))))
        colours = (light.mean(dim=(2, 3)) + FLOOR).log()
        pooled = [
            features.mean(dim=(2, 3)),
            features.amax(dim=(2, 3)),
            colours - colours.mean(1, keepdim=True),
            colours,
        ]
        numbers = self.numbers(F.relu(self.whole(torch.cat(pooled, dim=1)))).float()
        own, shared, gains = numbers.split([3 * PIECES, PIECES, 4], dim=1)
        lift = gains[:, :1, None] + gains[:, 1:, None]
        return own.reshape(-1, 3, PIECES) + shared[:, None] + lift


def linear(image: Tensor) -> Tensor:
    """Linear light of sRGB values."""
    return torch.where(image <= 0.04045, image / 12.92, ((image.clamp_min(0.0) + 0.055) / 1.055) ** 2.4)


def knots(slopes: Tensor) -> Tensor:
    """Heights of the curves at their knots, the first one 0, from the logs of their slopes: (N, 3, 17)."""
    places = torch.linspace(0, 1, PIECES + 1, device=slopes.device).square()
    rises = slopes.clamp(-6, 6).exp() * places.diff()
    return F.pad(rises.cumsum(dim=2), (1, 0))


def lifted(slopes: Tensor, image: Tensor) -> Tensor:
    """The picture (N, 3, H, W) through the curves; not clipped."""
    heights = knots(slopes)
    values = image.flatten(2).clamp(0, 1)
    piece = (values.sqrt() * PIECES).long().clamp(max=PIECES - 1)
    start = (piece / PIECES).square()
    share = (values - start) / (((piece + 1) / PIECES).square() - start)
    below, above = heights.gather(2, piece), heights.gather(2, piece + 1)
    return (below + (above - below) * share).reshape(image.shape)


class Exported(nn.Module):
    """The curves' heights at their knots, (1, 51): 17 for red, 17 for green, 17 for blue, in [0, 1]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return knots(self.network(image)).clamp(max=1).reshape(1, -1)


def sample(clean: Image, rng: np.random.Generator) -> Sample:
    """A photograph of twice the side; the network sees a reduction with noise, and is judged by pixels without."""
    dark = given = clean
    if rng.random() > WELL_EXPOSED:
        exposure = some_exposure(rng)
        dark = underexposed(clean, exposure)
        given = photon_noise(dark, exposure, rng)
    given = jpeg(given, int(rng.integers(85, 98))) if rng.random() < 0.15 else quantise(given)
    small = cv2.resize(given, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return Sample(inputs=(small,), target=np.concatenate([clean[::2, ::2], dark[::2, ::2]], axis=2))


def cut(photograph: Pixels, rng: np.random.Generator) -> Image:
    """A random part of a photograph, at least half its height and width, squeezed into the square."""
    height, width = (round(side * rng.uniform(0.5, 1)) for side in photograph.shape[:2])
    row, column = rng.integers(photograph.shape[0] - height + 1), rng.integers(photograph.shape[1] - width + 1)
    part = squeezed(photograph[row : row + height, column : column + width])
    return part[:, ::-1] if rng.integers(2) else part


def squeezed(photograph: Pixels) -> Image:
    """The whole photograph in a square of twice the network's side."""
    return to_float(cv2.resize(np.ascontiguousarray(photograph), (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_AREA))


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:  # noqa: ARG001
    """Absolute and squared error of the lifted pixels, and how much the slopes change from piece to piece."""
    errors = lifted(output, target[:, 3:]).clamp(max=1.2) - target[:, :3]
    rough = output.diff(dim=2).diff(dim=2).square().mean()
    apart = (output - output.mean(dim=1, keepdim=True)).square().mean()
    return 10 * (errors.abs().mean() + SQUARED * errors.square().mean()) + 0.05 * rough + 0.02 * apart


def score(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> float:  # noqa: ARG001
    """Mean absolute error of the lifted pixels in levels of 255, negated: a PSNR has no mean where some are perfect."""
    image = output if output.ndim == 4 else lifted(output, target[:, 3:])
    return -255 * float((image.clamp(0, 1) - target[:, :3]).abs().mean())


RECIPE = Recipe(
    id="low_light",
    network=Exposer,
    inputs=("image",),
    train_sample=lambda photograph, rng: sample(cut(photograph, rng), rng),
    val_sample=lambda photograph, rng: sample(squeezed(photograph), rng),
    loss=loss,
    score=score,
    unit="levels",
    baseline=lambda inputs: inputs[0],
    exported=Exported,
    outputs=("curves",),
    example=(torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)),),
    free_axes=(None,),
)
