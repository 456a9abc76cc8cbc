"""Small worlds for claims on reinforcement learning, and tables that learn in them.

All transitions are known, so that what is learnt can be held against what is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from shinso.experience.transition_table import TransitionTable


def bandit(rewards: Sequence[float]) -> TransitionTable:
    """One choice: action k pays ``rewards[k]`` and ends the episode."""
    from shinso.experience.transition_table import TransitionTable

    shape = (1, len(rewards), 1)
    paid = np.array(rewards, float).reshape(shape)
    return TransitionTable(
        np.ones(shape), np.zeros(shape, np.int64), paid, np.ones(shape, bool), np.ones(1), 0
    )


def random_world(seed: int, states: int, actions: int, outcomes: int) -> TransitionTable:
    """States, chances and rewards by lot; one state in ten ends the episode when it is entered."""
    from shinso.experience.transition_table import TransitionTable

    rng = np.random.default_rng(seed)
    shape = (states, actions, outcomes)
    following = rng.integers(states, size=shape)
    chance = rng.dirichlet(np.ones(outcomes), size=shape[:2])
    ends = np.arange(states) % 10 == 9
    start = np.where(ends, 0.0, 1.0)
    return TransitionTable(
        chance, following, rng.normal(size=shape), ends[following], start / start.sum(), 0
    )


@dataclass
class TableAgent:
    """A table that learns in a world by the compiled steps of ``objectives/action_table_numba.py``.

    method, exploration: names as in ``models/action_table.py``; alpha_power, alpha_horizon: how α
    falls with the visits.
    """

    world: TransitionTable
    seed: int
    method: str = "q-learning"
    exploration: str = "epsilon"
    epsilon: float = 0.1
    gamma: float = 0.9
    alpha: float = 0.5
    alpha_power: float = 0.0
    alpha_horizon: float = 0.0
    initial: float = 0.0
    temperature: float = 0.1
    bonus: float = 1.0

    def __post_init__(self) -> None:
        shape = (self.world.num_states, self.world.num_actions)
        self.q = np.full(shape, self.initial)
        self.state = (
            np.zeros(shape, np.int64), np.zeros((1, 1)), np.zeros((1, 2), np.int64), np.zeros(1),
            np.zeros(5, np.int64), np.array([self.seed * 7919 + 1], np.uint64),
        )  # fmt: skip
        self.totals, self.finished = np.zeros(3), np.zeros(1, np.int64)

    def live(self, steps: int) -> None:
        """Act and learn for so many steps."""
        from shinso.objectives.action_table_numba import simulate

        world = self.world
        simulate(
            self.q, *self.state, np.cumsum(world.chance, axis=2), world.following, world.reward,
            world.terminated, np.cumsum(world.start), world.limit, steps, 0,
            ("q-learning", "sarsa", "expected-sarsa").index(self.method),
            ("epsilon", "boltzmann", "ucb").index(self.exploration), self.epsilon, self.epsilon,
            0.0, self.temperature, self.bonus, self.gamma, self.alpha, self.alpha_power,
            self.alpha_horizon, 1, 0.0, self.totals, self.finished,
        )  # fmt: skip


def policy_values(world: TransitionTable, policy: np.ndarray, gamma: float) -> np.ndarray:
    """V of a policy (state, action) by solving V = r_π + γ P_π V."""
    states = np.arange(world.num_states)
    weights = policy[:, :, None] * world.chance
    matrix = np.zeros((world.num_states, world.num_states))
    going = np.where(world.terminated, 0.0, weights)
    np.add.at(matrix, (np.broadcast_to(states[:, None, None], going.shape), world.following), going)
    rewards = (weights * world.reward).sum(axis=(1, 2))
    return np.linalg.solve(np.eye(world.num_states) - gamma * matrix, rewards)
