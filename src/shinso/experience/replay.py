"""Memory of past steps, from which learning off-policy draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from shinso.experience.acting import Acting, Steps
from shinso.experience.chance import bring_back, state_of
from shinso.experience.rollouts import Latest


class Replay:
    """A ring of the latest steps of all environments; with ``prioritized``, a sum tree over them.

    Row t·count + e is step t of environment e, so the step after row i is row i + count. New steps
    get the highest priority met so far, so that each is drawn soon.
    """

    ARRAYS = ("seen", "actions", "rewards", "successors", "terminated", "ended")

    def __init__(self, capacity: int, count: int, width: int, *, prioritized: bool) -> None:
        self.capacity, self.count = max(capacity // count, 2) * count, count
        self.seen = np.zeros((self.capacity, width), np.float32)
        self.successors = np.zeros((self.capacity, width), np.float32)
        self.actions = np.zeros(self.capacity, np.int64)
        self.rewards = np.zeros(self.capacity)
        self.terminated = np.zeros(self.capacity, bool)
        self.ended = np.zeros(self.capacity, bool)
        leaves = 1 << (self.capacity - 1).bit_length()
        self.tree = np.zeros(2 * leaves if prioritized else 0)
        self.place, self.stored = 0, 0

    @property
    def newest(self) -> int:
        """The step t that was written last."""
        return (self.place - self.count) % self.capacity // self.count

    def add(self, seen: np.ndarray, actions: np.ndarray, found: Steps) -> None:
        rows = slice(self.place, self.place + self.count)
        self.seen[rows], self.successors[rows] = seen, found.successors
        self.actions[rows], self.rewards[rows] = actions[:, 0], found.rewards
        self.terminated[rows] = found.terminated
        self.ended[rows] = found.terminated | found.truncated
        if len(self.tree):
            from shinso.nn.kernels.sum_tree_numba import set_priority

            highest = float(self.tree[len(self.tree) // 2 :].max()) or 1.0
            for row in range(self.place, self.place + self.count):
                set_priority(self.tree, row, highest)
        self.place = (self.place + self.count) % self.capacity
        self.stored = min(self.stored + self.count, self.capacity)

    def state_dict(self) -> dict[str, Any]:
        kept = {
            name: torch.from_numpy(getattr(self, name)[: self.stored].copy())
            for name in self.ARRAYS
        }
        return {**kept, "tree": torch.from_numpy(self.tree.copy()), "place": self.place}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.stored, self.place = len(state["seen"]), state["place"]
        for name in self.ARRAYS:
            getattr(self, name)[: self.stored] = state[name].numpy()
        self.tree[:] = state["tree"].numpy()


@dataclass(frozen=True)
class Remembered:
    """What a learner draws from. noise: (updates, batch) uniform numbers that decide on the rows."""

    replay: Replay
    noise: np.ndarray
    environment_steps: int
    latest_return: float


Act = Callable[[np.ndarray, np.ndarray, float, np.ndarray], None]
"""(x, noise, ε, actions to write)"""


class ReplaySource:
    """Acts ε-greedily, remembers, and gives the memory as a batch.

    steps: of each environment a batch. random_steps: of all environments together, taken by chance
    before the first batch. epsilon: share of random actions by the number of environment steps.
    """

    def __init__(
        self, acting: Acting, replay: Replay, act: Act, *, rng: np.random.Generator, steps: int,
        random_steps: int, epsilon: Callable[[int], float], updates: int, batch_size: int,
    ) -> None:  # fmt: skip
        self.acting, self.replay, self.act, self.rng = acting, replay, act, rng
        self.steps, self.random_steps, self.epsilon = steps, random_steps, epsilon
        self.updates, self.batch_size = updates, batch_size
        self.latest = Latest()
        self.environment_steps = 0

    def next_batch(self) -> Remembered:
        while self.environment_steps < self.random_steps:
            self._act(1.0, self.rng.random((len(self.acting.copies), 2)))
        noise = self.rng.random((self.steps, len(self.acting.copies), 2))
        for one in noise:
            self._act(self.epsilon(self.environment_steps), one)
        return Remembered(
            self.replay,
            self.rng.random((self.updates, self.batch_size)),
            self.environment_steps,
            self.latest.add(self.acting.take_finished()),
        )

    def _act(self, epsilon: float, noise: np.ndarray) -> None:
        acting = self.acting
        seen = acting.seen
        actions = np.empty((len(seen), 1), np.int64)
        self.act(seen, noise, epsilon, actions)
        self.replay.add(seen, actions, acting.step(actions))
        self.environment_steps += len(seen)

    def close(self) -> None:
        self.acting.close()

    def state_dict(self) -> dict[str, Any]:
        return {
            "acting": self.acting.state_dict(),
            "replay": self.replay.state_dict(),
            "rng": state_of(self.rng),
            "latest": list(self.latest.kept),
            "environment_steps": self.environment_steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.acting.load_state_dict(state["acting"])
        self.replay.load_state_dict(state["replay"])
        bring_back(self.rng, state["rng"])
        self.latest.kept.extend(state["latest"])
        self.environment_steps = state["environment_steps"]
