"""Defines what a recipe specifies to train one network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darkroom.imaging.picture import Image
from models.training.photographs import Split, centre_patch, permissive, random_patch

#: Sides of the clean patches that restorers are validated on.
VALIDATION_SIDE = 192
#: An image to trace a graph with, of odd sides, so that what depends on a size's parity is traced; and its free axes.
EXAMPLE_IMAGE = torch.rand(1, 3, 37, 51, generator=torch.Generator().manual_seed(0))
IMAGE_AXES: Mapping[int, str] = {2: "height", 3: "width"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One training pair."""

    #: What the network is given, in the order of its arguments: images (H, W, C), vectors (K,), or numbers.
    inputs: tuple[NDArray[np.float32] | float, ...]
    #: What it should answer: an image (H, W, C) or a vector (K,). Several answers lie behind each other.
    target: NDArray[np.float32]


#: Makes a training pair of an example.
Draw = Callable[[Any, np.random.Generator], Sample]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one network is built, fed and judged.

    In what follows an example is whatever `load` gives: a photograph, or a photograph and its matte.
    """

    #: The model's id in the registry.
    id: str
    #: Builds the network with fresh weights. Its `forward` takes the inputs below in nchw and returns one tensor.
    network: Callable[[], nn.Module]
    #: Names of the network's inputs, as they stand in the exported graph; the first one is the picture.
    inputs: tuple[str, ...]
    #: From the data folder to the examples, those of training and those kept for validation.
    load: Callable[[Path], Split] = permissive
    #: Makes a training pair of an example.
    draw: Draw
    #: Makes smaller ones for the first part of the training, which cost less and teach the coarse; None: no such part.
    early_draw: Draw | None = None
    #: Makes a validation pair of an example; None leaves it out (too small, say).
    check: Callable[[Any, np.random.Generator], Sample | None]
    #: Mean loss of a batch from (output, target, inputs).
    loss: Callable[[Tensor, Tensor, tuple[Tensor, ...]], Tensor]
    #: Mean score of a batch from (output, target, inputs), larger is better, and its unit.
    score: Callable[[Tensor, Tensor, tuple[Tensor, ...]], float]
    unit: str = "dB"
    #: What one has without the network, from the same inputs, in the shape of its output; the network must beat it.
    baseline: Callable[[tuple[Tensor, ...]], Tensor]
    #: Samples per step.
    batch: int = 16
    #: Highest learning rate, reached after the warm-up.
    learning_rate: float = 1e-3
    #: Builds the optimizer from the network's parameters and `lr`.
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam
    #: The network as it is exported, with all that is done before and after it.
    exported: Callable[[nn.Module], nn.Module] = field(default_factory=lambda: Clipped)
    #: Names of the exported graph's outputs.
    outputs: tuple[str, ...] = ("restored",)
    #: Example inputs of the exported graph, and the axes that are free in each of them, by number and name.
    example: tuple[Tensor, ...] = (EXAMPLE_IMAGE,)
    free_axes: tuple[Mapping[int, str] | None, ...] = (IMAGE_AXES,)


class Clipped(nn.Module):
    """A network whose answer stays in [0, 1], as the contract promises."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.network(*inputs).clamp(0, 1)


def on_patches(
    side: int, sample: Callable[[Image, np.random.Generator], Sample]
) -> Callable[[Any, np.random.Generator], Sample]:
    """A `draw` that cuts a random patch, in one of eight orientations, and degrades it."""
    return lambda photograph, rng: sample(random_patch(photograph, side, rng), rng)


def on_centres(
    sample: Callable[[Image, np.random.Generator], Sample], side: int = VALIDATION_SIDE
) -> Callable[[Any, np.random.Generator], Sample | None]:
    """A `check` that degrades the middle of a photograph."""
    return lambda photograph, rng: (
        None if min(photograph.shape[:2]) < side else sample(centre_patch(photograph, side), rng)
    )


def psnr_db(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...] = ()) -> float:  # noqa: ARG001
    """Mean over the batch of the peak signal-to-noise ratio over all channels, after clipping."""
    squared = (output.clamp(0, 1) - target).square().mean(dim=(1, 2, 3)).clamp_min(1e-10)
    return float((-10 * torch.log10(squared)).mean())
