"""The denoiser: FFDNet's plan (strength as an input, work at half resolution) with a small U-Net as its trunk.

Zhang, Zuo, Zhang: FFDNet: Toward a fast and flexible solution for CNN-based image denoising, 2018, arXiv 1710.04026.
It predicts the noise, not the picture, and fades the correction out below a strength of FAINTEST_SIGMA, so that
sigma = 0 returns the picture exactly.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from darkroom.imaging.picture import Image
from models.training.degradations import (
    film_grain,
    gaussian_noise,
    half_plane,
    jpeg,
    overexposed,
    quantise,
    sensor_noise,
)
from models.training.layers import UNet, crop, pad_edges
from models.training.muon import Muon
from models.training.patterns import patterned
from models.training.recipe import EXAMPLE_IMAGE, IMAGE_AXES, Recipe, Sample, on_centres, on_patches, psnr_db

#: Channels and residual blocks at a half, a quarter and an eighth of the height and width.
WIDTHS, BLOCKS = (32, 64, 96), (2, 2, 2)
#: Pixels by which the picture is padded, repeating its border.
MARGIN = 8
#: The sides of the padded picture are multiples of this, in pixels.
MULTIPLE = 8
#: Sigma (0-255 scale) below which most training samples are.
COMMON_SIGMA = 55.0
#: Largest sigma (0-255 scale) of a training sample.
HIGHEST_SIGMA = 75.0
#: Below this strength, less than the rounding of a JPEG, the correction fades out.
FAINTEST_SIGMA = 2.0


class Denoiser(nn.Module):
    """(N, 3, H, W) and sigma (N,) on the 0-255 scale to (N, 3, H, W); H and W any."""

    def __init__(self, blocks: tuple[int, ...] = BLOCKS) -> None:
        super().__init__()
        self.trunk = UNet(13, 12, widths=WIDTHS, blocks=blocks)

    def forward(self, image: Tensor, sigma: Tensor) -> Tensor:
        sigma = sigma.reshape(-1, 1, 1, 1)
        halved = F.pixel_unshuffle(pad_edges(image, MARGIN, MULTIPLE), 2)
        noise_map = (sigma / 255).expand(-1, 1, halved.shape[-2], halved.shape[-1])
        noise = F.pixel_shuffle(self.trunk(torch.cat([halved, noise_map], dim=1)), 2)
        return image - (sigma / FAINTEST_SIGMA).clamp(max=1) * crop(noise, MARGIN, image.shape[-2:])


def sample(clean: Image, rng: np.random.Generator) -> Sample:
    """A photograph with noise or JPEG blocks; sometimes partly white or patterned, or less noisy than its sigma."""
    clean = _scene(clean, rng)
    if rng.random() < 0.1:
        return _blocky(clean, rng)
    sigma = float(rng.uniform(0, COMMON_SIGMA) if rng.random() < 0.85 else rng.uniform(COMMON_SIGMA, HIGHEST_SIGMA))
    noisy = _weakened(clean, _noisy(clean, sigma, rng), rng)
    stored = jpeg(noisy, int(rng.integers(80, 97))) if rng.random() < 0.1 else quantise(noisy)
    return Sample(inputs=(stored, sigma), target=clean)


def _blocky(clean: Image, rng: np.random.Generator) -> Sample:
    """A photograph as a JPEG of low quality, with a sigma of about the error's size."""
    stored = jpeg(clean, int(rng.integers(8, 70)))
    error = 255 * float(np.sqrt(np.square(stored - clean).mean()))
    return Sample(inputs=(stored, error * float(rng.uniform(0.7, 1.4))), target=clean)


def _scene(clean: Image, rng: np.random.Generator) -> Image:
    """Photographs, and what few of them show and most product pictures do: pure white, flat colour, patterns."""
    kind = rng.random()
    if kind < 0.05:
        return overexposed(clean, float(rng.uniform(1, 4)))
    if kind < 0.08:
        return np.broadcast_to(rng.choice(clean.reshape(-1, 3)), clean.shape)
    return patterned(clean, rng) if kind < 0.18 else clean


def _noisy(clean: Image, sigma: float, rng: np.random.Generator) -> Image:
    """White noise mostly, which is what strength is measured by; sensor noise and grain."""
    kind = rng.random()
    if kind < 0.10:
        return sensor_noise(clean, sigma, rng, shot_share=float(rng.uniform(0.3, 1)))
    if kind < 0.3:
        return film_grain(clean, sigma, rng, radius=float(rng.uniform(0.3, 0.9)), coloured=rng.random() < 0.5)
    return gaussian_noise(clean, sigma, rng)


def _weakened(clean: Image, noisy: Image, rng: np.random.Generator) -> Image:
    """Less noise than the given sigma, everywhere or in one part: clean parts must stay unchanged."""
    kind = rng.random()
    if kind < 0.05:
        return clean + (noisy - clean) * np.float32(rng.uniform(0, 1))
    if kind < 0.1:
        return clean + (noisy - clean) * half_plane(clean.shape, rng)
    return noisy


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """L1, weighted so that faint noise counts although its errors are small."""
    weight = 1 / torch.sqrt(inputs[1] + 5)
    return ((output - target).abs().mean(dim=(1, 2, 3)) * weight).mean() * 5


RECIPE = Recipe(
    id="denoise",
    network=Denoiser,
    inputs=("image", "sigma"),
    train_sample=on_patches(96, sample),
    val_sample=on_centres(sample),
    loss=loss,
    score=psnr_db,
    baseline=lambda inputs: inputs[0],
    example=(EXAMPLE_IMAGE, torch.tensor([20.0])),
    free_axes=(IMAGE_AXES, None),
    optimizer=Muon,
)
