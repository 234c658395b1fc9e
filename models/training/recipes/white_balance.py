"""The white balancer: removes a veil in sRGB, then a cast of the light, from a reduction of the picture.

The first part (`white_balance_veil`) reads statistics of the colours and returns an offset and a gain per channel in
sRGB, which undo a colour that was laid over the whole scene. A pair of networks sees the picture after that. It
corrects the offsets and gains, and returns gains and scattered light in linear light, over a coarse grid. Another such
pair sees the picture as it is, and decides where the first part finds no veil.

The inputs of a pair are the picture and the same picture balanced by shades of grey. Apart from clipping, the
latter is the same under every light, so that the network generalises from one light to all, as in Barron: Convolutional
color constancy, 2015, arXiv 1507.00410 (which shifts histograms of log chroma for the same purpose). Further inputs are
the estimates by the usual grey assumptions, which the network corrects, and a histogram of chroma, as in Afifi, Price,
Cohen, Brown: When color constancy goes wrong, 2019, DOI 10.1109/CVPR.2019.00163. Its result is the mean of two networks
with different encoders, as in Hansen, Salamon: Neural network ensembles, 1990, DOI 10.1109/34.58871.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from darkroom.imaging.surface import spline_weights
from models.training.casts import JUDGED, SIDE, load, training_sample, validation_sample
from models.training.colour_difference import difference, lab, lab_of_light, linear
from models.training.layers import Residual, with_mirror
from models.training.muon import Muon
from models.training.recipe import Recipe
from models.training.recipes.white_balance_veil import HIDDEN, Unveiler, unveiled

#: Side of the grid of gains and scattered light.
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
#: Offset in sRGB up to which there is no veil. Source: nine of ten of 149 photographs under coloured light stay below
#: 0.07, nine of ten veils of 20 to 60 % opacity exceed 0.1.
NO_VEIL = 0.12
#: Offset in sRGB from which there is a veil. Source: as for `NO_VEIL`.
VEIL = 0.16
#: Share of the pair that sees the picture as it is in the result, where there is no veil. Source: least error over the
#: kinds of light.
LIGHT_SHARE = 0.65
#: Factor and summand that make the logit of a veil comparable with that of a light. Source: with them, no more of 149
#: photographs without a cast are made visibly worse and approved than without the veil's part.
VEIL_LOGIT = (1.3, 1.0)
#: Limit of the logit of a light: summand, factor of the first part's logit, and factor of its own, which the first part
#: must confirm. Sunsets, neon, and forests get a high logit from the light's pair alone. Source: real casts with a
#: logit of 8 to 10 have one of 0.6 or more from the first part in 98 of 100 cases.
CONFIRMED = (13.0, 6.0, -1.5)
#: Root mean square of the logarithms of the gains that counts as strength 1.
FULL_STRENGTH = 0.7
#: Difference of the offsets of two channels that counts as strength 1.
FULL_OFFSET = 0.4
#: Exponent by which a gain in sRGB becomes about the same gain in linear light.
GAMMA = 2.2


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
    """What one encoder makes of the picture: (N, 7, 8, 8), as `Pair` returns it."""

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
        start_small(self.numbers, self.direct, self.cells)

    def forward(self, planes: Tensor, counts: Tensor, told: Tensor, statistics: Tensor) -> Tensor:  # noqa: ARG002
        features, whole = self.looked(planes, counts, told)
        return self.answer(features, F.relu(whole), told)

    def looked(self, planes: Tensor, counts: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the places, and of the whole picture before its last activation."""
        known = torch.cat([self.chroma(counts), told], dim=1)
        features = self.eye(planes, known)
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3)), known], dim=1)
        return features, self.whole(pooled)

    def answer(self, features: Tensor, whole: Tensor, told: Tensor) -> Tensor:
        """Gains, scattered light and the logit of a cast, from the features."""
        numbers = self.numbers(whole).float()
        around = F.relu(self.local(features) + numbers[:, 7:, None, None].to(features.dtype))
        cells = self.cells(around).float() + numbers[:, :6, None, None]
        direct = self.direct(told[:, :15]).float() - START * told[:, :3].float()
        return torch.cat(
            [cells[:, :3] + direct[..., None, None], cells[:, 3:] * 0.1, everywhere(numbers[:, 6:7])], dim=1
        )


class AdviserAfterVeil(Adviser):
    """As `Adviser`, told what the first part has seen, with corrections of its answer: (N, 13, 8, 8)."""

    def __init__(self, eye: nn.Module, deep: int) -> None:
        super().__init__(eye, deep)
        self.first_part = nn.Linear(HIDDEN[-1], 2 * deep)
        self.refined = nn.Linear(2 * deep, 6)
        start_small(self.first_part, self.refined)

    def forward(self, planes: Tensor, counts: Tensor, told: Tensor, statistics: Tensor) -> Tensor:
        features, whole = self.looked(planes, counts, told)
        whole = F.relu(whole + self.first_part(statistics))
        return torch.cat([self.answer(features, whole, told), everywhere(self.refined(whole).float() * 0.1)], dim=1)


class Pair(nn.Module):
    """The mean of what two encoders make of a picture: gains, scattered light, logit, and corrections if any."""

    def __init__(self, adviser: type[Adviser]) -> None:
        super().__init__()
        self.coarse = adviser(CoarseEncoder(), COARSE[-1])
        self.fine = adviser(FineEncoder(), FINE[-1])

    def forward(self, image: Tensor, statistics: Tensor) -> Tensor:
        light = linear(image)
        usable = ((image.amax(dim=1, keepdim=True) < CLIPPED) & (light.mean(dim=1, keepdim=True) > DARK)).float()
        found, mean = assumed(light[..., ::2, ::2], usable[..., ::2, ::2])
        logs = (light + FLOOR).log()
        relative = logs - (found[:, :3] + mean.mean(dim=1, keepdim=True))[..., None, None]
        bright = usable * (light.mean(dim=1, keepdim=True) / mean.exp().mean(dim=1)[:, None, None, None]).clamp(max=4)
        planes = torch.cat([image * 2 - 1, relative * 0.5, usable], dim=1)
        counts = [histogram(relative, usable), histogram(relative, bright), histogram(logs, usable)]
        seen = planes, torch.stack(counts, dim=1), torch.cat([found, mean], dim=1), statistics
        return (self.coarse(*seen) + self.fine(*seen)) / 2


class Balancer(nn.Module):
    """(N, 3, 64, 64) to (N, 13, 8, 8).

    Logs of three gains, three veils in linear light; then the same everywhere: the logit of a cast, three offsets and
    the logs of three gains in sRGB, which come first. Where there is a veil, the first part and the pair that sees the
    picture after it decide; where there is none, the result is a mean of what they say and of what the pair says that
    sees the picture as it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unveiler = Unveiler()
        self.pair = Pair(AdviserAfterVeil)
        self.light = Pair(Adviser)

    def forward(self, image: Tensor) -> Tensor:
        statistics = self.unveiler.features(image)
        read = self.unveiler.last(statistics).float()
        answer = self.pair(unveiled(image, read).clamp(0, 1), statistics)
        # Two affine steps in one: first that of the first part, then its correction.
        offset = read[:, :3] + answer[:, 7:10, 0, 0] * (-read[:, 3:6]).exp()
        logit, log_gain = read[:, 6:] + answer[:, 6:7, 0, 0], read[:, 3:6] + answer[:, 10:, 0, 0]
        veil = torch.cat([answer[:, :6], everywhere(torch.cat([logit, offset, log_gain], dim=1))], dim=1)
        light = self.light(image, statistics)
        share = ((offset.amax(dim=1) - NO_VEIL) / (VEIL - NO_VEIL)).clamp(0, 1)[:, None, None, None]
        counts = LIGHT_SHARE * (1 - share)
        mean = veil + counts * (F.pad(light, (0, 0, 0, 0, 0, 6)) - veil)
        both = both_logits(logit, light[:, 6:, 0, 0], share[:, :, 0, 0])
        return torch.cat([mean[:, :6], everywhere(both), mean[:, 7:]], dim=1)


def both_logits(veil: Tensor, light: Tensor, share: Tensor) -> Tensor:
    """The logit of a cast from those of the first part and of the light's pair, by the share of a veil, (N, 1) each."""
    factor, summand = VEIL_LOGIT
    constant, confirming, own = CONFIRMED
    confirmed = torch.minimum(light, constant + confirming * veil + own * light)
    return share * (veil * factor + summand) + (1 - share) * confirmed


def start_small(*layers: nn.Conv2d | nn.Linear) -> None:
    """Begin with a tenth of the usual weights, and no bias."""
    for layer in layers:
        nn.init.zeros_(layer.bias)
        with torch.no_grad():
            layer.weight.mul_(0.1)


def everywhere(numbers: Tensor) -> Tensor:
    """The same numbers (N, K) in every cell of the grid: (N, K, 8, 8)."""
    return numbers[..., None, None].expand(-1, -1, GRID, GRID)


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


def spread(grid: Tensor) -> Tensor:
    """The grid's values at every pixel that is judged, as the stage will spread them."""
    weights = torch.from_numpy(spline_weights(GRID, SIDE, 0, SIDE)[::JUDGED]).to(grid)
    return torch.einsum("rh,nkhw,cw->nkrc", weights, grid, weights)


def balanced(answer: Tensor, image: Tensor) -> Tensor:
    """The picture without what the network calls veil and cast, in linear light."""
    surfaces = spread(answer[:, :6])
    light = linear(unveiled(image, answer[:, 7:, 0, 0]).clamp(0, 1))
    return ((light - surfaces[:, 3:]).clamp_min(0) * surfaces[:, :3].exp()).clamp(0, 1)


class Exported(nn.Module):
    """The numbers as the stage wants them: light and veil (1, 3, 8, 8), and five answers for the whole picture.

    They are the mean of what the network says of the picture and of its mirror image.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        answer = with_mirror(self.network, image)
        gains, veil, logit = answer[:, :3], answer[:, 3:6], answer[:, 6].mean(dim=(1, 2)).reshape(1, 1)
        offset, log_gain = answer[:, 7:10, 0, 0], answer[:, 10:, 0, 0]
        both = gains + GAMMA * log_gain[..., None, None]
        mean = torch.exp(-both.mean(dim=(2, 3)))
        chroma = (both - both.mean(dim=1, keepdim=True)).square().mean() * (3 / FULL_STRENGTH**2)
        lifted = ((offset.amax(dim=1) - offset.amin(dim=1)) / FULL_OFFSET).square()
        strength = (chroma + lifted).sqrt().clamp(max=1).reshape(1, 1)
        numbers = mean / mean.mean(), torch.sigmoid(logit), strength, offset, log_gain.exp()
        return torch.exp(-gains), veil, *numbers


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """Colour difference, whether the answer is nearer to the truth than the input, and smoothness."""
    given, wanted = inputs[0][..., ::JUDGED, ::JUDGED], lab(target[:, :3])
    error = difference(lab_of_light(balanced(output, given)), wanted).mean(dim=(1, 2))
    before = difference(lab(given), wanted).mean(dim=(1, 2))
    better = (error.detach() < before).float()
    found = F.binary_cross_entropy_with_logits(output[:, 6].mean(dim=(1, 2)), better)
    rough = (output[:, :6].diff(dim=2).abs().mean() + output[:, :6].diff(dim=3).abs().mean()) / 2
    return 0.1 * error.mean() + 0.1 * found + 0.1 * rough + 0.25 * output[:, 3:6].abs().mean()


def score(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> float:
    """Mean colour difference (CIE94), negated."""
    answer = balanced(output, inputs[0][..., ::JUDGED, ::JUDGED])
    return -float(difference(lab_of_light(answer), lab(target[:, :3])).mean().detach())


RECIPE = Recipe(
    id="white_balance",
    network=Balancer,
    inputs=("image",),
    load=load,
    train_sample=training_sample,
    val_sample=validation_sample,
    loss=loss,
    score=score,
    unit="ΔE94",
    baseline=lambda inputs: torch.zeros(len(inputs[0]), 13, GRID, GRID),
    exported=Exported,
    outputs=("light", "veil", "illuminant", "cast_probability", "cast_strength", "offset", "srgb_gain"),
    batch=32,
    learning_rate=2e-3,
    optimizer=Muon,
    example=(torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)),),
    free_axes=(None,),
)
