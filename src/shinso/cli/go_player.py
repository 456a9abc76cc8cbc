"""The flags that make a player of Go, shared by ``go gtp`` and ``go review``. Imports late."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shinso.cli.parsing import Parser
from shinso.faults import UsageFault
from shinso.language import _


def add_player_flags(parser: Parser) -> None:
    group = parser.add_argument_group(_("the player"))
    group.add_argument(
        "--simulations", type=int, default=10_000, help=_("simulations for a move [10000]")
    )
    group.add_argument(
        "--seconds", type=float, default=0.0,
        help=_("seconds for a move, instead of a number of simulations"),
    )  # fmt: skip
    group.add_argument(
        "--rollouts", type=Path, metavar="RUN",
        help=_("a run of go-policy with model rollout, which then plays the rollouts"),
    )  # fmt: skip
    group.add_argument(
        "--network", type=Path, metavar="RUN",
        help=_("a run of alphago-zero, which then says what positions are worth"),
    )  # fmt: skip
    group.add_argument(
        "--mixture", type=float, default=0.0,
        help=_("share of a rollout in a position's worth beside the network (AlphaGo Lee) [0]"),
    )  # fmt: skip
    group.add_argument("--seed", type=int, default=0)


def player_maker(read: argparse.Namespace, *, resign: bool = True) -> Callable[[], Any]:
    """A function that makes the player; flags are checked now, weights are read when it is called."""
    for name, least in (("simulations", 1), ("seconds", 0), ("seed", 0)):
        if getattr(read, name) < least:
            raise UsageFault(
                "SETTING-REFUSED",
                place=f"--{name}",
                found=str(getattr(read, name)),
                next_step=_("give at least {least}").format(least=least),
            )

    if not 0 <= read.mixture <= 1 or (read.mixture and read.network is None):
        raise UsageFault(
            "SETTING-REFUSED",
            place="--mixture",
            found=str(read.mixture),
            next_step=_("give a share from 0 to 1 beside --network"),
        )

    def make() -> Any:
        from shinso.search.gtp_player import SearchPlayer

        weights = None if read.rollouts is None else _rollout_weights(read.rollouts)
        make_search = _rollout_search if read.network is None else _network_search
        search = make_search(read, weights)
        config = SearchPlayer.Config(seconds=read.seconds, resign_below=-0.96 if resign else -1.0)
        return SearchPlayer(search, config)

    return make


def _rollout_search(read: argparse.Namespace, weights: Any) -> Any:
    from shinso.search.rollout_search import RolloutSearch

    config = RolloutSearch.Config(simulations=read.simulations)
    return RolloutSearch(config, seed=read.seed, rollout_weights=weights)


def _network_search(read: argparse.Namespace, weights: Any) -> Any:
    from shinso.models.go_network import GoNetwork, NetworkEvaluator
    from shinso.search.forest import ForestConfig
    from shinso.search.network_search import NetworkSearch
    from shinso.walk.run import Run

    run = Run.open(read.network)
    model = getattr(run.use(), "model", None)
    if not isinstance(model, GoNetwork):
        raise UsageFault(
            "GO-NO-NETWORK",
            place=str(read.network),
            found=f"{run.order.task}, {run.order.model}",
            next_step="shinso train alphago-zero",
        )
    return NetworkSearch(
        NetworkEvaluator(model),
        ForestConfig(simulations=read.simulations, leaves=8, mixture=read.mixture),
        side=model.side,
        seed=read.seed,
        rollout_weights=weights,
    )


def _rollout_weights(path: Path) -> Any:
    from shinso.models.go_policy import RolloutPolicy
    from shinso.walk.run import Run

    run = Run.open(path)
    model = getattr(run.use(), "model", None)
    if not isinstance(model, RolloutPolicy):
        raise UsageFault(
            "GO-NO-ROLLOUT-POLICY",
            place=str(path),
            found=f"{run.order.task}, {run.order.model}",
            next_step="shinso train go-policy GAMES --model rollout",
        )
    return model.weights().numpy()
