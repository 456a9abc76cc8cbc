"""The flags that make a player of Go, shared by ``go gtp``, ``go play`` and ``go review``. Imports late."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shinso.cli.parsing import Parser
from shinso.faults import UsageFault
from shinso.language import _


def add_player_flags(parser: Parser) -> None:
    group = parser.add_argument_group(_("the player"))
    group.add_argument(
        "--simulations", type=int,
        help=_("simulations for a move [10000 of a rollout search, 1600 with a network]"),
    )  # fmt: skip
    group.add_argument(
        "--seconds", type=float, default=0.0,
        help=_("seconds for a move, instead of a number of simulations"),
    )  # fmt: skip
    group.add_argument(
        "--rollouts", type=Path, metavar="RUN",
        help=_("a run of go-policy with model rollout, which then plays the rollouts"),
    )  # fmt: skip
    group.add_argument(
        "--network", metavar="RUN", default="shipped",
        help=_("a run of alphago-zero that says what positions are worth; none: rollouts alone "
               "[the one that ships with shinso, on 9×9]"),
    )  # fmt: skip
    group.add_argument(
        "--mixture", type=float,
        help=_("share of rollouts in a position's worth beside the network (AlphaGo Lee)"),
    )  # fmt: skip
    group.add_argument(
        "--threads", type=int, default=1,
        help=_("trees that a rollout search grows side by side, a core for each [1]"),
    )  # fmt: skip
    group.add_argument("--seed", type=int, default=0)


def player_maker(read: argparse.Namespace, *, resign: bool = True) -> Callable[[], Any]:
    """A function that makes the player; flags are checked now, weights are read when it is called."""
    for name, least in (("simulations", 1), ("seconds", 0), ("seed", 0), ("threads", 1)):
        given = getattr(read, name)
        if given is not None and not given >= least:
            raise UsageFault(
                "SETTING-REFUSED",
                place=f"--{name}",
                found=str(getattr(read, name)),
                next_step=_("give at least {least}").format(least=least),
            )
    mixture = read.mixture
    if mixture is not None and (not 0 <= mixture <= 1 or read.network == "none"):
        raise UsageFault(
            "SETTING-REFUSED",
            place="--mixture",
            found=str(mixture),
            next_step=_("give a share from 0 to 1 beside --network"),
        )

    def make() -> Any:
        from shinso.recipes.uses.go_agent import Agent

        own = read.network not in ("shipped", "none")
        return Agent(
            network=_network(Path(read.network)) if own else None,
            shipped=read.network == "shipped",
            simulations=read.simulations or 0,
            seconds=read.seconds,
            mixture=mixture,
            rollout_weights=None if read.rollouts is None else _rollout_weights(read.rollouts),
            resign_below=-0.96 if resign else -2.0,
            seed=read.seed,
            threads=read.threads,
            on_other_side=_say_other_side,
        ).player()

    return make


def _say_other_side(side: int) -> None:
    text = _("the network does not know {side}×{side}: a rollout search plays").format(side=side)
    print(text, file=sys.stderr, flush=True)


def _network(path: Path) -> Any:
    from shinso.models.go_network import GoNetwork
    from shinso.models.go_pooled_network import PooledGoNetwork
    from shinso.walk.run import Run

    run = Run.open(path)
    model = getattr(run.use(), "model", None)
    if not isinstance(model, GoNetwork | PooledGoNetwork):
        raise UsageFault(
            "GO-NO-NETWORK",
            place=str(path),
            found=f"{run.order.task}, {run.order.model}",
            next_step="shinso train alphago-zero",
        )
    return model


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
