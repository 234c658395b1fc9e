"""Trains a network for a given number of steps, or within a given time.

Every batch has its own seed (recipe, step), so that a resumed training gets the same batches as an uninterrupted one,
with any number of threads. The learning rate follows the number of steps if it is given: a training on a busy machine
takes longer and has the same result. Otherwise it follows the clock, so that training ends at the given time.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.training.arithmetic import autocast
from models.training.export import calibrate_batchnorm, take_weights
from models.training.photographs import Split
from models.training.recipe import MakeSample, Recipe, Sample

#: Steps of the linear warm-up of the learning rate. Without it, at 2e-3, every ReLU of a plain trunk dies.
WARM_UP_STEPS = 500
#: Decay of the exponential moving average of the weights. The averaged weights are validated and exported.
AVERAGE_DECAY = 0.999
#: Batches that calibrate the batch normalisation of a network that starts from a file.
CALIBRATION_BATCHES = 8
#: Limit of the gradient's L2 norm; a longer gradient is scaled down to it.
GRADIENT_LIMIT = 1.0
#: Steps after which training stops if the network is not better than its input.
PATIENCE_STEPS = 2 * WARM_UP_STEPS
#: Seconds between two validations.
VALIDATION_EVERY_S = 120.0
#: Share of the training on smaller samples, if the recipe has them.
EARLY_SHARE = 0.6
#: Largest number of validation samples. Source: with 200, the standard error of the mean of the white balancer's score
#: is 4 % of it.
VALIDATION_SAMPLES = 200


#: Inputs and target.
Batch = tuple[tuple[Tensor, ...], Tensor]


@dataclass(slots=True, kw_only=True)
class Training:
    """The state of a training: everything that a checkpoint holds."""

    recipe: Recipe
    device: torch.device
    step: int = 0
    #: Seconds of training so far, over all resumptions.
    elapsed_s: float = 0.0
    network: nn.Module = field(init=False)
    average: nn.Module = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        self.network = self._place(self.recipe.network())
        self.average = self._place(self.recipe.network())
        self.average.load_state_dict(self.network.state_dict())
        self.average.eval()
        self.optimizer = self.recipe.optimizer(self.network.parameters(), lr=self.recipe.learning_rate)

    def _place(self, network: nn.Module) -> nn.Module:
        return network.to(self.device, memory_format=torch.channels_last)

    def save(self, path: Path) -> None:
        """Write the checkpoint; an interrupted write leaves the previous one in place."""
        state = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimizer")}
        partial = path.with_suffix(".partial")
        torch.save(state | {"step": self.step, "elapsed_s": self.elapsed_s}, partial)
        partial.replace(path)

    def restore(self, path: Path) -> None:
        """Resume from a checkpoint."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        for name in ("network", "average", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]

    def start_from(self, exported: Path, examples: Split) -> None:
        """Start with the weights of a file of this recipe that `export` has written; SystemExit if they differ."""
        take_weights(self.network, exported)
        if any(isinstance(each, nn.BatchNorm2d) for each in self.network.modules()):
            drawn = batches(self.recipe, examples, first=0, workers=0)
            calibrate_batchnorm(
                self.network, (to_device(self.device, *each)[0] for each in islice(drawn, CALIBRATION_BATCHES))
            )
        self.average.load_state_dict(self.network.state_dict())

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
        averaged, followed = self.average.state_dict().values(), self.network.state_dict().values()
        for mean, value in zip(averaged, followed, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long a training lasts, including what came before a resumption: so many steps, or else so many minutes."""

    steps: int | None = None
    minutes: float = 90.0

    def used(self, training: Training) -> float:
        """Share of the budget that a training has used; 1 at its end."""
        return training.step / self.steps if self.steps else training.elapsed_s / (self.minutes * 60)


def train(training: Training, examples: Split, checkpoint: Path, *, budget: Budget, workers: int) -> None:
    """Train until the budget is used."""
    recipe = training.recipe
    validation = validation_samples(recipe, examples)
    started_s = time.monotonic() - training.elapsed_s
    validated_s, losses = training.elapsed_s, []
    early = lambda: budget.used(training) < EARLY_SHARE  # noqa: E731
    for inputs, target in batches(recipe, examples, first=training.step, workers=workers, early=early):
        learning_rate = scheduled(recipe.learning_rate, training.step, budget.used(training))
        losses.append(training.advance(*to_device(training.device, inputs, target), learning_rate))
        training.elapsed_s = time.monotonic() - started_s
        ended = budget.used(training) >= 1
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


def report(training: Training, validation: list[Batch], *, mean_loss: float, learning_rate: float) -> None:
    """Print one line of progress; stop if the network is still not better than its input after `PATIENCE_STEPS`."""
    reached, without = validate(training, validation)
    unit = training.recipe.unit
    print(
        f"{training.elapsed_s:6.0f} s  step {training.step:6d}  lr {learning_rate:.1e}  loss {mean_loss:.4f}  "
        f"validation {reached:.3f} {unit} (without the network {without:.3f} {unit})",
        flush=True,
    )
    if training.step > PATIENCE_STEPS and reached <= without:
        raise SystemExit(f"after {training.step} steps the network does not beat its input: lower the learning rate")


@torch.no_grad()
def validate(training: Training, validation: list[Batch]) -> tuple[float, float]:
    """Mean score of the averaged weights, and of the recipe's baseline without a network."""
    recipe, reached, without = training.recipe, [], []
    for each in validation:
        inputs, target = to_device(training.device, *each)
        reached.append(recipe.score(training.average(*inputs).float(), target, inputs))
        without.append(recipe.score(recipe.baseline(inputs), target, inputs))
    return float(np.mean(reached)), float(np.mean(without))


def batches(
    recipe: Recipe, examples: Split, *, first: int, workers: int, early: Callable[[], bool] = lambda: False
) -> Iterator[Batch]:
    """Batches from step `first` on, without end; `workers` threads prepare them ahead, 0 prepares them on demand.

    While `early` returns true, the recipe's smaller samples are used, if it has them.
    """

    def batch(step: int) -> Batch:
        return _batch(recipe, examples, step, (recipe.early_train_sample if early() else None) or recipe.train_sample)

    if workers == 0:
        yield from (batch(step) for step in count(first))
    with ThreadPoolExecutor(workers) as pool:
        ahead = [pool.submit(batch, step) for step in range(first, first + 2 * workers)]
        for step in count(first + 2 * workers):
            yield ahead.pop(0).result()
            ahead.append(pool.submit(batch, step))


def _batch(recipe: Recipe, examples: Split, step: int, make: MakeSample) -> Batch:
    rng = np.random.default_rng([*recipe.id.encode(), step])
    chosen = (examples.training[int(rng.integers(len(examples.training)))] for _ in range(recipe.batch))
    return collate([make(example, rng) for example in chosen])


def validation_samples(recipe: Recipe, examples: Split) -> list[Batch]:
    """The same samples at every call, from all sources, as batches of one to limit the memory."""
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(len(examples.validation))
    made = (recipe.val_sample(examples.validation[number], rng) for number in shuffled)
    return [collate([sample]) for sample in islice((each for each in made if each), VALIDATION_SAMPLES)]


def collate(samples: list[Sample]) -> Batch:
    """Samples stacked along a new first axis: images as nchw, vectors as (N, K), numbers as (N,)."""
    inputs = tuple(_stack(values) for values in zip(*(sample.inputs for sample in samples), strict=True))
    return inputs, _stack([sample.target for sample in samples])


def _stack(values: Sequence[Any]) -> Tensor:
    stacked = torch.from_numpy(np.stack(values).astype(np.float32, copy=False))
    if stacked.ndim != 4:
        return stacked
    return stacked.permute(0, 3, 1, 2)  # a view: nhwc in memory is torch's channels_last


def to_device(device: torch.device, inputs: tuple[Tensor, ...], target: Tensor) -> Batch:
    """Everything moved to `device`."""
    return tuple(each.to(device, non_blocking=True) for each in inputs), target.to(device, non_blocking=True)
