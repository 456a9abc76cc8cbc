"""The Go player that a user gets: the network that ships with shinso where there is one for the board,
a rollout search everywhere else. Imports nothing heavy before it is asked for a player."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from shinso.models.go_value import LeeEvaluator
    from shinso.search.evaluator import BoardsEvaluator, PlanesEvaluator
    from shinso.search.gtp_player import SearchPlayer

WEIGHTS = Path(__file__).parents[2] / "models" / "weights"
SHIPPED = "go-9x9"
"""Weights, and beside them the record of their training as JSON."""
ROLLOUT_SIMULATIONS, NETWORK_SIMULATIONS = 10_000, 1_600
LEAVES = 16
"""Leaves that a network is asked about at once."""
LEE_MIXTURE = 0.5
"""λ of AlphaGo (Silver et al. 2016, Methods): half of a leaf's worth is a rollout."""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """How a player searches.

    network: whose board's size it plays with that network; None is the one that ships, where
    ``shipped`` allows it. lee: AlphaGo's policy and value network, and their board's side, instead.
    simulations: 0 takes the usual number. mixture: share of rollouts in a leaf's worth beside the
    network, rollouts: how many; None are what the shipped network plays best with, a half and one with
    ``lee``. threads: trees that a rollout search grows side by side. rollout_weights: of a
    ``RolloutPolicy``. on_other_side: told of a board that the network does not know.
    """

    network: nn.Module | None = None
    lee: tuple[LeeEvaluator, int] | None = None
    shipped: bool = True
    simulations: int = 0
    seconds: float = 0.0
    mixture: float | None = None
    rollouts: int | None = None
    rollout_weights: Any = None
    resign_below: float = -0.96
    seed: int = 0
    threads: int = 1
    on_other_side: Any = None

    def player(self) -> SearchPlayer:
        from shinso.search.by_side import SearchBySide
        from shinso.search.gtp_player import SearchPlayer

        found = self._evaluated()
        special = None
        if found is not None:
            evaluator, side, play = found
            special = (side, lambda: self._network_search(evaluator, side, play))
        own = self.network is not None or self.lee is not None
        told = self.on_other_side if own else None
        search = SearchBySide(
            special, self._rollout_search, on_other_side=told or (lambda side: None)
        )
        config = SearchPlayer.Config(seconds=self.seconds, resign_below=self.resign_below)
        return SearchPlayer(search, config)

    def _rollout_search(self) -> Any:
        from shinso.search.rollout_search import RolloutSearch
        from shinso.search.root_parallel import RootParallel

        simulations = self.simulations or ROLLOUT_SIMULATIONS
        config = RolloutSearch.Config(simulations=-(-simulations // self.threads))
        trees = [
            RolloutSearch(config, seed=self.seed + 7919 * n, rollout_weights=self.rollout_weights)
            for n in range(self.threads)
        ]
        return trees[0] if self.threads == 1 else RootParallel(trees)

    def _evaluated(
        self,
    ) -> tuple[PlanesEvaluator | BoardsEvaluator, int, dict[str, Any]] | None:
        """What is asked about positions, on which board, and how it plays best."""
        if self.lee is not None:
            return (*self.lee, {"mixture": LEE_MIXTURE})
        network, record = self.network, {}
        if network is None and self.shipped and (WEIGHTS / f"{SHIPPED}.json").exists():
            network, record = shipped_network(), shipped_record()
        if network is None:
            return None
        from shinso.models.go_inference import FoldedEvaluator

        side: int = network.side  # pyright: ignore[reportAssignmentType]
        return FoldedEvaluator(network), side, record.get("play", {})

    def _network_search(
        self, evaluator: PlanesEvaluator | BoardsEvaluator, side: int, play: dict[str, Any]
    ) -> Any:
        from shinso.search.forest import ForestConfig
        from shinso.search.network_search import NetworkSearch

        mixture = play.get("mixture", 0.0) if self.mixture is None else self.mixture
        rollouts = play.get("rollouts", 1) if self.rollouts is None else self.rollouts
        return NetworkSearch(
            evaluator,
            ForestConfig(
                simulations=self.simulations or NETWORK_SIMULATIONS, leaves=LEAVES,
                mixture=mixture, rollouts=rollouts,
            ),
            side=side,
            seed=self.seed,
            rollout_weights=self.rollout_weights,
        )  # fmt: skip


@cache
def shipped_record() -> dict[str, Any]:
    """How the network that ships was trained, and how strong it was measured to be."""
    return json.loads((WEIGHTS / f"{SHIPPED}.json").read_text("utf-8"))


@cache
def shipped_network() -> nn.Module:
    """The network that ships with shinso, ready to be asked."""
    import torch

    from shinso.models.go_pooled_network import PooledGoNetwork
    from shinso.runs.checkpoint import load_weights

    made = shipped_record()["network"]
    config = PooledGoNetwork.Config(filters=made["filters"], blocks=made["blocks"])
    network = PooledGoNetwork(config, side=made["side"])
    weights = load_weights(WEIGHTS / f"{SHIPPED}.safetensors")
    network.load_state_dict(
        {k: v.float() if v.dtype == torch.float16 else v for k, v in weights.items()}
    )
    return network.eval()
