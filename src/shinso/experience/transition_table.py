"""Environments whose transitions are known, and what can be computed of them without acting.

Gymnasium's toy-text environments carry ``P[state][action] = [(probability, next, reward,
terminated), …]``. From it follow the optimal values (by value iteration), the exact return of any
policy under the time limit, and steps that are sampled without calling the environment.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from shinso.experience.environments import Environment

STARTS = 1000
CLOSE = 1e-12


@dataclass(frozen=True)
class TransitionTable:
    """Every outcome of every action, filled up with outcomes of probability 0.

    start: probability of each first state. limit: steps after which an episode is cut off, 0: none.
    """

    chance: Float[np.ndarray, "state action outcome"]
    following: Int[np.ndarray, "state action outcome"]
    reward: Float[np.ndarray, "state action outcome"]
    terminated: Bool[np.ndarray, "state action outcome"]
    start: Float[np.ndarray, " state"]
    limit: int

    @property
    def num_states(self) -> int:
        return self.chance.shape[0]

    @property
    def num_actions(self) -> int:
        return self.chance.shape[1]

    def action_values(
        self, values: Float[np.ndarray, " state"], gamma: float
    ) -> Float[np.ndarray, "state action"]:
        """Q(s,a) = Σ p (r + γ V(s′)), V = 0 after a termination (Sutton & Barto 2018, eq. 4.10)."""
        later = np.where(self.terminated, 0.0, values[self.following])
        return (self.chance * (self.reward + gamma * later)).sum(axis=2)

    def optimal(self, gamma: float, most: int = 200_000) -> Float[np.ndarray, "state action"]:
        """Q* by value iteration until no value moves by more than 1e-12."""
        values = np.zeros(self.num_states)
        for _sweep in range(most):
            q = self.action_values(values, gamma)
            new = q.max(axis=1)
            if np.abs(new - values).max() < CLOSE:
                break
            values = new
        return self.action_values(values, gamma)

    def exact_return(self, policy: Int[np.ndarray, " state"]) -> float:
        """Expected sum of rewards of a deterministic policy from the start, under the time limit."""
        values = np.zeros(self.num_states)
        rows = np.arange(self.num_states)
        for _step in range(self.limit or 100_000):
            new = self.action_values(values, 1.0)[rows, policy]
            if not self.limit and np.abs(new - values).max() < CLOSE:
                break
            values = new
        return float(self.start @ values)

    def best_return(self) -> float:
        """The largest expected sum of rewards that any policy, even one that counts its steps, has
        under the time limit: backward induction."""
        values = np.zeros(self.num_states)
        for _step in range(self.limit or 100_000):
            new = self.action_values(values, 1.0).max(axis=1)
            if not self.limit and np.abs(new - values).max() < CLOSE:
                break
            values = new
        return float(self.start @ values)

    def reachable(self) -> Bool[np.ndarray, " state"]:
        """States in which an agent may have to choose: those that a start leads to, less the ends."""
        found = self.start > 0
        while True:
            out = (self.chance > 0) & ~self.terminated & found[:, None, None]
            new = found.copy()
            new[self.following[out]] = True
            if (new == found).all():
                return found
            found = new

    def with_age(self) -> TransitionTable:
        """The same world where the age of an episode is part of the state (state + states × age) and
        the time limit a termination."""
        states, limit = self.num_states, self.limit
        ages = limit + 1
        shift = np.minimum(np.arange(1, ages + 1), limit) * states
        following = self.following + shift[:, None, None, None]
        terminated = np.repeat(self.terminated[None], ages, axis=0)
        terminated[limit - 1 :] = True
        flat = (ages * states, *self.chance.shape[1:])
        start = np.zeros(flat[0])
        start[:states] = self.start
        return TransitionTable(
            np.tile(self.chance, (ages, 1, 1)),
            following.reshape(flat),
            np.tile(self.reward, (ages, 1, 1)),
            terminated.reshape(flat),
            start,
            0,
        )


def transition_table(environment: Environment) -> TransitionTable | None:
    """The environment's own table; None where it has none."""
    if environment.spaces.observation != "discrete" or environment.spaces.action != "discrete":
        return None
    with closing(environment.make()) as made:
        return _table_of(environment, made)


def _table_of(environment: Environment, made: Any) -> TransitionTable | None:
    own = made.unwrapped
    table: Any = getattr(own, "P", None)
    states, actions = environment.spaces.num_states, environment.spaces.num_actions
    if environment.time_aware:
        states //= (environment.time_limit or 0) + 1
    if table is None or len(table) != states or environment.spaces.first_state:
        return None
    outcomes = max(len(table[s][a]) for s in range(states) for a in range(actions))
    shape = (states, actions, outcomes)
    chance, reward = np.zeros(shape), np.zeros(shape)
    following, terminated = np.zeros(shape, np.int64), np.zeros(shape, bool)
    for s in range(states):
        for a in range(actions):
            for k, (p, after, r, ended) in enumerate(table[s][a]):
                chance[s, a, k], following[s, a, k] = p, after
                reward[s, a, k], terminated[s, a, k] = r, ended
    start = getattr(own, "initial_state_distrib", None)
    if start is None:
        start = np.zeros(states)
        for seed in range(STARTS):
            start[made.reset(seed=seed)[0]] += 1 / STARTS
    start = np.array(start, float)
    found = TransitionTable(
        chance, following, reward, terminated, start / start.sum(), environment.time_limit or 0
    )
    return found.with_age() if environment.time_aware else found
