"""What the claims on batch normalization train: a deep fully connected network on digits."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.claims.image_training import CLASSES, SIDE_PX, Digits
from shinso.nn.norm import BatchNorm

Norm = Literal["batch", "still", "none"]
DEPTH, WIDTH = 6, 48


class StillNorm(nn.Module):
    """Gain and bias of a normalization without its statistics: mean 0 and variance 1 are assumed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight + self.bias


def deep(norm: Norm, *, scale: float = 1.0) -> nn.Sequential:
    """Six hidden layers of 48 ReLUs. scale: what He's deviation of the first weights is multiplied
    with."""
    layers: list[nn.Module] = [nn.Flatten()]
    channels = SIDE_PX**2
    for _ in range(DEPTH):
        linear = nn.Linear(channels, WIDTH)
        nn.init.normal_(linear.weight, 0.0, scale * (2 / channels) ** 0.5)
        nn.init.zeros_(linear.bias)
        layers.append(linear)
        if norm != "none":
            layers.append(BatchNorm(WIDTH) if norm == "batch" else StillNorm(WIDTH))
        layers.append(nn.ReLU())
        channels = WIDTH
    return nn.Sequential(*layers, nn.Linear(channels, CLASSES))


def descend(
    model: nn.Module,
    data: Digits,
    generator: torch.Generator,
    *,
    steps: int,
    lr: float,
    batch: int = 64,
    until: float = 0.0,
) -> tuple[list[float], int]:
    """Plain stochastic gradient descent. The loss of each step, and the first step at which its
    running mean (of about 20 steps) is below ``until``; ``steps`` where it never is."""
    model.train()
    parameters: list[Tensor] = list(model.parameters())
    losses: list[float] = []
    mean = float("inf")
    for step in range(steps):
        chosen = torch.randint(len(data.labels), (batch,), generator=generator)
        loss = F.cross_entropy(model(data.images[chosen]), data.labels[chosen])
        value = float(loss.detach())
        if value != value or value > 1e4:  # diverged: nothing more will come of it
            return losses + [losses[-1] if losses else value] * (steps - step), steps
        losses.append(value)
        mean = value if step == 0 else 0.95 * mean + 0.05 * value
        if mean < until:
            return losses, step + 1
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            torch._foreach_add_(parameters, gradients, alpha=-lr)  # pyright: ignore[reportPrivateImportUsage]
    return losses, steps
