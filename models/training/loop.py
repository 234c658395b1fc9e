"""How is a network trained within a given time?

Every batch has its own seed (recipe, step), so that a resumed training sees what an uninterrupted one would have
seen, however many threads prepare the batches. The learning rate follows the clock, not the step count, so that
training ends when it was told to, on any machine.
"""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.training.photographs import Photographs, centre_patch, random_patch
from models.training.recipe import Recipe, Sample

#: The learning rate rises linearly over this many steps. Without it, at 2e-3, every ReLU of a plain trunk dies.
WARM_UP_STEPS = 500
#: Share of the old value that the averaged weights keep at each step; they are what is validated and exported.
AVERAGE_DECAY = 0.999
#: Longest gradient (L2 norm) that is followed.
GRADIENT_LIMIT = 1.0
#: Seconds between two validations; the first one stops a training that does not beat its input.
VALIDATION_EVERY_S = 60.0
VALIDATION_PATCHES = 32
VALIDATION_SIDE = 192


@dataclass(slots=True, kw_only=True)
class Training:
    """A training under way: everything that a checkpoint holds."""

    recipe: Recipe
    device: torch.device
    step: int = 0
    #: Seconds trained so far, over all resumptions.
    elapsed_s: float = 0.0
    network: nn.Module = field(init=False)
    average: nn.Module = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        self.network = self._place(self.recipe.network())
        self.average = self._place(self.recipe.network())
        self.average.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.recipe.learning_rate)

    def _place(self, network: nn.Module) -> nn.Module:
        return network.to(self.device, memory_format=torch.channels_last)

    def save(self, path: Path) -> None:
        """Write the checkpoint; an interrupted write leaves the previous one in place."""
        state = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimizer")}
        partial = path.with_suffix(".partial")
        torch.save(state | {"step": self.step, "elapsed_s": self.elapsed_s}, partial)
        partial.replace(path)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        for name in ("network", "average", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]

    def advance(self, inputs: tuple[Tensor, ...], target: Tensor, learning_rate: float) -> float:
        """One step; returns the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        with autocast(self.device):
            output = self.network(*inputs)
        loss = self.recipe.loss(output.float(), target, inputs)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_LIMIT)
        self.optimizer.step()
        self._follow()
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average towards the weights, faster while it is young."""
        decay = min(AVERAGE_DECAY, (1 + self.step) / (10 + self.step))
        pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
        for mean, weight in pairs:
            mean.lerp_(weight, 1 - decay)


def train(training: Training, photographs: Photographs, checkpoint: Path, *, minutes: float, workers: int) -> None:
    """Train until `minutes` have passed since the first step, resumptions not counted twice."""
    budget_s, recipe = minutes * 60, training.recipe
    validation = validation_batch(recipe, photographs)
    started_s = time.monotonic() - training.elapsed_s
    validated_s, losses = training.elapsed_s, []
    for inputs, target in batches(recipe, photographs, first=training.step, workers=workers):
        learning_rate = scheduled(recipe.learning_rate, training.step, training.elapsed_s / budget_s)
        losses.append(training.advance(*to_device(training.device, inputs, target), learning_rate))
        training.elapsed_s = time.monotonic() - started_s
        ended = training.elapsed_s >= budget_s
        if ended or training.elapsed_s - validated_s >= VALIDATION_EVERY_S:
            report(training, validation, mean_loss=float(np.mean(losses)), learning_rate=learning_rate)
            training.save(checkpoint)
            validated_s, losses = training.elapsed_s, []
        if ended:
            return


def scheduled(highest: float, step: int, progress: float) -> float:
    """Linear warm-up by steps, then half a cosine down to a thousandth of `highest` at `progress` 1."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return highest * min(1.0, (step + 1) / WARM_UP_STEPS) * max(cosine, 1e-3)


def report(
    training: Training, validation: tuple[tuple[Tensor, ...], Tensor], *, mean_loss: float, learning_rate: float
) -> None:
    """Print one line of progress; stop a training whose network is worse than having none."""
    inputs, target = to_device(training.device, *validation)
    with torch.no_grad():
        output_db = psnr_db(torch.cat([training.average(*each) for each in single(inputs)]), target)
        input_db = psnr_db(training.recipe.baseline(inputs), target)
    print(
        f"{training.elapsed_s:6.0f} s  step {training.step:6d}  lr {learning_rate:.1e}  loss {mean_loss:.4f}  "
        f"validation {output_db:.3f} dB (without the network {input_db:.3f} dB)",
        flush=True,
    )
    if training.step > 2 * WARM_UP_STEPS and output_db <= input_db:
        raise SystemExit(f"after {training.step} steps the network does not beat its input: lower the learning rate")


def batches(
    recipe: Recipe, photographs: Photographs, *, first: int, workers: int
) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
    """Batches from step `first` on, for ever; `workers` threads prepare them ahead, 0 prepares them in between."""
    if workers == 0:
        yield from (_batch(recipe, photographs, step) for step in count(first))
    with ThreadPoolExecutor(workers) as pool:
        ahead = [pool.submit(_batch, recipe, photographs, step) for step in range(first, first + 2 * workers)]
        for step in count(first + 2 * workers):
            yield ahead.pop(0).result()
            ahead.append(pool.submit(_batch, recipe, photographs, step))


def _batch(recipe: Recipe, photographs: Photographs, step: int) -> tuple[tuple[Tensor, ...], Tensor]:
    rng = np.random.default_rng([*recipe.id.encode(), step])
    patches = (random_patch(photographs.training, recipe.patch, rng) for _ in range(recipe.batch))
    return collate([recipe.sample(patch, rng) for patch in patches])


def validation_batch(recipe: Recipe, photographs: Photographs) -> tuple[tuple[Tensor, ...], Tensor]:
    """The same degraded patches at every call."""
    rng = np.random.default_rng(0)
    chosen = [each for each in photographs.validation if min(each.shape[:2]) >= VALIDATION_SIDE][:VALIDATION_PATCHES]
    return collate([recipe.sample(centre_patch(each, VALIDATION_SIDE), rng) for each in chosen])


def collate(samples: list[Sample]) -> tuple[tuple[Tensor, ...], Tensor]:
    """Samples stacked along a new first axis: images as nchw, numbers as (N,)."""
    inputs = tuple(_stack(values) for values in zip(*(sample.inputs for sample in samples), strict=True))
    return inputs, _stack([sample.target for sample in samples])


def _stack(values: list) -> Tensor:
    stacked = torch.from_numpy(np.stack(values).astype(np.float32, copy=False))
    if stacked.ndim != 4:
        return stacked
    return stacked.permute(0, 3, 1, 2)  # a view: nhwc in memory is torch's channels_last


def to_device(device: torch.device, inputs: tuple[Tensor, ...], target: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
    """Everything moved to `device`."""
    return tuple(each.to(device, non_blocking=True) for each in inputs), target.to(device, non_blocking=True)


def single(inputs: tuple[Tensor, ...]) -> Iterator[tuple[Tensor, ...]]:
    """A batch as batches of one, which bounds the memory of a validation."""
    return zip(*(each.split(1) for each in inputs), strict=True)


def psnr_db(output: Tensor, target: Tensor) -> float:
    """Mean over the batch of the peak signal-to-noise ratio over all channels, after clipping."""
    squared = (output.clamp(0, 1) - target).square().mean(dim=(1, 2, 3)).clamp_min(1e-10)
    return float((-10 * torch.log10(squared)).mean())


def autocast(device: torch.device) -> AbstractContextManager[None]:
    """bfloat16 arithmetic where it is faster: on GPUs, and on CPUs with AVX512-BF16 (2.8 times there)."""
    fast = device.type == "cuda" or torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bool(fast))
