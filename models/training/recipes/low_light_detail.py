"""What lifting brings up is cleaned: noise, its colour, and the steps between few levels.

The denoiser's network with a constant strength. Noise after lifting depends on the level, the curve, the sensor
and on what the camera did, for which there is no one number, so it finds by itself what is noise. Its training goes on
from a checkpoint of the denoiser (copy `denoise.pt` to `low_light_detail.pt` and use --resume), which has learned what
photographs look like; from fresh weights it takes as long as the denoiser.
"""

import numpy as np
import torch
from torch import Tensor

from darkroom.imaging.picture import Image
from models.training.degradations import jpeg, quantise
from models.training.lighting import photon_noise, raised, some_exposure, underexposed
from models.training.recipe import Recipe, Sample, on_centres, on_patches, psnr_db
from models.training.recipes.denoise import Denoiser

#: The constant strength of the denoiser, on the 0-255 scale.
GIVEN_SIGMA = 25.0
#: Residual blocks at a half, a quarter and an eighth: one at the finest, where the denoiser has two.
BLOCKS = (1, 2, 2)
#: Side of the training patches.
PATCH = 96


class Cleaner(Denoiser):
    """(N, 3, H, W) to the same; H and W any."""

    def __init__(self) -> None:
        super().__init__(BLOCKS)

    def forward(self, image: Tensor) -> Tensor:  # type: ignore[override]  # the noise is fixed
        return super().forward(image, torch.full((len(image),), GIVEN_SIGMA, device=image.device))


def sample(clean: Image, rng: np.random.Generator) -> Sample:
    """A photograph taken with too little light, lifted to about its own exposure, with its noise and without."""
    exposure = some_exposure(rng, least_factor=2.5, least_sigma=0.4)
    dark = underexposed(clean, exposure)
    noisy = photon_noise(dark, exposure, rng)
    stored = jpeg(noisy, int(rng.integers(90, 99))) if rng.random() < 0.1 else quantise(noisy)
    factor = max(1.0, exposure.factor * float(np.exp(rng.normal(0, 0.3))))
    given, wanted = (raised(each, factor, exposure.contrast) for each in (stored, dark))
    return Sample(inputs=(quantise(given),), target=wanted)


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:  # noqa: ARG001
    """L1."""
    return (output - target).abs().mean() * 10


RECIPE = Recipe(
    id="low_light_detail",
    network=Cleaner,
    inputs=("image",),
    train_sample=on_patches(PATCH, sample),
    val_sample=on_centres(sample),
    loss=loss,
    score=psnr_db,
    baseline=lambda inputs: inputs[0],
    learning_rate=6e-4,
)
