"""What a network costs: parameters and multiply–adds of each layer, counted while it runs.

A multiply–add is one product added to a sum, the unit of the MobileNet papers; PyTorch's
``FlopCounterMode``, against which tests hold this count, gives two floating-point operations for
each. Normalizations, activations, pooling and additions are left out here as in the papers: folded
into a convolution, or few beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LayerCost:
    """One convolution or linear layer. multiply_adds: of all samples of the batch."""

    name: str
    kind: str
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Cost:
    """A network's layers in the order in which they ran. parameters: of all layers, also of those
    that multiply nothing."""

    layers: tuple[LayerCost, ...]
    parameters: int

    @property
    def multiply_adds(self) -> int:
        return sum(layer.multiply_adds for layer in self.layers)


def cost(network: nn.Module, *inputs: Tensor) -> Cost:
    """Run ``network`` once in evaluation mode and count. A layer used twice counts twice."""
    found: list[LayerCost] = []
    training = network.training
    network.eval()
    try:
        with _watched(network, found.append), torch.no_grad():
            network(*inputs)
    finally:
        network.train(training)
    return Cost(tuple(found), sum(parameter.numel() for parameter in network.parameters()))


@contextmanager
def _watched(network: nn.Module, report: Callable[[LayerCost], None]) -> Iterator[None]:
    def hook_of(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(layer: nn.Module, given: Any, answer: Tensor) -> None:
            own = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
            kind = type(layer).__name__
            report(LayerCost(name, kind, own, multiply_adds(layer, given[0], answer)))

        return hook

    handles = [
        layer.register_forward_hook(hook_of(name))
        for name, layer in network.named_modules()
        if isinstance(layer, COUNTED)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
COUNTED = (*CONVOLUTIONS, *TRANSPOSED, nn.Linear)


def multiply_adds(layer: nn.Module, given: Tensor, answer: Tensor) -> int:
    """k² · N_in / groups for each number that a convolution puts out; for each number that a
    transposed one takes in, k² · N_out / groups; N_in · N_out for each row of a linear layer."""
    if isinstance(layer, CONVOLUTIONS):
        return answer.numel() * prod(layer.kernel_size) * layer.in_channels // layer.groups
    if isinstance(layer, TRANSPOSED):
        return given.numel() * prod(layer.kernel_size) * layer.out_channels // layer.groups
    if isinstance(layer, nn.Linear):
        return answer.numel() * layer.in_features
    raise TypeError(f"{type(layer).__name__} is no layer whose multiply-adds are counted")
