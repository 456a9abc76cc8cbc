"""A bandit as an environment: ``shinso train control shinso.experience.bandit:Bandit``.

The 10-armed test bed of Sutton & Barto 2018, section 2.3. It is opened by name only, so that gymnasium
is not needed elsewhere.
"""

from __future__ import annotations

from typing import Any, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces


@final
class Bandit(gym.Env[Any, Any]):
    """One choice among ``arms``, whose means are drawn from N(0, 1) by ``world``; an arm pays its mean
    plus N(0, 1). An episode is ``pulls`` choices."""

    def __init__(self, arms: int = 10, world: int = 0, pulls: int = 1) -> None:
        if arms < 2 or pulls < 1:
            raise ValueError(f"arms is {arms}, pulls is {pulls}; give at least 2 and 1")
        self.observation_space, self.action_space = spaces.Discrete(1), spaces.Discrete(arms)
        self.means = np.random.default_rng(world).normal(size=arms)
        self.pulls, self.left = pulls, pulls

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.left = self.pulls
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.left -= 1
        reward = float(self.means[action] + self.np_random.normal())
        return 0, reward, self.left == 0, False, {}
