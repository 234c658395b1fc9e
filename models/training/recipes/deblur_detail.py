"""The deblurrer: a U-Net that sees far at an eighth and a sixteenth of the resolution, and adds what was lost.

It is told nothing: what kind of blur and how much of it must be seen in the picture. Its answer is added to its input,
so that a sharp picture asks for no answer at all.

Nah, Kim, Lee: Deep multi-scale convolutional neural network for dynamic scene deblurring, 2017, arXiv 1612.02177
(blind, end to end, several scales). Chen, Chu, Zhang, Sun: Simple baselines for image restoration, 2022,
arXiv 2204.04676 (one U-Net with a global residual is enough).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.training.blur import Kernel, blurred, defocus, shaken, softness, straight_motion
from models.training.degradations import gaussian_noise, jpeg, quantise
from models.training.layers import UNet, crop, pad_edges
from models.training.muon import Muon
from models.training.recipe import Recipe, Sample, on_centres, on_patches
from shared.imaging.picture import Image

#: Channels and residual blocks at a half, a quarter, an eighth and a sixteenth of the height and width.
WIDTHS, BLOCKS = (32, 64, 96, 160), (1, 2, 2, 3)
#: Border pixels repeated around the picture, and what its sides are then filled up to multiples of.
MARGIN, MULTIPLE = 8, 16
#: Longest motion, and widest disk, in pixels.
LONGEST = 23.0
#: Pixels cut off around a blurred patch, which mirrored borders reach.
RIM = 14
#: Mean absolute error of an input below which a sample's weight grows no more.
LEAST_ERROR = 0.008


class Deblurrer(nn.Module):
    """(N, 3, H, W) to (N, 3, H, W); H and W any."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = UNet(12, 12, widths=WIDTHS, blocks=BLOCKS)

    def forward(self, image: Tensor) -> Tensor:
        halved = F.pixel_unshuffle(pad_edges(image, MARGIN, MULTIPLE), 2)
        return image + crop(F.pixel_shuffle(self.trunk(halved), 2), MARGIN, image.shape[-2:])


def sample(clean: Image, rng: np.random.Generator) -> Sample:
    """A photograph, blurred five times in six; mostly with faint noise, now and then stored as a JPEG."""
    soft = clean
    if rng.random() < 0.83:
        soft = blurred(clean, _kernel(rng), in_light=rng.random() < 0.2)
    soft, clean = (each[RIM:-RIM, RIM:-RIM] for each in (soft, clean))
    if rng.random() < 0.6:
        soft = gaussian_noise(soft, float(rng.uniform(0, 5)), rng)
    soft = jpeg(soft, int(rng.integers(80, 100))) if rng.random() < 0.15 else quantise(soft)
    return Sample(inputs=(soft,), target=clean)


def _kernel(rng: np.random.Generator) -> Kernel:
    """Motion and defocus of all sizes, small ones as often as large ones."""
    kind, size = rng.random(), float(LONGEST ** rng.uniform(0.3, 1))
    if kind < 0.35:
        return straight_motion(size, float(rng.uniform(0, np.pi)))
    if kind < 0.6:
        return shaken(size, rng)
    if kind < 0.83:
        return defocus(max(0.7, size / 2))
    return softness(float(rng.uniform(0.4, 3.5)))


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """L1 as a share of the input's own error, so that faint blur counts as much as strong blur."""
    error, before = ((each - target).abs().mean(dim=(1, 2, 3)) for each in (output, inputs[0]))
    return (error / (before + LEAST_ERROR)).mean()


def score(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> float:  # noqa: ARG001
    """Mean PSNR, of which nothing above 40 dB counts: else the sharp samples would outweigh all others."""
    squared = (output.clamp(0, 1) - target).square().mean(dim=(1, 2, 3)).clamp_min(1e-4)
    return float((-10 * torch.log10(squared)).mean())


RECIPE = Recipe(
    id="deblur-detail",
    network=Deblurrer,
    inputs=("image",),
    draw=on_patches(128 + 2 * RIM, sample),
    early_draw=on_patches(96 + 2 * RIM, sample),
    check=on_centres(sample, 192 + 2 * RIM),
    loss=loss,
    score=score,
    baseline=lambda inputs: inputs[0],
    batch=8,
    learning_rate=2e-3,
    optimizer=Muon,
)
