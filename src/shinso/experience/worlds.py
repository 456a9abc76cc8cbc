"""Where a table learns: acting and learning alternate at every step, so the batch is the world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from shinso.experience.acting import Acting
from shinso.experience.environments import Environment
from shinso.experience.transition_table import TransitionTable


@dataclass(frozen=True)
class World:
    """position: where an episode stands (see ``objectives/action_table_numba.py``); chance: the state of
    the random generator. Either ``table`` is sampled or ``acting``, one copy, is stepped."""

    position: np.ndarray
    chance: np.ndarray
    steps: int
    table: TransitionTable | None
    acting: Acting | None


class WorldSource:
    """The world, again and again, for ``steps`` steps a batch.

    A known table is sampled in compiled code, with the same probabilities, rewards and time limit as
    the environment, but other chance; otherwise the environment itself is stepped.
    """

    def __init__(
        self, environment: Environment, table: TransitionTable | None, seed: int, steps: int,
        *, as_state: bool = True,
    ) -> None:  # fmt: skip
        self.steps, self.table = steps, table
        self.acting = None if table else Acting(environment, 1, seed, as_state=as_state)
        self.position = np.zeros(5, np.int64)
        # Not the seed itself: splitmix64 walks in equal strides, and seeds a stride apart would
        # draw the same numbers, one later.
        self.chance = np.random.SeedSequence([seed, 3]).generate_state(1, np.uint64)

    def next_batch(self) -> World:
        return World(self.position, self.chance, self.steps, self.table, self.acting)

    def close(self) -> None:
        if self.acting:
            self.acting.close()

    def state_dict(self) -> dict[str, Any]:
        return {
            "position": torch.from_numpy(self.position.copy()),
            "chance": str(int(self.chance[0])),
            "acting": self.acting.state_dict() if self.acting else {},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.position[:] = state["position"].numpy()
        self.chance[0] = int(state["chance"])
        if self.acting:
            self.acting.load_state_dict(state["acting"])


class Nothing:
    """A source for what learns without acting."""

    def next_batch(self) -> None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
