"""The x2 upscaler: a plain trunk at the low resolution, whose answer is added to the bicubic enlargement.

Shi, Caballero, Huszár et al.: Real-time single image and video super-resolution using an efficient sub-pixel
convolutional neural network, 2016, arXiv 1609.05158 (trunk at low resolution, pixel shuffle at the end).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.training.degradations import gaussian_noise, halve, jpeg, quantise
from models.training.layers import plain_trunk
from models.training.recipe import Recipe, Sample
from shared.imaging.picture import Image

CHANNELS = 32
CONVOLUTIONS = 8
#: Keys' bicubic weights (a = -0.5) for a new sample a quarter of a pixel before an old one.
_QUARTER_BEFORE = (-0.0234375, 0.2265625, 0.8671875, -0.0703125)


class Upscaler(nn.Module):
    """(N, 3, H, W) to (N, 3, 2H, 2W); H and W any."""

    bicubic: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.trunk = plain_trunk((3, *[CHANNELS] * (CONVOLUTIONS - 1), 12))
        self.register_buffer("bicubic", bicubic_weights(), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        return F.pixel_shuffle(self.trunk(image) + enlarge_phases(image, self.bicubic), 2)


def bicubic_weights() -> Tensor:
    """Bicubic enlargement by two as a convolution: (12, 3, 5, 5), four phases for each channel."""
    before = torch.tensor([*_QUARTER_BEFORE, 0.0])
    phases = torch.stack([before, before.flip(0)])
    kernels = torch.einsum("ir,jc->ijrc", phases, phases).reshape(4, 5, 5)
    weights = torch.zeros(3, 4, 3, 5, 5)
    for channel in range(3):
        weights[channel, :, channel] = kernels
    return weights.reshape(12, 3, 5, 5)


def enlarge_phases(image: Tensor, weights: Tensor) -> Tensor:
    """The bicubic enlargement before its pixel shuffle: (N, 12, H, W). Borders are repeated."""
    return F.conv2d(F.pad(image, (2, 2, 2, 2), mode="replicate"), weights)


def sample(clean: Image, rng: np.random.Generator) -> Sample:
    """Bicubic halves; four in ten carry what pictures from the web carry: a JPEG of quality 60-95, faint noise."""
    small = halve(clean)
    if rng.random() < 0.15:
        small = gaussian_noise(small, float(rng.uniform(0, 4)), rng)
    small = jpeg(small, int(rng.integers(60, 96))) if rng.random() < 0.3 else quantise(small)
    return Sample(inputs=(small,), target=clean)


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:  # noqa: ARG001
    """L1."""
    return (output - target).abs().mean() * 10


RECIPE = Recipe(
    id="upscale",
    network=Upscaler,
    inputs=("image",),
    sample=sample,
    loss=loss,
    baseline=lambda inputs: F.pixel_shuffle(enlarge_phases(inputs[0], bicubic_weights().to(inputs[0])), 2),
    patch=128,
)
