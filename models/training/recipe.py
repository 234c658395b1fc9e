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

#: Side in pixels of the clean patches for validation.
VALIDATION_SIDE = 192
#: Example input for the trace of a graph. Its sides are odd, so that operations that depend on parity are traced.
EXAMPLE_IMAGE = torch.rand(1, 3, 37, 51, generator=torch.Generator().manual_seed(0))
#: Free axes of an image input: number and name.
IMAGE_AXES: Mapping[int, str] = {2: "height", 3: "width"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One training sample: inputs and target."""

    #: Inputs of the network in the order of its arguments: images (H, W, C), vectors (K,), or numbers.
    inputs: tuple[NDArray[np.float32] | float, ...]
    #: Expected output: an image (H, W, C) or a vector (K,). Several outputs are concatenated.
    target: NDArray[np.float32]


#: Creates a training sample from an example.
MakeSample = Callable[[Any, np.random.Generator], Sample]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that is needed to build, train and validate one network.

    An example is an item that `load` returns: a photograph, or a photograph with its matte.
    """

    #: The model's id in the registry.
    id: str
    #: Builds the network with fresh weights. Its `forward` takes the inputs below in nchw and returns one tensor.
    network: Callable[[], nn.Module]
    #: Names of the network's inputs, as in the exported graph; the first one is the picture.
    inputs: tuple[str, ...]
    #: From the data folder to the examples, those of training and those kept for validation.
    load: Callable[[Path], Split] = permissive
    #: Creates a training sample from an example.
    train_sample: MakeSample
    #: Creates smaller, cheaper samples for the first part of the training; None: there is no such part.
    early_train_sample: MakeSample | None = None
    #: Creates a validation sample from an example; returns None to skip it (for example if it is too small).
    val_sample: Callable[[Any, np.random.Generator], Sample | None]
    #: Mean loss of a batch from (output, target, inputs).
    loss: Callable[[Tensor, Tensor, tuple[Tensor, ...]], Tensor]
    #: Mean score of a batch from (output, target, inputs); larger is better.
    score: Callable[[Tensor, Tensor, tuple[Tensor, ...]], float]
    #: Unit of the score.
    unit: str = "dB"
    #: Result without the network, from the same inputs, in the shape of its output; the network must be better.
    baseline: Callable[[tuple[Tensor, ...]], Tensor]
    #: Samples per step.
    batch: int = 16
    #: Highest learning rate, reached after the warm-up.
    learning_rate: float = 1e-3
    #: Builds the optimizer from the network's parameters and `lr`.
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam
    #: The network as it is exported, with its pre- and postprocessing.
    exported: Callable[[nn.Module], nn.Module] = field(default_factory=lambda: Clipped)
    #: Names of the exported graph's outputs.
    outputs: tuple[str, ...] = ("restored",)
    #: Example inputs of the exported graph.
    example: tuple[Tensor, ...] = (EXAMPLE_IMAGE,)
    #: Free axes of each example input, by number and name.
    free_axes: tuple[Mapping[int, str] | None, ...] = (IMAGE_AXES,)


class Clipped(nn.Module):
    """A network whose output is clipped to [0, 1], as its contract states."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.network(*inputs).clamp(0, 1)


def on_patches(
    side: int, sample: Callable[[Image, np.random.Generator], Sample]
) -> Callable[[Any, np.random.Generator], Sample]:
    """Return a `train_sample` that cuts a random patch, in one of eight orientations, and degrades it."""
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
