"""Implements the Muon optimiser for convolutions, which needs few steps."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from models.training.arithmetic import fast_type

#: Coefficients of the odd polynomial whose iteration moves all singular values towards 1. Source: cited below.
POLYNOMIAL = (3.4445, -4.7750, 2.0315)
#: Number of iterations of the polynomial. Source: as for `POLYNOMIAL`.
ROUNDS = 5
#: Size of a step's entries (root mean square) relative to the learning rate: about that of Adam's steps.
STEP_SIZE = 0.2


class Muon(torch.optim.Optimizer):
    """Momentum whose step is made orthogonal for kernels, Adam for everything else (biases, scales).

    Every direction that a kernel can move in is then followed equally, not only the few that dominate its gradient.
    Small kernels (first layer, last layer) are left to Adam, as the source advises.

    References
    ----------
    Jordan, Jin, Boza et al.: Muon: An optimizer for hidden layers in neural networks, 2024,
    https://kellerjordan.github.io/posts/muon. Liu, Su, Yao et al.: Muon is scalable for LLM training, 2025,
    arXiv 2502.16982 (steps as large as Adam's, so that one learning rate serves both).
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, *, momentum: float = 0.95) -> None:
        hidden, others = _divided(parameters)
        self.rest = torch.optim.Adam(others, lr=lr)
        super().__init__([{"params": hidden}, {"params": others}], {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # noqa: ARG002
        """Move all parameters."""
        hidden, others = self.param_groups
        for kernel in hidden["params"]:
            kernel.sub_(self._direction(kernel, hidden["momentum"]), alpha=hidden["lr"])
        self.rest.param_groups[0]["lr"] = others["lr"]
        self.rest.step()

    def _direction(self, kernel: Tensor, momentum: float) -> Tensor:
        if "velocity" not in self.state[kernel]:
            self.state[kernel]["velocity"] = torch.zeros_like(kernel)
        velocity = self.state[kernel]["velocity"].lerp_(kernel.grad, 1 - momentum)
        ahead = kernel.grad.lerp(velocity, momentum).flatten(1)
        size = STEP_SIZE * max(ahead.shape) ** 0.5
        return size * orthogonal(ahead).view_as(kernel)

    def state_dict(self) -> dict[str, Any]:
        """The state of both parts."""
        return {"muon": super().state_dict(), "adam": self.rest.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the state of both parts."""
        super().load_state_dict(state_dict["muon"])
        self.rest.load_state_dict(state_dict["adam"])


def _divided(parameters: Iterable[nn.Parameter]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    hidden: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for each in parameters:
        wide = each.ndim == 4 and min(each.shape[0], each[0].numel()) >= 32
        (hidden if wide else others).append(each)
    return hidden, others


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with all its singular values brought near 1."""
    linear, cubic, quintic = POLYNOMIAL
    wide = (matrix.T if matrix.shape[0] > matrix.shape[1] else matrix).to(fast_type(matrix.device))
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(ROUNDS):
        squared = wide @ wide.T
        wide = linear * wide + (cubic * squared + quintic * squared @ squared) @ wide
    return (wide.T if matrix.shape[0] > matrix.shape[1] else wide).to(matrix.dtype)
