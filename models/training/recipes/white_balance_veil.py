"""The first part of the white balancer: an offset and a gain per channel, in sRGB, from statistics of the colours.

They undo a colour that was laid over the whole scene, which changes the range of each channel. The statistics are
percentiles of the channels, and the mean colours of groups of pixels of about the same brightness.
"""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.training.casts import JUDGED, SIDE, load, training_sample, validation_sample
from models.training.colour_difference import difference, lab
from models.training.recipe import Recipe

#: Shares of the pixels whose values are read from each ordered channel.
PERCENTILES = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.995, 1.0)
#: Borders of the groups of equally bright pixels, as shares of all pixels from dark to bright.
GROUPS = (0.0, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99, 1.0)
#: Number of ordered planes: three channels, three differences of channels, smallest, mean, largest, largest less
#: smallest.
PLANES = 10
#: Number of statistics.
STATISTICS = PLANES * len(PERCENTILES) + 3 * (len(GROUPS) - 1) + 3 + 6
#: Units of the hidden layers.
HIDDEN = (512, 512, 256)
#: Pairs of channels of which differences and covariances are taken.
PAIRS = ((0, 1), (1, 2), (2, 0))


class Unveiler(nn.Module):
    """Images (N, 3, 64, 64) to offsets, logs of gains (N, 3 each), and the logit of a cast: (N, 7).

    Starts near the identity: its last layer is small.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*sizes) for sizes in pairwise((STATISTICS, *HIDDEN)))
        self.last = nn.Linear(HIDDEN[-1], 7)
        with torch.no_grad():
            self.last.weight.mul_(0.05)
            self.last.bias.zero_()

    def forward(self, image: Tensor) -> Tensor:
        return self.last(self.features(image)).float()

    def features(self, image: Tensor) -> Tensor:
        """The last hidden layer, (N, 256)."""
        features = statistics(image)
        for layer in self.layers:
            features = F.relu(layer(features))
        return features


def statistics(image: Tensor) -> Tensor:
    """Percentiles, mean colours of equally bright groups, means and covariances: (N, STATISTICS).

    Of every second pixel in each direction.
    """
    values = image[..., ::2, ::2].flatten(2)
    count = values.shape[2]
    differences = torch.stack([values[:, a] - values[:, b] for a, b in PAIRS], dim=1)
    smallest, largest = values.amin(dim=1, keepdim=True), values.amax(dim=1, keepdim=True)
    brightness = values.mean(dim=1, keepdim=True)
    planes = torch.cat([values, differences, smallest, brightness, largest, largest - smallest], dim=1)
    read = ordered(planes)[..., [round(share * (count - 1)) for share in PERCENTILES]]
    order = brightness.argsort(dim=2).expand(-1, 3, -1)
    arranged = values.gather(2, order)
    borders = [round(share * count) for share in GROUPS]
    groups = torch.stack([arranged[..., first:last].mean(dim=2) for first, last in pairwise(borders)], dim=2)
    mean = values.mean(dim=2)
    centred = values - mean[..., None]
    covariances = [(centred[:, a] * centred[:, b]).mean(dim=1) for a, b in (*PAIRS, (0, 0), (1, 1), (2, 2))]
    read = torch.cat([read.flatten(1), groups.flatten(1), mean], dim=1)
    return torch.cat([2 * read - 1, torch.stack(covariances, dim=1) * 10], dim=1)


def ordered(planes: Tensor) -> Tensor:
    """The last axis in ascending order; outside an export by numpy, which needs a tenth of torch's time on a CPU."""
    if torch.compiler.is_compiling() or planes.requires_grad or planes.device.type != "cpu":
        return planes.sort(dim=2).values
    return torch.from_numpy(np.sort(planes.numpy(), axis=2))


def unveiled(image: Tensor, read: Tensor) -> Tensor:
    """The picture less the offsets `read[:, :3]`, times the exponentials of `read[:, 3:6]`, in sRGB; not clipped."""
    return (image - read[:, :3, None, None]) * read[:, 3:6, None, None].exp()


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """Colour difference, and whether the answer is nearer to the truth than the input."""
    given, wanted = inputs[0][..., :: 2 * JUDGED, :: 2 * JUDGED], lab(target[:, :3, ::2, ::2])
    error = difference(lab(unveiled(given, output).clamp(0, 1)), wanted).mean(dim=(1, 2))
    before = difference(lab(given), wanted).mean(dim=(1, 2))
    better = (error.detach() < before).float()
    return 0.1 * error.mean() + 0.1 * F.binary_cross_entropy_with_logits(output[:, 6], better)


def score(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> float:
    """Mean colour difference (CIE94), negated."""
    answer = unveiled(inputs[0][..., ::JUDGED, ::JUDGED], output).clamp(0, 1)
    return -float(difference(lab(answer), lab(target[:, :3])).mean().detach())


RECIPE = Recipe(
    id="white_balance_veil",
    network=Unveiler,
    inputs=("image",),
    load=load,
    train_sample=training_sample,
    val_sample=validation_sample,
    loss=loss,
    score=score,
    unit="ΔE94",
    baseline=lambda inputs: torch.zeros(len(inputs[0]), 7),
    exported=lambda network: network,
    outputs=("read",),
    batch=256,
    learning_rate=1e-3,
    example=(torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)),),
    free_axes=(None,),
)
