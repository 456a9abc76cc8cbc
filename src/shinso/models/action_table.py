"""A table of the value of every action in every state.

Place in the course: day 4, Q-learning. Sutton & Barto 2018, chapters 4 (planning), 6 (one step),
7 (several steps) and 12 (traces).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.settings import setting

Method = Literal["q-learning", "sarsa", "expected-sarsa"]
Exploration = Literal["epsilon", "boltzmann", "ucb"]


class ActionTable(nn.Module):
    """Q(s, a) in float64. Reads states as numbers, (batch, 1)."""

    reads_state = True

    def __init__(self, *, num_states: int, num_actions: int) -> None:
        super().__init__()
        self.register_buffer("q", torch.zeros(num_states, num_actions, dtype=torch.float64))

    def forward(self, x: Float[Tensor, "batch one"]) -> Float[Tensor, "batch action"]:
        return self.get_buffer("q")[x[:, 0].long()]


@final
class LearntTable(ActionTable):
    """A table learnt from acting: Q-learning, SARSA, expected SARSA."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        method: Method = setting("q-learning", "what is learnt towards")
        alpha: float = setting(0.5, "step size (α) of the first visit")
        alpha_power: float = setting(
            0.0,
            "α falls with the visits n of a state and action, as ((h + 1) / (h + n)) to this power; "
            "0: constant",
        )
        alpha_horizon: float = setting(0.0, "the h of that rule; about 1 / (1 − γ) is best")
        initial: float = setting(0.0, "first value of every action; a high one is optimistic")
        exploration: Exploration = setting("epsilon", "how actions are chosen while learning")
        epsilon_start: float = setting(1.0, "share of random actions at first")
        epsilon_end: float = setting(0.1, "share of random actions in the end")
        epsilon_share: float = setting(0.5, "part of training in which it falls")
        temperature: float = setting(0.1, "of the Boltzmann distribution over values")
        ucb: float = setting(1.0, "weight of the bonus √(ln N(s) / n(s,a))")
        n_step: int = setting(1, "rewards that are summed before a value is looked up")
        trace: float = setting(0.0, "λ of eligibility traces; 0: none")

        def __post_init__(self) -> None:
            if not 0 < self.alpha <= 1:
                raise ValueError(f"alpha is {self.alpha}; give a number above 0, up to 1")
            for name in ("alpha_power", "epsilon_start", "epsilon_end", "epsilon_share", "trace"):
                if not 0 <= getattr(self, name) <= 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give 0 up to 1")
            if self.alpha_horizon < 0:
                raise ValueError(f"alpha_horizon is {self.alpha_horizon}; give 0 or more")
            if self.temperature <= 0:
                raise ValueError(f"temperature is {self.temperature}; give a number above 0")
            if self.ucb < 0:
                raise ValueError(f"ucb is {self.ucb}; give 0 or more")
            if self.n_step < 1:
                raise ValueError(f"n_step is {self.n_step}; give at least 1")
            if self.trace and self.n_step > 1:
                raise ValueError(
                    f"trace is {self.trace} and n_step {self.n_step}; give one of them"
                )

    def __init__(self, config: Config, *, num_states: int, num_actions: int) -> None:
        super().__init__(num_states=num_states, num_actions=num_actions)
        self.config = config
        self.get_buffer("q").fill_(config.initial)


@final
class PlannedTable(ActionTable):
    """A table computed from known transitions: value iteration or policy iteration."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        method: Literal["value-iteration", "policy-iteration"] = setting(
            "value-iteration", "how the values are found"
        )
        sweeps: int = setting(50, "sweeps that evaluate a policy before it is improved")

        def __post_init__(self) -> None:
            if self.sweeps < 1:
                raise ValueError(f"sweeps is {self.sweeps}; give at least 1")

    def __init__(self, config: Config, *, num_states: int, num_actions: int) -> None:
        super().__init__(num_states=num_states, num_actions=num_actions)
        self.config = config
        # From anywhere the values come to the same place; each seed shows it from elsewhere.
        self.get_buffer("q").normal_(0, 0.01)
