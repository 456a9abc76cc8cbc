"""A policy network and a value network: what PPO, A2C and REINFORCE train.

Place in the course: day 4, policy gradients. The policy gives a probability of each action, or a
normal distribution over continuous ones whose standard deviation does not depend on the state;
the value network V(s) is the critic (or REINFORCE's baseline).

PPO: Schulman et al. 2017, arXiv:1707.06347. A2C: Mnih et al. 2016, arXiv:1602.01783, without
asynchrony. REINFORCE: Williams 1992.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.nn.perceptron import Perceptron, num_parameters, share
from shinso.settings import setting


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Settings that all three share."""

    hidden: int = setting(64, "units of each hidden layer, in policy and value network")
    layers: int = setting(2, "hidden layers")
    activation: Literal["tanh", "relu"] = setting("tanh", "between layers")
    entropy: float = setting(
        0.0, "weight of the entropy bonus, which keeps the policy from closing"
    )

    def __post_init__(self) -> None:
        for name in ("hidden", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
        if self.entropy < 0:
            raise ValueError(f"entropy is {self.entropy}; give 0 or more")


class ActorCritic(nn.Module):
    """π(a|s) and V(s), with statistics of what they were fed.

    num_actions: actions to choose from, or the length of a continuous action. Buffers: mean and
    variance of observations (0 and 1 where they are not normalized) and the standard deviation by
    which rewards are divided; they are saved with the weights.
    """

    log_std: nn.Parameter

    def __init__(
        self, config: NetworkConfig, *, num_observations: int, num_actions: int, continuous: bool
    ) -> None:
        super().__init__()
        self.config, self.continuous = config, continuous
        hidden = [config.hidden] * config.layers
        of_policy = [num_observations, *hidden, num_actions]
        of_value = [num_observations, *hidden, 1]
        ends = np.cumsum(
            [num_parameters(of_policy), num_parameters(of_value), num_actions * continuous]
        )
        vector, gradient = torch.zeros(int(ends[-1])), torch.zeros(int(ends[-1]))
        # A nearly uniform policy at first: its weights are a hundredth of the others'.
        self.policy = Perceptron(of_policy, config.activation, vector, gradient, last_gain=0.01)
        self.value = Perceptron(
            of_value, config.activation, vector[ends[0] :], gradient[ends[0] :], last_gain=1.0
        )
        if continuous:
            share(self, "log_std", vector[ends[1] :], gradient[ends[1] :])
        self.vector, self.gradient = vector.numpy(), gradient.numpy()
        self.register_buffer("observation_mean", torch.zeros(num_observations))
        self.register_buffer("observation_variance", torch.ones(num_observations))
        self.register_buffer("reward_std", torch.ones(1))

    def scaled(self, x: Float[Tensor, "batch observation"]) -> Float[Tensor, "batch observation"]:
        """Observations as the networks read them."""
        return ((x - self.observation_mean) / self.observation_variance.sqrt()).clamp(-10, 10)  # type: ignore[operator, union-attr]

    def forward(self, x: Float[Tensor, "batch observation"]) -> Float[Tensor, "batch action"]:
        """Logits of the actions, or means of the continuous ones, for raw observations."""
        return self.policy(self.scaled(x))

    def values(self, x: Float[Tensor, "batch observation"]) -> Float[Tensor, " batch"]:
        """V(s) of raw observations, in units of the scaled reward."""
        return self.value(self.scaled(x))[:, 0]


@final
class PPO(ActorCritic):
    """Proximal policy optimization: several passes over each rollout, with a clipped ratio."""

    @dataclass(frozen=True, kw_only=True)
    class Config(NetworkConfig):
        epochs: int = setting(10, "passes over a rollout")
        gae_lambda: float = setting(0.95, "λ of generalized advantage estimation")
        clip: float = setting(0.2, "how far the ratio of probabilities may leave 1 (ε)")
        anneal_clip: bool = setting(False, "let the clip fall to 0 with the schedule of lr")
        value_weight: float = setting(0.5, "weight of the value loss")
        scale_advantages: bool = setting(True, "mean 0 and deviation 1 in each batch")

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.epochs < 1:
                raise ValueError(f"epochs is {self.epochs}; give at least 1")
            if not 0 <= self.gae_lambda <= 1:
                raise ValueError(f"gae_lambda is {self.gae_lambda}; give 0 up to 1")
            if self.clip <= 0:
                raise ValueError(f"clip is {self.clip}; give a number above 0")


@final
class A2C(ActorCritic):
    """Advantage actor–critic: one update on each short rollout.

    Differs: Adam instead of RMSProp.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config(NetworkConfig):
        gae_lambda: float = setting(1.0, "λ of generalized advantage estimation")
        value_weight: float = setting(0.5, "weight of the value loss")
        scale_advantages: bool = setting(False, "mean 0 and deviation 1 in each batch")

        def __post_init__(self) -> None:
            super().__post_init__()
            if not 0 <= self.gae_lambda <= 1:
                raise ValueError(f"gae_lambda is {self.gae_lambda}; give 0 up to 1")


@final
class Reinforce(ActorCritic):
    """The policy gradient with whole returns, less a baseline V(s) where asked for."""

    @dataclass(frozen=True, kw_only=True)
    class Config(NetworkConfig):
        episodes: int = setting(8, "whole episodes between updates")
        baseline: bool = setting(True, "subtract V(s) from the return")
        scale_advantages: bool = setting(True, "mean 0 and deviation 1 in each batch")

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.episodes < 1:
                raise ValueError(f"episodes is {self.episodes}; give at least 1")
