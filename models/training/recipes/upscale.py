"""The upscalers: a trunk at the low resolution, whose output is added to the bicubic enlargement.

Shi, Caballero, Huszár et al.: Real-time single image and video super-resolution using an efficient sub-pixel
convolutional neural network, 2016, arXiv 1609.05158 (trunk at low resolution, pixel shuffle at the end).
Lim, Son, Kim et al.: Enhanced deep residual networks for single image super-resolution, 2017, arXiv 1707.02921
(no normalisation; x4 starts from the weights of x2).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from darkroom.imaging.picture import Image
from models.training.degradations import gaussian_noise, jpeg, keys, quantise, reduced
from models.training.layers import Residual, crop, pad_edges, plain_trunk
from models.training.lettering import lettered
from models.training.muon import Muon
from models.training.recipe import Recipe, Sample, on_centres, on_patches, psnr_db

CHANNELS = 32
CONVOLUTIONS = 8
#: Channels and residual blocks at half the low resolution, which the first half of the trunk feeds; where more than one
#: pixel in two is missing. For x2 they gain as much as longer training and need 2.3 times as long.
COARSE_CHANNELS, COARSE_BLOCKS = 64, 3
#: Pixels around the picture that the convolutions need, each of them one.
MARGIN = CONVOLUTIONS


class Upscaler(nn.Module):
    """(N, 3, H, W) to the enlargement of all but its MARGIN: (N, 3, scale·(H - 16), scale·(W - 16)).

    H and W are multiples of 2 where there are blocks at half the resolution.
    """

    bicubic: Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.trunk = plain_trunk((3, *[CHANNELS] * (CONVOLUTIONS - 1), 3 * scale**2))
        self.coarse = Coarse() if scale > 2 else None
        self.register_buffer("bicubic", bicubic_weights(scale), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        features = self.trunk[:CONVOLUTIONS](image)
        if self.coarse is not None:
            features = features + self.coarse(features)
        return F.pixel_shuffle(self.trunk[CONVOLUTIONS:](features) + phases(image, self.bicubic), self.scale)


class Bordered(nn.Module):
    """The graph that is exported: (N, 3, H, W) to (N, 3, scale·H, scale·W) in [0, 1]; H and W any.

    The pixels beyond the border repeat it.
    """

    def __init__(self, network: Upscaler) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        height, width = (self.network.scale * side for side in image.shape[-2:])
        enlarged = self.network(pad_edges(image, MARGIN, 1 if self.network.coarse is None else 2)).clamp(0, 1)
        return enlarged if self.network.coarse is None else crop(enlarged, 0, (height, width))


class Coarse(nn.Module):
    """Context at half the resolution: residual blocks with zero output at the start."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(CHANNELS, COARSE_CHANNELS, 2, stride=2)
        self.blocks = nn.Sequential(*(Residual(COARSE_CHANNELS) for _ in range(COARSE_BLOCKS)))
        self.up = nn.Conv2d(COARSE_CHANNELS, 4 * CHANNELS, 1)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, features: Tensor) -> Tensor:
        return F.pixel_shuffle(self.up(self.blocks(self.down(features))), 2)


def bicubic_weights(scale: int) -> Tensor:
    """Bicubic enlargement (Keys, a = -0.5) as a convolution: (3·scale², 3, 5, 5), scale² phases for each channel."""
    centres = (np.arange(scale) + 0.5) / scale - 0.5
    phases = torch.from_numpy(keys(centres[:, np.newaxis] - np.arange(-2, 3))).float()
    kernels = torch.einsum("ir,jc->ijrc", phases, phases).reshape(scale**2, 5, 5)
    weights = torch.zeros(3, scale**2, 3, 5, 5)
    for channel in range(3):
        weights[channel, :, channel] = kernels
    return weights.reshape(3 * scale**2, 3, 5, 5)


def phases(image: Tensor, weights: Tensor) -> Tensor:
    """The bicubic enlargement of all but the MARGIN, before its pixel shuffle: (N, 3·scale², H - 16, W - 16)."""
    unneeded = MARGIN - weights.shape[-1] // 2
    return F.conv2d(image[..., unneeded:-unneeded, unneeded:-unneeded], weights)


def sample(clean: Image, rng: np.random.Generator, *, scale: int) -> Sample:
    """Reduced photographs, a few with print on them, and all but their MARGIN.

    One in four carries what pictures from the web carry: a JPEG of quality 60-95, faint noise.
    """
    if rng.random() < 0.06:
        clean = lettered(clean, rng)
    small = reduced(clean, scale)
    if rng.random() < 0.08:
        small = gaussian_noise(small, float(rng.uniform(0, 4)), rng)
    small = jpeg(small, int(rng.integers(60, 96))) if rng.random() < 0.2 else quantise(small)
    unjudged = scale * MARGIN
    return Sample(inputs=(small,), target=clean[unjudged:-unjudged, unjudged:-unjudged])


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:  # noqa: ARG001
    """L1."""
    return (output - target).abs().mean() * 10


def recipe(scale: int, *, patch: int) -> Recipe:
    """The recipe of one scale, on patches of `patch` pixels of the large picture."""

    def degraded(clean: Image, rng: np.random.Generator) -> Sample:
        return sample(clean, rng, scale=scale)

    def enlarged(inputs: tuple[Tensor, ...]) -> Tensor:
        return F.pixel_shuffle(phases(inputs[0], bicubic_weights(scale).to(inputs[0])), scale)

    return Recipe(
        id=f"upscale-x{scale}",
        network=lambda: Upscaler(scale),
        inputs=("image",),
        train_sample=on_patches(patch, degraded),
        val_sample=on_centres(degraded),
        loss=loss,
        score=psnr_db,
        baseline=enlarged,
        optimizer=Muon,
        exported=Bordered,
    )


X2 = recipe(2, patch=128)
X4 = recipe(4, patch=224)
