"""A policy plays against earlier selves, and learns from who won (Silver et al. 2016, RL policy)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shinso.data.played_decisions import DecisionBatch
from shinso.experience.policy_games import alternating_seats, play_games, results_of
from shinso.games.go import Rules

Weights = Mapping[str, Tensor]


@final
class PoolPlay:
    """A ``Source``: a batch is all decisions of ``games`` games against one opponent.

    The opponent is drawn from a pool of earlier selves, to which the policy is added every
    ``snapshot_every`` batches; the first member is the policy that it began as. rivals: "latest"
    plays the policy as it is now instead, which the course warns of. What is drawn follows from
    (seed, number of the batch), so a stopped run goes on bit for bit.
    """

    def __init__(
        self,
        rules: Rules,
        policy: nn.Module,
        *,
        games: int,
        snapshot_every: int,
        seed: int,
        rivals: Literal["pool", "latest"] = "pool",
    ) -> None:
        self.rules, self.policy, self.games = rules, policy, games
        self.snapshot_every, self.seed, self.rivals = snapshot_every, seed, rivals
        self.pool: list[Weights] = [_copied(policy)]
        self.batches = 0
        self.points = 0.0
        self._rival = copy.deepcopy(policy)

    def next_batch(self) -> DecisionBatch:
        if self.batches and self.batches % self.snapshot_every == 0:
            self.pool.append(_copied(self.policy))
        rng = np.random.default_rng([self.seed, self.batches])
        self.batches += 1
        rival = self.policy
        chosen = int(rng.integers(len(self.pool)))
        if self.rivals == "pool":
            self._rival.load_state_dict(self.pool[chosen])
            rival = self._rival
        seats = alternating_seats(self.games)
        played = play_games(self.rules, [self.policy, rival], seats, rng, keep=0)
        results = results_of(played.scores, seats, 0)
        self.points = float((0.5 + 0.5 * results).mean())
        kept = played.kept
        assert kept is not None
        # Σ over moves, mean over games: eq. of the policy gradient; the objective takes means of moves.
        scale = len(kept.actions) / self.games
        advantages = (scale * advantages_of(results, seats[:, 0]))[kept.game]
        return DecisionBatch(
            kept.planes, kept.allowed, kept.actions, torch.from_numpy(advantages).float()
        )

    def state_dict(self) -> dict[str, Any]:
        return {
            "batches": self.batches,
            "points": self.points,
            "pool": [dict(one) for one in self.pool],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.batches, self.points = state["batches"], state["points"]
        self.pool = list(state["pool"])


def advantages_of(
    results: Float[np.ndarray, " game"], colors: Int[np.ndarray, " game"]
) -> Float[np.ndarray, " game"]:
    """Each result less the mean of the *other* games of the same colour.

    A baseline that does not depend on a game leaves the gradient's mean as it is; the paper's first
    pass has none, its second takes the value network's.
    """
    found = results.astype(float).copy()
    for color in np.unique(colors):
        own = colors == color
        if own.sum() > 1:
            found[own] -= (results[own].sum() - results[own]) / (own.sum() - 1)
    return found


def _copied(policy: nn.Module) -> Weights:
    return {name: value.detach().clone() for name, value in policy.state_dict().items()}
