"""The building blocks of the networks."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def plain_trunk(channels: tuple[int, ...]) -> nn.Sequential:
    """3x3 convolutions from `channels[0]` to `channels[-1]` with ReLU between them, the fastest trunk on a CPU.

    Each removes one pixel on every side.

    The weights keep the signal's variance through ReLU (He et al.: Delving deep into rectifiers, 2015,
    arXiv 1502.01852); the last layer starts at a tenth of that, so that a residual network starts near its input.
    """
    layers: list[nn.Module] = []
    for incoming, outgoing in pairwise(channels):
        layer = nn.Conv2d(incoming, outgoing, 3)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
    last = layers[-2]
    with torch.no_grad():
        last.weight.mul_(0.1)
    return nn.Sequential(*layers[:-1])


class Residual(nn.Module):
    """Two 3x3 convolutions whose output is added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.second(F.relu(self.first(features)))


class UNet(nn.Module):
    """Residual blocks at several resolutions, each half of the one above, with sums across.

    (N, incoming, H, W) to (N, outgoing, H, W); H and W multiples of 2 ** (len(widths) - 1). Without normalisation:
    it costs 30-50 % more time on a CPU, and its statistics would differ from tile to tile.

    References
    ----------
    Ronneberger, Fischer, Brox: U-Net: Convolutional networks for biomedical image segmentation, 2015,
    arXiv 1505.04597. Zhang, Li, Zuo et al.: Plug-and-play image restoration with deep denoiser prior, 2021,
    arXiv 2008.13751 (residual blocks, strided convolutions down, sums instead of concatenation).
    """

    def __init__(self, incoming: int, outgoing: int, *, widths: tuple[int, ...], blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.head = nn.Conv2d(incoming, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(_stack(width, count) for width, count in zip(widths, blocks, strict=True))
        self.downs = nn.ModuleList(nn.Conv2d(above, below, 2, stride=2) for above, below in pairwise(widths))
        self.ups = nn.ModuleList(nn.Conv2d(below, 4 * above, 1) for above, below in pairwise(widths))
        self.decoders = nn.ModuleList(_stack(width, count) for width, count in zip(widths[:-1], blocks, strict=False))
        self.tail = nn.Conv2d(widths[0], outgoing, 3, padding=1)
        with torch.no_grad():
            self.tail.weight.mul_(0.1)
            self.tail.bias.zero_()

    def forward(self, image: Tensor) -> Tensor:
        features, passed = self.head(image), []
        for encoder, down in zip(self.encoders, self.downs, strict=False):
            features = encoder(features)
            passed.append(features)
            features = down(features)
        features = self.encoders[-1](features)
        for decoder, up in zip(reversed(self.decoders), reversed(self.ups), strict=True):
            features = decoder(passed.pop() + F.pixel_shuffle(up(features), 2))
        return self.tail(features)


def _stack(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels) for _ in range(count)))


def convolution(incoming: int, outgoing: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution and its normalisation."""
    return nn.Sequential(
        nn.Conv2d(incoming, outgoing, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outgoing, momentum=0.02),
    )


def is_normalised(module: nn.Module) -> bool:
    """Whether it is a convolution and its normalisation."""
    return isinstance(module, nn.Sequential) and len(module) == 2 and isinstance(module[1], nn.BatchNorm2d)


class Block(nn.Module):
    """Two convolutions whose output is added to their input; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = convolution(channels, channels), convolution(channels, channels)
        nn.init.zeros_(self.second[1].weight)

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(features + self.second(F.relu(self.first(features))))


class Join(nn.Module):
    """The enlarged features of the level below, joined with the encoder's features of this size."""

    def __init__(self, below: int, beside: int, outgoing: int) -> None:
        super().__init__()
        self.below = convolution(below, outgoing, kernel=1)
        self.beside = convolution(beside, outgoing, kernel=1)
        self.mixed = convolution(outgoing, outgoing)

    def forward(self, below: Tensor, beside: Tensor) -> Tensor:
        enlarged = F.interpolate(self.below(below), scale_factor=2.0, mode="bilinear", align_corners=False)
        return F.relu(self.mixed(F.relu(enlarged + self.beside(beside))))


def with_mirror(network: nn.Module, image: Tensor) -> Tensor:
    """The mean of the outputs of `network` for the picture and for its mirror image, (N, C, H, W)."""
    seen, mirrored = network(torch.cat([image, image.flip(-1)])).chunk(2)
    return (seen + mirrored.flip(-1)) / 2


def pad_edges(image: Tensor, margin: int, multiple: int = 2) -> Tensor:
    """The nchw `image` with `margin` repeated border pixels all around, and more at the bottom and right up to sides
    that are multiples of `multiple`.

    Zero padding of the convolutions acts like a black frame: without a margin the denoiser was 1.4 dB worse on the
    outer four pixels (sigma 25).
    """
    # Rounded up without negative numbers: ONNX divides those towards zero.
    height, width = ((side + 2 * margin + multiple - 1) // multiple * multiple for side in image.shape[-2:])
    beyond = margin + multiple - 1
    return F.pad(image, (margin, beyond, margin, beyond), mode="replicate")[..., :height, :width]


def crop(image: Tensor, margin: int, size: tuple[int, int]) -> Tensor:
    """The part of the nchw `image` that has `size` (height, width) and starts at (`margin`, `margin`)."""
    height, width = size
    return image[..., margin : margin + height, margin : margin + width]
