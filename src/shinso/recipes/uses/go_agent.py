"""The Go player that a user gets: the network that ships with shinso where there is one for the board,
a rollout search everywhere else. Imports nothing heavy before it is asked for a player."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shinso.faults import RunFault
from shinso.language import _

if TYPE_CHECKING:
    from torch import nn

    from shinso.models.go_value import LeeEvaluator
    from shinso.search.evaluator import BoardsEvaluator, PlanesEvaluator
    from shinso.search.gtp_player import SearchPlayer
    from shinso.search.network_search import NetworkSearch

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
    ``shipped`` allows it. komi: at which the network learnt, where that is known. lee: AlphaGo's
    policy and value network, and their board's side, instead.
    simulations: 0 takes the usual number where no clock says how long to think, and all the time of a
    clock; a number is never exceeded. mixture: share of rollouts in a leaf's worth beside the
    network, rollouts: how many; None are what the shipped network plays best with, a half and one with
    ``lee``. threads: trees that a rollout search grows side by side. rollout_weights: of a
    ``RolloutPolicy``. on_other_side, on_other_komi: told of a board or a komi that the network does
    not know.
    """

    network: nn.Module | None = None
    komi: float | None = None
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
    on_other_side: Callable[[int], None] = lambda side: None
    on_other_komi: Callable[[float, float], None] = lambda learnt, komi: None

    def player(self) -> SearchPlayer:
        from shinso.search.by_side import SearchBySide
        from shinso.search.gtp_player import SearchPlayer

        found = self._special()
        search = SearchBySide(found, self._rollout_search, on_other_side=self.on_other_side)
        config = SearchPlayer.Config(
            seconds=self.seconds, resign_below=self.resign_below, limited=self.simulations > 0
        )
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

    def _special(self) -> tuple[int, Callable[[], NetworkSearch]] | None:
        """The board that a network knows, and what makes its search."""
        if self.lee is not None:
            lee, board = self.lee
            return board, lambda: self._network_search(lee, board, {"mixture": LEE_MIXTURE})
        network, komi, play = self.network, self.komi, {}
        if network is None and self.shipped and shipped():
            network, record = shipped_network(), shipped_record()
            komi, play = record["trained"]["komi"], record.get("play", {})
        if network is None:
            return None
        from shinso.models.go_inference import FoldedEvaluator

        evaluator = FoldedEvaluator(network)
        side: int = network.side  # pyright: ignore[reportAssignmentType]
        return side, lambda: self._network_search(evaluator, side, play, network, komi)

    def _network_search(
        self,
        evaluator: PlanesEvaluator | BoardsEvaluator,
        side: int,
        play: dict[str, Any],
        network: nn.Module | None = None,
        learnt: float | None = None,
    ) -> NetworkSearch:
        from shinso.models.go_inference import FoldedEvaluator, knows_komi
        from shinso.search.forest import ForestConfig
        from shinso.search.network_search import Komi, NetworkSearch

        mixture = play.get("mixture", 0.0) if self.mixture is None else self.mixture
        rollouts = play.get("rollouts", 1) if self.rollouts is None else self.rollouts
        komi = None
        if network is not None and learnt is not None:
            komi = Komi(
                learnt=learnt,
                ask=(lambda now: FoldedEvaluator(network, black_ahead=learnt - now))
                if knows_komi(network)
                else None,
                on_other=lambda now: self.on_other_komi(learnt, now),
            )
        return NetworkSearch(
            evaluator,
            ForestConfig(
                simulations=self.simulations or NETWORK_SIMULATIONS, leaves=LEAVES,
                mixture=mixture, rollouts=rollouts,
            ),
            side=side,
            komi=komi,
            seed=self.seed,
            rollout_weights=self.rollout_weights,
        )  # fmt: skip


def shipped() -> bool:
    """Whether a network ships with this shinso."""
    return (WEIGHTS / f"{SHIPPED}.json").exists()


@cache
def shipped_record() -> dict[str, Any]:
    """How the network that ships was trained, and how strong it was measured to be.

    RunFault GO-SHIPPED-DAMAGED where it cannot be read.
    """
    path = WEIGHTS / f"{SHIPPED}.json"
    try:
        found = json.loads(path.read_text("utf-8"))
        if not (found["network"]["side"] > 0 and abs(found["trained"]["komi"]) < 400):
            raise ValueError("no board or komi that can be")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    return found


@cache
def shipped_network() -> nn.Module:
    """The network that ships with shinso, ready to be asked.

    RunFault GO-SHIPPED-DAMAGED where its weights are not those of its record.
    """
    import torch

    from shinso.models.go_pooled_network import PooledGoNetwork
    from shinso.runs.checkpoint import load_weights

    record, path = shipped_record(), WEIGHTS / f"{SHIPPED}.safetensors"
    try:
        made = record["network"]
        config = PooledGoNetwork.Config(filters=made["filters"], blocks=made["blocks"])
        network = PooledGoNetwork(config, side=made["side"])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != made["sha256"]:
            raise ValueError(f"sha256 {digest[:12]}… ≠ {made['sha256'][:12]}…")
        weights = load_weights(path)
        network.load_state_dict(
            {k: v.float() if v.dtype == torch.float16 else v for k, v in weights.items()}
        )
    except (OSError, RunFault, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise _damaged(path, error) from error
    return network.eval()


def _damaged(path: Path, error: Exception) -> RunFault:
    return RunFault(
        "GO-SHIPPED-DAMAGED",
        place=str(path),
        found=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
        why=_("the network that ships with shinso is not what it was made as"),
        next_step=_("install shinso anew, or play without it: --network none"),
    )
