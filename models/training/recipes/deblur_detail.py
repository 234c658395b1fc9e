"""What undoing a blur leaves behind is cleaned: amplified noise, ripples beside edges, and detail that was given up.

The denoiser's network with a constant strength, after Wiener's filter: the filter restores what the blur has left of
each frequency, the network restores typical detail. Its input is the result of the stage with the delivered reader
of blur, its errors among it, and so must be trained again when that one changes.

Schuler, Burger, Harmeling, Schölkopf: A machine learning approach for non-blind image deconvolution, 2013, DOI
10.1109/CVPR.2013.142 (a regularised inversion first, then a network that removes its artefacts).
"""

from functools import cache

import numpy as np
from torch import Tensor

from darkroom.imaging.picture import Image
from darkroom.inference.registry import Registry
from darkroom.inference.session import Model, ModelStore
from darkroom.runtime.settings import DEFAULT_REGISTRY
from darkroom.stages.deblur import LEAST_EXTENT, extent, read_blur, undone
from models.training.blur import blurred
from models.training.degradations import quantise, to_u8
from models.training.muon import Muon
from models.training.recipe import Recipe, Sample, on_centres, on_patches, psnr_db
from models.training.recipes.deblur import PATCH, some_kernel, stored
from models.training.recipes.low_light_detail import Cleaner

#: Side of the middle of what is blurred and restored; the network is shown it alone.
SHOWN = 128
#: So much of the loss does not depend on how far off the filter alone is.
LEAST_ERROR = 0.01
#: Blurs that are tried before a photograph passes as one that the stage would not touch.
TRIALS = 3


@cache
def _reader() -> Model:
    """The delivered reader of blur."""
    return ModelStore(Registry.load(DEFAULT_REGISTRY), threads=1).open("deblur", "deblur")


def sample(clean: Image, rng: np.random.Generator) -> Sample:
    """A photograph, blurred and stored as the reader's own samples are, and as the stage then restores it."""
    for _ in range(TRIALS):
        soft = stored(blurred(clean, some_kernel(rng), in_light=rng.random() < 0.15), rng)
        psf, ratios = read_blur(to_u8(soft), _reader())
        if extent(psf) >= LEAST_EXTENT:
            soft = quantise(undone(soft, psf, ratios))
            break
    edge = (clean.shape[0] - SHOWN) // 2
    inner = slice(edge, edge + SHOWN)
    return Sample(inputs=(soft[inner, inner],), target=clean[inner, inner])


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """L1 as a share of the input's own, so that faint blur counts as much as strong blur."""
    error, own = ((each - target).abs().mean(dim=(1, 2, 3)) for each in (output, inputs[0]))
    return (error / (own + LEAST_ERROR)).mean()


RECIPE = Recipe(
    id="deblur_detail",
    network=Cleaner,
    inputs=("image",),
    train_sample=on_patches(PATCH, sample),
    val_sample=on_centres(sample, PATCH),
    loss=loss,
    score=psnr_db,
    baseline=lambda inputs: inputs[0],
    batch=8,
    optimizer=Muon,
    learning_rate=1e-3,
)
