"""The reader of blur: from the spectrum of a photograph to the kernel that blurred it.

Sharp photographs have much the same spectrum, which falls with the frequency. A blur multiplies it by its own, and so
leaves dark stripes (motion) or rings (defocus) in it, which show direction and size. The input of the network is only
the spectrum, averaged over overlapping windows, and its cepstrum; it answers with a kernel and with how far the kernel
may be undone. Training undoes it, by Wiener's filter, and compares only the result: so what the spectrum leaves open
(it cannot distinguish left from right) costs as much as it harms the picture, and no more.

Cannon: Blind deconvolution of spatially invariant image blurs with phase, 1976, DOI 10.1109/TASSP.1976.1162770 (blur
read from the averaged spectrum and cepstrum). Welch: The use of fast Fourier transform for the estimation of power
spectra, 1967, DOI 10.1109/TAU.1967.1161901.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from darkroom.imaging.picture import Image
from models.training.blur import Kernel, blurred, defocus, shaken, softness, straight_motion
from models.training.degradations import gaussian_noise, jpeg, quantise
from models.training.muon import Muon
from models.training.recipe import IMAGE_AXES, Recipe, Sample, on_centres, on_patches

#: Side in pixels of the windows whose spectra are averaged.
WINDOW = 96
#: Step in pixels between these windows.
STEP = 48
#: Side of the kernel in pixels.
SIDE = 25
#: Longest motion or largest disc diameter in pixels.
LONGEST = 23.0
#: Number of quefrencies that are used: twice a kernel's reach and a little more.
REACH = 28
#: Side in pixels of the training patches.
PATCH = 288
#: Side in pixels of their central part, which enters the loss.
JUDGED = 192
#: Added to powers before their logarithm: the rounding to 256 levels.
LEAST_POWER = 1e-6
LUMA = (0.299, 0.587, 0.114)


class BlurReader(nn.Module):
    """(N, 3, H, W), sides from WINDOW on, to kernels (N, SIDE, SIDE) and noise-to-signal ratios (N, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.spectrum = _tower(2, (32, 48, 64, 64))
        self.cepstrum = _tower(2, (32, 64, 64))
        self.mixed = nn.Sequential(nn.Linear(64 * (6 * 4 + 7 * 4), 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
        self.kernel = nn.Linear(256, SIDE * SIDE)
        self.ratios = nn.Linear(256, 2)
        for name, matrix in _fourier().items():
            self.register_buffer(name, matrix, persistent=False)
        with torch.no_grad():
            self.kernel.weight.mul_(0.3)
            self.kernel.bias.zero_()
            self.kernel.bias[SIDE * SIDE // 2] = 8.0
            self.ratios.weight.mul_(0.1)
            self.ratios.bias.copy_(torch.tensor([-2.0, -5.0]))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        powers = self._powers(image)
        logs = torch.stack(
            [torch.log(powers.mean(dim=1) + LEAST_POWER), torch.log(powers + LEAST_POWER).mean(dim=1)], 1
        )
        logs = logs - logs.mean(dim=(2, 3), keepdim=True)
        cepstrum = torch.einsum("qf,ncfg,pg->ncqp", self.back_rows, logs, self.back_columns)
        seen = [self.spectrum(logs * 0.3).flatten(1), self.cepstrum(cepstrum * 3).flatten(1)]
        features = self.mixed(torch.cat(seen, dim=1))
        kernel = self.kernel(features).softmax(dim=1).reshape(-1, SIDE, SIDE)
        return kernel, self.ratios(features).clamp(-12, 3).exp()

    def _powers(self, image: Tensor) -> Tensor:
        """Of every window the power at (row, column) frequencies, the zero row in the middle: (N, windows, 96, 49)."""
        luma = (image * torch.tensor(LUMA).to(image).view(1, 3, 1, 1)).sum(dim=1)
        windows = luma.unfold(1, WINDOW, STEP).unfold(2, WINDOW, STEP).flatten(1, 2)
        windows = (windows - windows.mean(dim=(2, 3), keepdim=True)) * self.hann
        cosine, sine = windows @ self.cosines.T, windows @ self.sines.T
        real = self.shifted_cosines @ cosine - self.shifted_sines @ sine
        imaginary = self.shifted_cosines @ sine + self.shifted_sines @ cosine
        return (real.square() + imaginary.square()) / WINDOW**2


def _tower(incoming: int, widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Conv2d(incoming, width, 3, stride=2, padding=1), nn.ReLU()]
        incoming = width
    return nn.Sequential(*layers)


def _fourier() -> dict[str, Tensor]:
    """Matrices: a convolution's worth of arithmetic, and any tool can run them."""
    at, half = torch.arange(WINDOW), torch.arange(WINDOW // 2 + 1)
    shifted, turn = torch.arange(-WINDOW // 2, WINDOW // 2), 2 * torch.pi / WINDOW
    hann = torch.hann_window(WINDOW, periodic=True)
    weights = torch.where((half == 0) | (half == WINDOW // 2), 1.0, 2.0) / WINDOW
    quefrencies = torch.arange(-REACH, REACH)
    return {
        "hann": torch.outer(hann, hann),
        "cosines": torch.cos(turn * torch.outer(half, at)),
        "sines": torch.sin(turn * torch.outer(half, at)),
        "shifted_cosines": torch.cos(turn * torch.outer(shifted, at)),
        "shifted_sines": torch.sin(turn * torch.outer(shifted, at)),
        "back_rows": torch.cos(turn * torch.outer(quefrencies, shifted)) / WINDOW**0.5,
        "back_columns": torch.cos(turn * torch.outer(torch.arange(REACH), half)) * weights * WINDOW**0.5,
    }


class Undone(nn.Module):
    """The reader, and the luma deblurred by its output: (N, 3, H, W) to the middle (N, 1, JUDGED, JUDGED)."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = BlurReader()

    def forward(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):
            kernel, ratios = self.reader(image)
            return middle(undone(luma(image), kernel, ratios))


def undone(plane: Tensor, kernel: Tensor, ratios: Tensor) -> Tensor:
    """Wiener's filter on (N, 1, H, W): noise to signal is `ratios`[0] times the squared frequency, plus `ratios`[1]."""
    height, width = plane.shape[-2:]
    spread = F.pad(kernel, (0, width - SIDE, 0, height - SIDE)).roll((-(SIDE // 2), -(SIDE // 2)), (-2, -1))
    response = torch.fft.rfft2(spread)
    rows, columns = torch.fft.fftfreq(height).to(plane), torch.fft.rfftfreq(width).to(plane)
    squared = 4 * (rows[:, None].square() + columns.square())
    noise = ratios[:, :1, None] * squared + ratios[:, 1:, None]
    filtered = response.conj() / (response.abs().square() + noise) * (1 + ratios[:, 1:, None])
    return torch.fft.irfft2(torch.fft.rfft2(plane) * filtered[:, None], s=(height, width))


def luma(image: Tensor) -> Tensor:
    """(N, 3, H, W) to (N, 1, H, W)."""
    return (image * torch.tensor(LUMA).to(image).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def middle(plane: Tensor) -> Tensor:
    """The part that is judged."""
    edge = (plane.shape[-1] - JUDGED) // 2
    return plane[..., edge : edge + JUDGED, edge : edge + JUDGED]


def sample(clean: Image, rng: np.random.Generator) -> Sample:
    """A photograph, blurred seven times in eight, mostly with faint noise, now and then stored as a JPEG."""
    soft = clean
    if rng.random() < 0.88:
        soft = blurred(clean, some_kernel(rng), in_light=rng.random() < 0.15)
    soft = stored(soft, rng)
    edge = (clean.shape[0] - JUDGED) // 2
    judged = clean[edge : edge + JUDGED, edge : edge + JUDGED] @ np.array(LUMA, np.float32)
    return Sample(inputs=(soft,), target=judged[..., np.newaxis])


def stored(soft: Image, rng: np.random.Generator) -> Image:
    """Mostly with faint noise, rounded, now and then stored as a JPEG."""
    if rng.random() < 0.75:
        soft = gaussian_noise(soft, float(rng.uniform(0, 5)), rng)
    return jpeg(soft, int(rng.integers(80, 100))) if rng.random() < 0.1 else quantise(soft)


def some_kernel(rng: np.random.Generator) -> Kernel:
    """Motion and defocus of all sizes, small ones as often as large ones."""
    kind, size = rng.random(), float(LONGEST ** rng.uniform(0.3, 1))
    if kind < 0.38:
        return straight_motion(size, float(rng.uniform(0, np.pi)))
    if kind < 0.6:
        return shaken(size, rng)
    if kind < 0.85:
        return defocus(max(0.7, size / 2))
    return softness(float(rng.uniform(0.4, 3.2)))


def loss(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    """Root mean square error as a share of the input's own, so that faint blur counts as much as strong blur."""
    before = middle(luma(inputs[0]))
    error, own = ((each - target).square().mean(dim=(1, 2, 3)).add(1e-8).sqrt() for each in (output, before))
    return (error / (own + 0.008)).mean()


def score(output: Tensor, target: Tensor, inputs: tuple[Tensor, ...]) -> float:  # noqa: ARG001
    """Mean PSNR, of which nothing above 40 dB counts: else the sharp samples would outweigh all others."""
    squared = (output.clamp(0, 1) - target).square().mean(dim=(1, 2, 3)).clamp_min(1e-4)
    return float((-10 * torch.log10(squared)).mean())


RECIPE = Recipe(
    id="deblur",
    network=Undone,
    inputs=("image",),
    train_sample=on_patches(PATCH, sample),
    val_sample=on_centres(sample, PATCH),
    loss=loss,
    score=score,
    baseline=lambda inputs: middle(luma(inputs[0])),
    batch=8,
    learning_rate=2e-3,
    optimizer=Muon,
    exported=lambda network: network.reader,
    outputs=("kernel", "ratios"),
    example=(torch.rand(1, 3, 150, 201, generator=torch.Generator().manual_seed(0)),),
    free_axes=(IMAGE_AXES,),
)
