"""The score network: the quality of a picture without its original, from patches and one reduced view.

Kang, Ye, Li, Doermann: Convolutional neural networks for no-reference image quality assessment, 2014, DOI
10.1109/CVPR.2014.224 (patches); Bosse, Maniry, Müller et al.: Deep neural networks for no-reference and full-reference
image quality assessment, 2018, arXiv 1612.01697 (weighted pooling of patches). Noise, blur and blocks are measured in
the patches, light and colour in the view. It learns to guess `fidelity.quality`, and the grade of each fault.
"""

from itertools import pairwise

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from darkroom.imaging.measurement.score_input import PATCH_SIDE, VIEW_SIDE
from darkroom.imaging.picture import Image, Pixels, to_float
from models.training.fidelity import quality
from models.training.layers import Residual
from models.training.mixtures import FAULTS, Mixture, degraded, random_mixture
from models.training.muon import Muon
from models.training.photographs import at_least, random_patch, turned
from models.training.recipe import EXAMPLE_IMAGE, Recipe, Sample

#: Least side in pixels of the scene in a training sample.
SCENE_SIDE = 192
#: Number of patches of the scene in a training sample.
SHOWN = 3
#: Share of the samples whose scene is a square of that side; the others are whole photographs. The reduced view of a
#: square shows blur, that of a whole photograph does not: trained on squares alone, the network would rely on it.
PARTS_SHOWN = 0.3
#: Share of the blurs and casts that exceed grade 1, so that extreme faults get a low score.
BEYOND = 0.1
#: Largest grade of these.
GRAVEST = 1.6
#: Channels at a half, a quarter, an eighth and a sixteenth of the height and width, of patches and of the view.
PATCH_WIDTHS, VIEW_WIDTHS = (32, 48, 64, 80), (16, 24, 32, 48)
#: Curve from the estimated quality to the returned one, both 0-1.
SCALE = ((0.0, 0.0), (0.6, 0.55), (0.7, 0.75), (0.85, 0.92), (1.0, 1.0))
#: Upper limit of the quality if the worst part is 0, both 0-1: one severe fault is not compensated by other parts.
GRAVE = 0.5
#: Increase of this limit per unit of the worst part.
MILDER = 1.5
#: Features of one patch, and of all patches together.
DESCRIPTION = 64
#: Features from the statistics of a patch, and from those of the view.
STATISTICS = 48
#: Features between the last two layers.
MIXED = 128
#: Mean of `view_statistics` over 640 training views, for normalisation. A small network on the normalised statistics
#: alone had an error of 11.1 points in the grade of exposure after 4,000 steps, without normalisation 13.5.
USUAL = (0.51, 0.47, 0.43, 0.2, 0.2, 0.18, 0.09, -0.12, 0.05, -0.08, 0.1, 0.08, 0.05, 0.03, 0.09, 0.86, 0.18)
#: Standard deviation of `view_statistics` over the same views.
SPREAD = (0.21, 0.19, 0.22, 0.08, 0.08, 0.08, 0.36, 0.35, 0.27, 0.26, 0.08, 0.06, 0.16, 0.09, 0.11, 0.14, 0.07)


def with_detail(image: Tensor) -> Tensor:
    """(N, 3, H, W) to (N, 16, H/2, W/2): its pixels around 0, and its fine detail in luma, ten times magnified.

    Noise, blur and blocks are small differences between neighbours compared with the picture itself; local
    normalisation is how Kang et al. bring them out, too.
    """
    luma = image.mean(dim=1, keepdim=True)
    detail = luma - F.avg_pool2d(F.pad(luma, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return F.pixel_unshuffle(torch.cat([image - 0.5, (10 * detail).clamp(-2, 2)], dim=1), 2)


def patch_statistics(patches: Tensor) -> Tensor:
    """(N, 3, 96, 96) to (N, 22): energy of the detail at four scales, of its flattest and richest parts, and of blocks.

    What is known of natural pictures: how their detail is distributed, and that 8x8 blocks are not in them. After
    Mittal, Moorthy, Bovik: No-reference image quality assessment in the spatial domain, 2012,
    DOI 10.1109/TIP.2012.2214050, and Wang, Sheikh, Bovik: No-reference perceptual quality assessment of JPEG compressed
    images, 2002, DOI 10.1109/ICIP.2002.1038064.
    """
    luma = patches.mean(dim=1, keepdim=True)
    found = [*_edges_by_phase(luma), *_edges_by_phase(luma.transpose(2, 3))]
    found += [
        _logarithm(_detail(patches[:, each : each + 1] - luma).square().mean(dim=(1, 2, 3)).sqrt()) for each in (0, 2)
    ]
    blocks = F.avg_pool2d(_detail(luma).square(), 8).flatten(1).sqrt()
    found += [_logarithm(each) for each in (blocks.amin(dim=1), blocks.mean(dim=1), blocks.amax(dim=1))]
    found.append(_logarithm(F.avg_pool2d(luma, 8).flatten(1).amax(dim=1)))
    for _ in range(4):
        detail = _detail(luma)
        spread, mean = detail.square().mean(dim=(1, 2, 3)).sqrt(), detail.abs().mean(dim=(1, 2, 3))
        found += [_logarithm(spread), _logarithm(mean), 4 * (mean + 1e-4) / (spread + 1e-4) - 3]
        luma = F.avg_pool2d(luma, 2)
    return torch.stack(found, dim=1)


def patch_directions(patches: Tensor) -> Tensor:
    """(N, 3, 96, 96) to (N, 12): how steep the luma is along its steepest and its flattest direction, at three scales.

    What moved keeps its detail across the motion and loses it along, so that the mean over all directions hides it.
    From the eigenvalues of the structure tensor (Förstner, Gülch: A fast operator for detection and precise location of
    distinct points, 1987), and which direction that is, as the double angle's cosine and sine.
    """
    luma, found = patches.mean(dim=1, keepdim=True), []
    for _ in range(3):
        across, down = luma[..., 1:-1, 2:] - luma[..., 1:-1, :-2], luma[..., 2:, 1:-1] - luma[..., :-2, 1:-1]
        half, mixed = (each.mean(dim=(1, 2, 3)) for each in ((across.square() - down.square()) / 2, across * down))
        mean = (across.square() + down.square()).mean(dim=(1, 2, 3)) / 2
        apart = torch.sqrt(half.square() + mixed.square() + 1e-12)
        found += [_logarithm(torch.sqrt((mean + sign * apart).clamp_min(1e-8))) for sign in (1, -1)]
        found += [half / (mean + 1e-4), mixed / (mean + 1e-4)]
        luma = F.avg_pool2d(luma, 2)
    return torch.stack(found, dim=1)


def _detail(plane: Tensor) -> Tensor:
    return plane - F.avg_pool2d(F.pad(plane, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def _edges_by_phase(luma: Tensor) -> tuple[Tensor, Tensor]:
    """How much steeper the steps are between blocks of eight columns, and at the steepest phase, than on average."""
    steps = F.pad((luma[..., 1:] - luma[..., :-1]).abs().mean(dim=(1, 2)), (0, 1))
    phases = steps.reshape(-1, PATCH_SIDE // 8, 8).mean(dim=1) + 1e-3
    mean = phases.mean(dim=1)
    return 3 * torch.log(phases[:, 7] / mean), 3 * torch.log(phases.amax(dim=1) / mean)


def _logarithm(values: Tensor) -> Tensor:
    """Of small positive numbers, about -1 to 1 for those that are met."""
    return torch.log(values + 1e-3) / 2 + 2


def view_statistics(view: Tensor) -> Tensor:
    """(N, 3, H, W) to (N, 17): level, spread and balance of the channels, and what is clipped; each about -2 to 2."""
    means, spreads = view.mean(dim=(2, 3)), view.flatten(2).std(dim=2)
    bright = (view.clamp_min(1e-3) ** 6).mean(dim=(2, 3)) ** (1 / 6)
    balance = [torch.log((each[:, [0, 2]] + 0.02) / (each[:, 1:2] + 0.02)) for each in (means, bright)]
    luma = view.mean(dim=1).flatten(1)
    colours = (view[:, [0, 2]] - view[:, 1:2]).flatten(2).std(dim=2)
    clipped = torch.stack(
        [torch.sigmoid(100 * (luma - 0.97)).mean(dim=1), torch.sigmoid(100 * (0.03 - luma)).mean(dim=1)], dim=1
    )
    measured = torch.cat(
        [
            means,
            spreads,
            *balance,
            colours,
            clipped,
            luma.amin(1, keepdim=True),
            luma.amax(1, keepdim=True),
            luma.std(1, keepdim=True),
        ],
        dim=1,
    )
    return (measured - measured.new_tensor(USUAL)) / measured.new_tensor(SPREAD)


class Encoder(nn.Module):
    """(N, 3, H, W) to (N, 2 * widths[-1]): mean and deviation of its features; H and W multiples of 16."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.head = nn.Conv2d(16, widths[0], 3, padding=1)
        self.stages = nn.ModuleList(Residual(width) for width in widths[1:])
        self.downs = nn.ModuleList(nn.Conv2d(above, below, 2, stride=2) for above, below in pairwise(widths))

    def forward(self, image: Tensor) -> Tensor:
        features = F.relu(self.head(with_detail(image)))
        for down, stage in zip(self.downs, self.stages, strict=True):
            features = stage(F.relu(down(features)))
        mean = features.mean(dim=(2, 3))
        spread = (features - mean[:, :, None, None]).square().mean(dim=(2, 3))
        return torch.cat([mean, torch.sqrt(spread + 1e-4)], dim=1)


class ScoreNetwork(nn.Module):
    """A view (N, 3, 96, 96) and patches (N, P, 3, 96, 96), P any, to (N, 6): quality and parts, about 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = Encoder(PATCH_WIDTHS)
        self.view = Encoder(VIEW_WIDTHS)
        self.describe = nn.Linear(2 * PATCH_WIDTHS[-1] + STATISTICS, 2 * DESCRIPTION)
        self.patch_numbers = nn.Linear(22, STATISTICS)
        self.direction_numbers = nn.Linear(12, STATISTICS)
        self.light = nn.Sequential(nn.Linear(17, 2 * STATISTICS), nn.ReLU(), nn.Linear(2 * STATISTICS, STATISTICS))
        self.mix = nn.Linear(DESCRIPTION + 2 * VIEW_WIDTHS[-1] + STATISTICS, MIXED)
        self.verdict = nn.Linear(MIXED, 1 + len(FAULTS))
        with torch.no_grad():
            self.verdict.bias.fill_(0.6)
            self.direction_numbers.weight.zero_()
            self.direction_numbers.bias.zero_()

    def forward(self, view: Tensor, patches: Tensor) -> Tensor:
        patches = patches.reshape(-1, 3, PATCH_SIDE, PATCH_SIDE)
        numbers = self.patch_numbers(patch_statistics(patches)) + self.direction_numbers(patch_directions(patches))
        described = self.describe(torch.cat([self.patches(patches), F.relu(numbers)], dim=1))
        described, weight = described.reshape(view.shape[0], -1, 2, DESCRIPTION).unbind(dim=2)
        pooled = (described * weight.softmax(dim=1)).sum(dim=1)
        light = F.relu(self.light(view_statistics(view)))
        mixed = self.mix(torch.cat([F.relu(pooled), self.view(view), light], dim=1))
        return self.verdict(F.relu(mixed))


class Verdict(nn.Module):
    """The network's output in the units of the contract: quality (1, 1) and parts (1, 5), 0 to 100.

    The quality is stretched along `SCALE`, which changes no order: of unharmed photographs half are guessed to be below
    0.83 and one in ten below 0.73; they must be above 75, the usual threshold of approval.
    """

    def __init__(self, score_network: nn.Module) -> None:
        super().__init__()
        self.score_network = score_network

    def forward(self, image: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        answer = self.score_network(image, patches).clamp(0, 1)
        quality, parts = answer[:, :1], answer[:, 1:]
        most = GRAVE + MILDER * parts.amin(dim=1, keepdim=True)
        return 100 * torch.minimum(stretched(quality), most), 100 * parts


def stretched(quality: Tensor) -> Tensor:
    """The quality along `SCALE`, straight between its points."""
    value, before = torch.zeros_like(quality), 0.0
    for (start, low), (end, high) in pairwise(SCALE):
        slope = (high - low) / (end - start)
        value, before = value + (slope - before) * F.relu(quality - start), slope
    return value


def train_sample(photograph: Pixels, rng: np.random.Generator) -> Sample:
    """A photograph or a part of it, at some reduction, with a mixture of faults."""
    photograph = at_least(_reduced(photograph, rng), SCENE_SIDE)
    if rng.random() < PARTS_SHOWN:
        return sample(random_patch(photograph, SCENE_SIDE, rng), grave_mixture(rng), rng)
    return sample(to_float(turned(photograph, rng)), grave_mixture(rng), rng)


def grave_mixture(rng: np.random.Generator) -> Mixture:
    """A random one, in which some blurs and casts go beyond the gravest that is graded."""
    grades = dict(random_mixture(rng).grades)
    for fault in ("blur", "cast"):
        if fault in grades and rng.random() < BEYOND:
            grades[fault] = float(rng.uniform(1.0, GRAVEST))
    return Mixture(grades=grades)


def val_sample(photograph: Pixels, rng: np.random.Generator) -> Sample:
    """A whole one that is kept for validation."""
    return sample(to_float(at_least(photograph, SCENE_SIDE)), random_mixture(rng), rng)


def _reduced(photograph: Pixels, rng: np.random.Generator) -> Pixels:
    """A little smaller, but never below a scene's side: more of the photograph, and sharper."""
    least = SCENE_SIDE / min(photograph.shape[:2])
    if least >= 1 or rng.random() < 0.4:
        return photograph
    factor = float(rng.uniform(least, 1))
    size = [max(SCENE_SIDE, round(side * factor)) for side in photograph.shape[1::-1]]
    return cv2.resize(photograph, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def sample(clean: Image, mixture: Mixture, rng: np.random.Generator) -> Sample:
    """What the network is shown of a degraded scene, and what it should answer."""
    clean = _scene(clean, rng)
    seen = degraded(clean, mixture, rng)
    if rng.random() < 0.06:
        seen = np.clip(seen + 0.6 * (seen - cv2.GaussianBlur(seen, (0, 0), 1.0)), 0, 1)
    patches = np.stack([_patch(seen, rng) for _ in range(SHOWN)]).transpose(0, 3, 1, 2)
    view = cv2.resize(seen, (VIEW_SIDE, VIEW_SIDE), interpolation=cv2.INTER_AREA)
    return Sample(inputs=(view, patches), target=np.array([quality(seen, clean), *mixture.parts()], np.float32))


def _scene(clean: Image, rng: np.random.Generator) -> Image:
    """Photographs, but also black and white ones, and subjects before a white ground."""
    kind = rng.random()
    if kind < 0.06:
        return np.repeat(clean.mean(axis=2, keepdims=True), 3, axis=2)
    if kind < 0.14:
        ground = np.zeros(clean.shape[:2], np.float32)
        size = np.array(ground.shape[::-1])
        centre, axes = ((size * rng.uniform(*span, 2)).astype(int).tolist() for span in ((0.3, 0.7), (0.2, 0.45)))
        cv2.ellipse(ground, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1, cv2.LINE_AA)
        return 1 - (1 - clean) * ground[..., np.newaxis]
    return clean


def _patch(image: Image, rng: np.random.Generator) -> Image:
    """A native cut, in two of three on the grid of JPEG blocks, where those of whole files are taken."""
    row, column = (int(rng.integers(side - PATCH_SIDE + 1)) for side in image.shape[:2])
    if rng.random() < 0.67:
        row, column = row // 8 * 8, column // 8 * 8
    return image[row : row + PATCH_SIDE, column : column + PATCH_SIDE]


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:  # noqa: ARG001
    """L1 of the quality and of the parts; and how far the quality is from following the truth."""
    of_quality, of_parts = (output - target).abs().mean(dim=0).split([1, len(FAULTS)])
    return 4 * of_quality.sum() + of_parts.sum() + 0.5 * (1 - correlation(output[:, 0], target[:, 0]))


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's, over a batch."""
    first, second = first - first.mean(), second - second.mean()
    return (first * second).sum() / (first.norm() * second.norm() + 1e-6)


def closeness(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> float:  # noqa: ARG001
    """100 less the mean error of the quality, in points."""
    return float(100 - 100 * (output - target)[:, 0].abs().mean())


RECIPE = Recipe(
    id="assess",
    network=ScoreNetwork,
    inputs=("image", "patches"),
    outputs=("quality", "parts"),
    train_sample=train_sample,
    val_sample=val_sample,
    loss=loss,
    score=closeness,
    unit="points",
    # Without the network one would call everything middling.
    baseline=lambda inputs: torch.full((inputs[0].shape[0], 6), 0.55),
    batch=16,
    learning_rate=2e-3,
    optimizer=Muon,
    exported=Verdict,
    example=(F.interpolate(EXAMPLE_IMAGE, VIEW_SIDE), torch.rand(1, 3, 3, PATCH_SIDE, PATCH_SIDE)),
    free_axes=(None, {1: "patches"}),
)
