"""The white balancer: gains of red, green and blue, and a veil, over a coarse grid, from a reduction of the picture.

The inputs are the picture and the same picture balanced by shades of grey. Apart from clipping, the second one is the
same under every light, so that the network generalises from one light to all, as in Barron: Convolutional color
constancy, 2015, arXiv 1507.00410 (which shifts histograms of log chroma for the same purpose). Further inputs are the
estimates by the usual grey assumptions, which the network corrects, and a histogram of chroma, as in Afifi, Price,
Cohen, Brown: When color constancy goes wrong, 2019, DOI 10.1109/CVPR.2019.00163. The result is the mean of two networks
with different encoders, as in Hansen, Salamon: Neural network ensembles, 1990, DOI 10.1109/34.58871.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from darkroom.imaging.color import linear_from_pixels
from darkroom.imaging.picture import Image, Pixels, to_float
from darkroom.imaging.surface import spline_weights
from darkroom.imaging.tone.relight import encoded as encoded_by_table
from models.training.degradations import jpeg, quantise
from models.training.layers import Residual, with_mirror
from models.training.lighting import Light, exposed, mixed_light, some_light, water
from models.training.muon import Muon
from models.training.photographs import Split, read_rgb, split
from models.training.recipe import Recipe, Sample

#: Side in pixels of the reduced picture.
SIDE = 64
#: Side of the grid of gains and veil.
GRID = 8
#: Channels of the coarse encoder at a quarter and at an eighth of the sides.
COARSE = (32, 64)
#: Channels of the fine encoder at a half, a quarter and an eighth of the sides.
FINE = (32, 48, 96)
#: Input planes of the encoders.
PLANES = 7
#: Number of values from the grey assumptions.
ASSUMED = 18
#: Bins of the chroma histograms in each direction.
BINS = 32
#: Absolute log ratio at the ends of the histograms.
WIDEST = 1.6
#: Linear light, [0, 1], to which darker values are raised before the logarithm.
FLOOR = 0.002
#: Share of the range above which a value may be clipped.
CLIPPED = 0.98
#: Linear light, [0, 1], below which a value is mostly noise.
DARK = 0.003
#: Initial gains relative to those of shades of grey.
START = 0.7
#: Longest side in pixels of the stored training photographs.
LOADED_SIDE = 128
#: Step in pixels between those that enter the loss, in each direction.
JUDGED = 2
#: Change of the log ratio of two channels from which a cast counts as present.
VISIBLE_CAST = 0.06
#: Root mean square of the logarithms of the gains that counts as strength 1.
FULL_STRENGTH = 0.7


class CoarseEncoder(nn.Module):
    """Looks at squares of 4x4: planes (N, 7, 64, 64) to features (N, 64, 8, 8)."""

    def __init__(self) -> None:
        super().__init__()
        wide, deep = COARSE
        self.first = nn.Conv2d(PLANES, wide, 6, stride=4, padding=1)
        self.down = nn.Conv2d(wide, deep, 3, stride=2, padding=1)
        self.block = Residual(deep)

    def forward(self, planes: Tensor, known: Tensor) -> Tensor:  # noqa: ARG002
        return F.relu(self.block(F.relu(self.down(F.relu(self.first(planes))))))


class FineEncoder(nn.Module):
    """Looks at every pixel, and knows what is known of the whole: planes (N, 7, 64, 64) to features (N, 96, 8, 8)."""

    def __init__(self) -> None:
        super().__init__()
        fine, wide, deep = FINE
        self.first = nn.Conv2d(PLANES, fine, 3, stride=2, padding=1)
        self.down = nn.Conv2d(fine, wide, 3, stride=2, padding=1)
        self.block = Residual(wide)
        self.deeper = nn.Conv2d(wide, deep, 3, stride=2, padding=1)
        self.seen = Residual(deep)
        self.context = nn.Linear(deep + ASSUMED, deep)
        self.judged = Residual(deep)

    def forward(self, planes: Tensor, known: Tensor) -> Tensor:
        features = F.relu(self.block(F.relu(self.down(F.relu(self.first(planes))))))
        features = F.relu(self.seen(F.relu(self.deeper(features))))
        return F.relu(self.judged(features + self.context(known)[..., None, None]))


class Adviser(nn.Module):
    """What one eye makes of the picture: (N, 7, 8, 8), as `Balancer` answers; `deep` channels come from the eye."""

    def __init__(self, eye: nn.Module, deep: int) -> None:
        super().__init__()
        self.eye = eye
        self.chroma = nn.Sequential(
            *(nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(32 * (BINS // 4) ** 2, deep), nn.ReLU()),
        )
        self.whole = nn.Linear(3 * deep + ASSUMED, 2 * deep)
        self.numbers = nn.Linear(2 * deep, 7 + deep)
        self.direct = nn.Linear(15, 3)
        self.local = nn.Conv2d(deep, deep, 3, padding=1)
        self.cells = nn.Conv2d(deep, 6, 1)
        for layer in (self.numbers, self.direct, self.cells):
            nn.init.zeros_(layer.bias)
            with torch.no_grad():
                layer.weight.mul_(0.1)

    def forward(self, planes: Tensor, counts: Tensor, told: Tensor) -> Tensor:
        known = torch.cat([self.chroma(counts), told], dim=1)
        features = self.eye(planes, known)
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3)), known], dim=1)
        numbers = self.numbers(F.relu(self.whole(pooled))).float()
        around = F.relu(self.local(features) + numbers[:, 7:, None, None].to(features.dtype))
        cells = self.cells(around).float() + numbers[:, :6, None, None]
        direct = self.direct(told[:, :15]).float() - START * told[:, :3].float()
        logit = numbers[:, 6:7, None, None].expand(-1, -1, GRID, GRID)
        return torch.cat([cells[:, :3] + direct[..., None, None], cells[:, 3:] * 0.1, logit], dim=1)


class Balancer(nn.Module):
    """(N, 3, 64, 64) to (N, 7, 8, 8): logs of three gains, three veils in linear light, and the logit of a cast."""

    def __init__(self) -> None:
        super().__init__()
        self.coarse = Adviser(CoarseEncoder(), COARSE[-1])
        self.fine = Adviser(FineEncoder(), FINE[-1])

    def forward(self, image: Tensor) -> Tensor:
        light = linear(image)
        usable = ((image.amax(dim=1, keepdim=True) < CLIPPED) & (light.mean(dim=1, keepdim=True) > DARK)).float()
        found, mean = assumed(light[..., ::2, ::2], usable[..., ::2, ::2])
        logs = (light + FLOOR).log()
        relative = logs - (found[:, :3] + mean.mean(dim=1, keepdim=True))[..., None, None]
        bright = usable * (light.mean(dim=1, keepdim=True) / mean.exp().mean(dim=1)[:, None, None, None]).clamp(max=4)
        planes = torch.cat([image * 2 - 1, relative * 0.5, usable], dim=1)
        counts = [histogram(relative, usable), histogram(relative, bright), histogram(logs, usable)]
        seen = planes, torch.stack(counts, dim=1), torch.cat([found, mean], dim=1)
        return (self.coarse(*seen) + self.fine(*seen)) / 2


def histogram(logs: Tensor, weights: Tensor) -> Tensor:
    """How often the log ratios of red and of blue to green occur: square roots of shares, (N, BINS, BINS)."""
    ratios = torch.stack([logs[:, 0] - logs[:, 1], logs[:, 2] - logs[:, 1]], dim=1).flatten(2)
    bins = ((ratios / (2 * WIDEST) + 0.5) * BINS).clamp(0, BINS - 1).long()
    counts = torch.zeros(len(logs), BINS * BINS, device=logs.device)
    counts = counts.scatter_add(1, bins[:, 0] * BINS + bins[:, 1], weights.flatten(1))
    return (counts / counts.sum(dim=1, keepdim=True).clamp_min(1.0) + 1e-7).sqrt().reshape(-1, BINS, BINS)


def assumed(light: Tensor, usable: Tensor) -> tuple[Tensor, Tensor]:
    """What the usual assumptions say of the light, as logs of sum 0, and logs of the mean light: (N, 15), (N, 3).

    Shades of grey, grey-world, nearly white-patch, grey-edge, and grey-world over all pixels, usable or not.
    """
    share = usable / usable.mean(dim=(2, 3), keepdim=True).clamp_min(1e-3)
    powers = [
        (light.clamp_min(1e-4) ** norm * share).mean(dim=(2, 3)).clamp_min(1e-30).log() / norm
        for norm in (6.0, 1.0, 16.0)
    ]
    inner = usable[..., 1:, 1:] * usable[..., :-1, :-1]
    edges = (light.diff(dim=2)[..., 1:].abs() + light.diff(dim=3)[..., 1:, :].abs()) * inner
    everywhere = (light.mean(dim=(2, 3)) + FLOOR).log()
    logs = torch.stack([*powers, (edges.mean(dim=(2, 3)) + 1e-5).log(), everywhere], dim=1)
    chroma = logs - logs.mean(dim=2, keepdim=True)
    return chroma.clamp(-3, 3).flatten(1), everywhere


def linear(image: Tensor) -> Tensor:
    """Linear light of sRGB values."""
    return torch.where(image <= 0.04045, image / 12.92, ((image.clamp_min(0.0) + 0.055) / 1.055) ** 2.4)


def encoded(light: Tensor) -> Tensor:
    """sRGB values of linear light."""
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)


def spread(grid: Tensor) -> Tensor:
    """The grid's values at every pixel that is judged, as the stage will spread them."""
    weights = torch.from_numpy(spline_weights(GRID, SIDE, 0, SIDE)[::JUDGED]).to(grid)
    return torch.einsum("rh,nkhw,cw->nkrc", weights, grid, weights)


def balanced(answer: Tensor, image: Tensor) -> Tensor:
    """The picture without what the network calls veil and cast."""
    surfaces = spread(answer[:, :6])
    return encoded(((linear(image) - surfaces[:, 3:]).clamp_min(0) * surfaces[:, :3].exp()).clamp(0, 1))


class Exported(nn.Module):
    """The numbers as the stage wants them: light and veil (1, 3, 8, 8), and three numbers of the whole.

    They are the mean of what the network says of the picture and of its mirror image.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        answer = with_mirror(self.network, image)
        gains, veil, logit = answer[:, :3], answer[:, 3:6], answer[:, 6].mean(dim=(1, 2)).reshape(1, 1)
        light = torch.exp(-gains)
        mean = torch.exp(-gains.mean(dim=(2, 3)))
        chroma = gains - gains.mean(dim=1, keepdim=True)
        strength = (chroma.square().mean().sqrt() * (3**0.5 / FULL_STRENGTH)).clamp(max=1).reshape(1, 1)
        return light, veil, mean / mean.mean(), torch.sigmoid(logit), strength


def load(folder: Path) -> Split:
    """All photographs, and those that belong to mattes, reduced: which colours things have takes many of them."""
    paths = [*sorted(folder.glob("photos/*.jpg")), *sorted(folder.glob("mattes/*.jpg"))]
    return split((path.name, _small(read_rgb(path))) for path in paths)


def _small(photograph: Pixels) -> Pixels:
    factor = min(1.0, LOADED_SIDE / max(photograph.shape[:2]))
    height, width = (max(1, round(side * factor)) for side in photograph.shape[:2])
    return cv2.resize(photograph, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def sample(clean: Pixels, rng: np.random.Generator) -> Sample:
    """A photograph as taken, under one light or two, under water, or faded."""
    light, veil = _cast(linear_from_pixels(clean), rng)
    given = encoded_by_table(linear_from_pixels(clean) * light + veil)
    given = jpeg(given, int(rng.integers(75, 97))) if rng.random() < 0.1 else quantise(given)
    logs = np.broadcast_to(np.log(light), clean.shape)
    target = np.concatenate([to_float(clean), logs], axis=2, dtype=np.float32)
    return Sample(inputs=(given,), target=target[::JUDGED, ::JUDGED])


def _cast(linear_clean: Image, rng: np.random.Generator) -> tuple[Light, Light]:
    """What linear light is multiplied by, and what is added to it."""
    kind, none = rng.random(), np.zeros(3, np.float32)
    if kind < 0.2:
        return np.ones(3, np.float32), none
    if kind < 0.32:
        return water(linear_clean.shape, rng)
    light = some_light(rng)
    if kind < 0.47:
        light = mixed_light(light, some_light(rng) if rng.random() < 0.6 else np.ones(3), linear_clean.shape, rng)
    light = exposed(light, linear_clean, rng)
    return light, light * np.float32(rng.uniform(0.01, 0.08)) if kind > 0.95 else none


def cut(photograph: Pixels, rng: np.random.Generator) -> Pixels:
    """A random part of a photograph, at least half its height and width, squeezed into the square."""
    height, width = (round(side * rng.uniform(0.5, 1)) for side in photograph.shape[:2])
    row, column = rng.integers(photograph.shape[0] - height + 1), rng.integers(photograph.shape[1] - width + 1)
    part = squeezed(photograph[row : row + height, column : column + width])
    return part[:, ::-1] if rng.integers(2) else part


def squeezed(photograph: Pixels) -> Pixels:
    """The whole photograph in the square that the network sees."""
    resized = cv2.resize(np.ascontiguousarray(photograph), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return resized.astype(np.uint8, copy=False)


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """Colour error of the picture, angle between found and true light, whether there is a cast, and smoothness."""
    answer, clean, logs = output, target[:, :3], target[:, 3:]
    error = (balanced(answer, inputs[0][..., ::JUDGED, ::JUDGED]) - clean).abs().mean()
    wrong = angles(answer, logs).mean()
    present = (logs - logs.mean(dim=1, keepdim=True)).abs().amax(dim=(1, 2, 3)) > VISIBLE_CAST
    found = F.binary_cross_entropy_with_logits(answer[:, 6].mean(dim=(1, 2)), present.float())
    rough = (answer[:, :6].diff(dim=2).abs().mean() + answer[:, :6].diff(dim=3).abs().mean()) / 2
    return 10 * error + 2 * wrong + 0.1 * found + 0.2 * rough + 0.5 * answer[:, 3:6].abs().mean()


def angles(answer: Tensor, logs: Tensor) -> Tensor:
    """Angle in radians between grey and what the gains make of the true light, at every pixel: (N, H, W)."""
    left = (spread(answer[:, :3]) + logs).clamp(-6, 6).exp()
    grey = left.mean(dim=1, keepdim=True)
    return torch.atan2((left - grey).norm(dim=1) + 1e-6, grey[:, 0] * 3**0.5)


def score(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> float:  # noqa: ARG001
    """Mean angular error in degrees, negated."""
    return -float(torch.rad2deg(angles(output, target[:, 3:])).mean())


RECIPE = Recipe(
    id="white_balance",
    network=Balancer,
    inputs=("image",),
    load=load,
    train_sample=lambda photograph, rng: sample(cut(photograph, rng), rng),
    val_sample=lambda photograph, rng: sample(squeezed(photograph), rng),
    loss=loss,
    score=score,
    unit="degrees",
    baseline=lambda inputs: torch.zeros(len(inputs[0]), 7, GRID, GRID),
    exported=Exported,
    outputs=("light", "veil", "illuminant", "cast_probability", "cast_strength"),
    batch=32,
    learning_rate=2e-3,
    optimizer=Muon,
    example=(torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)),),
    free_axes=(None,),
)
