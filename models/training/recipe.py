"""What must be said to train one network?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from shared.imaging.picture import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One training pair."""

    #: What the network is given, in the order of its arguments: images (H, W, 3), or numbers.
    inputs: tuple[Image | float, ...]
    #: What it should answer: (H, W, 3).
    target: Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one network is built, fed and judged."""

    #: The model's id in the registry.
    id: str
    #: Builds the network with fresh weights. Its `forward` takes the inputs below in nchw and returns nchw, unclipped.
    network: Callable[[], nn.Module]
    #: Names of the network's inputs, as they stand in the exported graph; the first one is the picture.
    inputs: tuple[str, ...]
    #: Makes a training pair from a clean patch.
    sample: Callable[[Image, np.random.Generator], Sample]
    #: Mean loss of a batch from (output, target, inputs).
    loss: Callable[[Tensor, Tensor, tuple[Tensor, ...]], Tensor]
    #: What one has without the network, from the same inputs; the network must beat it.
    baseline: Callable[[tuple[Tensor, ...]], Tensor]
    #: Side of the clean patches in pixels.
    patch: int
    #: Patches per step.
    batch: int = 16
    #: Highest learning rate, reached after the warm-up.
    learning_rate: float = 1e-3
