"""Multilayer perceptrons whose parameters share one vector, so that compiled kernels can learn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal, final

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

Activation = Literal["tanh", "relu"]
KINDS = {"tanh": 0, "relu": 1}


class Layer(nn.Module):
    """y = x W + b. weight: (inputs, outputs), unlike ``nn.Linear``."""

    weight: nn.Parameter
    bias: nn.Parameter


@final
class Perceptron(nn.Module):
    """Layers of ``sizes`` units with an activation between them; the last layer is linear.

    vector: the memory of all parameters, in the layout of ``kernels/perceptron_numba.py``;
    gradient: likewise of their gradients. ``forward`` is plain PyTorch, with autograd.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Activation,
        vector: Tensor,
        gradient: Tensor,
        *,
        last_gain: float,
    ) -> None:
        super().__init__()
        self.sizes, self.activation = np.array(sizes, dtype=np.int64), activation
        self.kind = KINDS[activation]
        self.layers = nn.ModuleList()
        gain = math.sqrt(2)  # He's for relu; for tanh it is what PPO's authors use
        at = 0
        for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            layer = Layer()
            end = at + inputs * outputs
            for name, lo, hi, shape in (
                ("weight", at, end, (inputs, outputs)),
                ("bias", end, end + outputs, (outputs,)),
            ):
                share(layer, name, vector[lo:hi].view(shape), gradient[lo:hi].view(shape))
            last = number == len(sizes) - 2
            nn.init.orthogonal_(layer.weight, last_gain if last else gain)
            nn.init.zeros_(layer.bias)
            self.layers.append(layer)
            at = end + outputs

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            x = x @ layer.weight + layer.bias
            if number < len(self.layers) - 1:
                x = x.tanh() if self.activation == "tanh" else x.relu()
        return x

    def num_outputs(self, batch: int) -> int:
        """Numbers that the outputs of all layers hold."""
        return batch * int(self.sizes[1:].sum())


def num_parameters(sizes: Sequence[int]) -> int:
    """Length of the vector that a perceptron of these sizes needs."""
    return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(sizes))


def share(module: nn.Module, name: str, value: Tensor, gradient: Tensor) -> None:
    """A parameter that lives in ``value`` and whose gradient lives in ``gradient``."""
    parameter = nn.Parameter(value)
    parameter.grad = gradient
    setattr(module, name, parameter)
