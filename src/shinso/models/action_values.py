"""A network that gives the value of every action: what DQN trains.

Place in the course: day 4, where a table of values is out of reach. Mnih et al. 2015
(doi:10.1038/nature14236); double: van Hasselt et al. 2016, arXiv:1509.06461; dueling: Wang et al.
2016, arXiv:1511.06581; prioritized replay: Schaul et al. 2016, arXiv:1511.05952; several steps:
Sutton & Barto 2018, ch. 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.nn.perceptron import Perceptron, num_parameters
from shinso.settings import setting


@final
class ActionValues(nn.Module):
    """Q(s, ·). With ``dueling``, V(s) + A(s, ·) − mean A (Wang et al. 2016, eq. 9).

    Differs: the two streams share all hidden layers and part at the last one.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        hidden: int = setting(128, "units of each hidden layer")
        layers: int = setting(2, "hidden layers")
        activation: Literal["tanh", "relu"] = setting("relu", "between layers")
        dueling: bool = setting(False, "separate streams for the state and the actions")
        double: bool = setting(True, "the network chooses, its target judges the next action")
        updates: int = setting(1, "updates in a training step")
        replay: int = setting(100_000, "steps that the replay memory holds")
        priority: float = setting(
            0.0, "exponent of priorities by error (α); 0 draws from the memory uniformly"
        )
        n_step: int = setting(1, "rewards that are summed before the target network judges")
        target_every: int = setting(500, "environment steps between copies to the target network")
        epsilon_end: float = setting(0.05, "share of random actions in the end")
        epsilon_share: float = setting(0.2, "part of training in which random actions fall from 1")

        def __post_init__(self) -> None:
            for name in ("hidden", "layers", "updates", "replay", "n_step", "target_every"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            for name in ("priority", "epsilon_end", "epsilon_share"):
                if not 0 <= getattr(self, name) <= 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give 0 up to 1")

    def __init__(self, config: Config, *, num_observations: int, num_actions: int) -> None:
        super().__init__()
        self.config = config
        outputs = num_actions + config.dueling
        sizes = [num_observations, *[config.hidden] * config.layers, outputs]
        length = num_parameters(sizes)
        vector, gradient = torch.zeros(length), torch.zeros(length)
        self.network = Perceptron(sizes, config.activation, vector, gradient, last_gain=1.0)
        self.vector, self.gradient = vector.numpy(), gradient.numpy()

    def forward(self, x: Float[Tensor, "batch observation"]) -> Float[Tensor, "batch action"]:
        found = self.network(x)
        if not self.config.dueling:
            return found
        value, advantages = found[:, :1], found[:, 1:]
        return value + advantages - advantages.mean(1, keepdim=True)
