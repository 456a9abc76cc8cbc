"""The small trainings behind claims: a recurrent layer with a linear readout learns a task.

A claim wants the same few lines for every arm that it compares, and no run folder; the step
itself is that of every recipe (``GradientLearner``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training

Batch = tuple[Tensor, Tensor]
"""What the network reads (batch, time, features) and what it shall say."""


@contextmanager
def seeded(seed: int) -> Iterator[torch.Generator]:
    """One thread and ``seed`` for everything inside, so that a measurement repeats bit for bit.

    The generator that it gives is for the task; weights are drawn from torch's own, which is
    seeded too, and put back afterwards.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield torch.Generator().manual_seed(seed)
    finally:
        torch.set_num_threads(threads)


class Reader(nn.Module):
    """A recurrent layer and a linear readout, of every step or of the last one only."""

    def __init__(self, layers: nn.Module, width: int, outputs: int, *, last_only: bool) -> None:
        """width: size of what ``layers`` put out at a step (twice the hidden size if both ways)."""
        super().__init__()
        self.layers = layers
        self.readout = nn.Linear(width, outputs)
        self.last_only = last_only

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.layers(x)
        return self.readout(states[:, -1] if self.last_only else states)


class CarriedState(nn.Module):
    """A recurrent layer that goes on from where it stopped; gradients end at the piece's start.

    state: of the last step read; None to begin anew.
    """

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers
        self.state: Any = None

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        states, last = self.layers(x, self.state)
        self.state = tuple(part.detach() for part in last)
        return states, last


class _Loss:
    """The loss of a batch as an objective; it has no state."""

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.loss = loss

    def __call__(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        x, target = batch
        return {"loss": self.loss(model(x), target)}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        pass


def learn(
    model: nn.Module,
    draw_batch: Callable[[], Batch],
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    steps: int,
    lr: float,
    points: int = 40,
) -> list[float]:
    """Train ``model`` for ``steps`` batches; the loss as ``points`` means along the way.

    One-cycle schedule, gradients clipped to norm 1.
    """
    training = Training(steps=steps, lr=lr, schedule="one-cycle", clip_norm=1.0)
    learner = GradientLearner(model, _Loss(loss), training)
    losses = torch.empty(steps)
    for step in range(steps):
        losses[step] = learner.step(draw_batch())["loss"]
    return [float(part.mean()) for part in losses.chunk(points)]


def learner_of(
    model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], *, lr: float
) -> GradientLearner[Batch]:
    """A learner with a constant learning rate, for a training that ends when it is good enough."""
    return GradientLearner(model, _Loss(loss), Training(lr=lr, schedule="constant", clip_norm=1.0))


@torch.no_grad()
def answers(model: nn.Module, x: Tensor) -> Tensor:
    """What the trained model says."""
    model.eval()
    return model(x)


def hold(parameter: nn.Parameter, rows: slice, value: float | None) -> None:
    """Keep ``rows`` of a weight at ``value``, or at what they are, while the rest learns."""
    if value is not None:
        with torch.no_grad():
            parameter[rows] = value
    mask = torch.ones_like(parameter)
    mask[rows] = 0
    parameter.register_hook(lambda gradient: gradient * mask)


def set_gate_bias(layer: nn.Module, gate: slice, value: float) -> None:
    """Start a gate open (value > 0) or shut (< 0): its two biases then sum to ``value``."""
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if name.startswith("bias_ih"):
                parameter[gate] = value
            elif name.startswith("bias_hh"):
                parameter[gate] = 0.0
