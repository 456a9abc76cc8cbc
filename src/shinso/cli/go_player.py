"""The flags that make a player of Go, shared by ``go gtp``, ``go play`` and ``go review``. Imports late."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from shinso.cli.parsing import Parser
from shinso.faults import UsageFault
from shinso.language import _
from shinso.runs.folder import RunFolder


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
        "--policy", type=Path, metavar="RUN",
        help=_("AlphaGo instead: a run of go-policy or go-self-play that says which moves are likely"),
    )  # fmt: skip
    group.add_argument(
        "--value", type=Path, metavar="RUN",
        help=_("and with it a run of go-value that says what positions are worth"),
    )  # fmt: skip
    group.add_argument(
        "--mixture", type=float,
        help=_("share of rollouts in a position's worth beside the network "
               "[0; 0.5 with --policy and --value]"),
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
    lee = read.policy is not None
    if lee != (read.value is not None):
        raise UsageFault(
            "SETTING-REFUSED",
            place="--policy" if lee else "--value",
            found=str(read.policy if lee else read.value),
            next_step=_("AlphaGo plays with both; add {flag} RUN").format(
                flag="--value" if lee else "--policy"
            ),
        )
    if lee and read.network not in ("shipped", "none"):
        raise UsageFault(
            "SETTING-REFUSED",
            place="--network",
            found=read.network,
            next_step=_("give either --network, or --policy and --value"),
        )
    mixture = read.mixture
    alone = read.network == "none" and not lee
    if mixture is not None and (not 0 <= mixture <= 1 or alone):
        raise UsageFault(
            "SETTING-REFUSED",
            place="--mixture",
            found=str(mixture),
            next_step=_("give a share from 0 to 1 beside --network"),
        )

    path = read.network not in ("shipped", "none")
    for run in (Path(read.network) if path else None, read.policy, read.value, read.rollouts):
        if run is not None:  # a wrong path is told at once, and not at the first move
            RunFolder.open(run)

    def make() -> Any:
        from shinso.recipes.uses.go_agent import Agent

        own = _network(Path(read.network)) if path else None
        return Agent(
            network=None if own is None else own.model,
            komi=None if own is None else own.komi,
            lee=_lee(read.policy, read.value) if lee else None,
            shipped=read.network == "shipped",
            simulations=read.simulations or 0,
            seconds=read.seconds,
            mixture=mixture,
            rollout_weights=None if read.rollouts is None else _rollout_weights(read.rollouts),
            resign_below=-0.96 if resign else -2.0,
            seed=read.seed,
            threads=read.threads,
            on_other_side=_say_other_side,
            on_other_komi=_say_other_komi,
        ).player()

    return make


def _say_other_side(side: int) -> None:
    text = _("the network does not know {side}×{side}: a rollout search plays").format(side=side)
    print(text, file=sys.stderr, flush=True)


def _say_other_komi(learnt: float, komi: float) -> None:
    text = _(
        "the network learnt at komi {learnt:g}: with {komi:g} it is less sure who is ahead"
    ).format(learnt=learnt, komi=komi)
    print(text, file=sys.stderr, flush=True)


def _network(path: Path) -> _Trained:
    from shinso.models.go_network import GoNetwork
    from shinso.models.go_pooled_network import PooledGoNetwork

    known = (GoNetwork, PooledGoNetwork)
    return _of_run(path, known, "GO-NO-NETWORK", "shinso train alphago-zero")


def _lee(policy_path: Path, value_path: Path) -> Any:
    """AlphaGo's two networks, ready to be asked, and their board's side."""
    from shinso.models.go_inference import folded
    from shinso.models.go_policy import ConvolutionalPolicy, ResidualPolicy
    from shinso.models.go_value import LeeEvaluator, ValueNetwork

    policy = _of_run(
        policy_path, (ConvolutionalPolicy, ResidualPolicy), "GO-NO-POLICY",
        "shinso train go-policy GAMES",
    )  # fmt: skip
    value = _of_run(value_path, (ValueNetwork,), "GO-NO-VALUE", "shinso train go-value GAMES")
    if policy.side != value.side:
        raise UsageFault(
            "GO-SIDES",
            place=str(value_path),
            found=_("the network plays on {side}×{side}").format(side=value.side),
            next_step=_("give two runs of one board; the policy's is {side}×{side}").format(
                side=policy.side
            ),
        )
    return LeeEvaluator(folded(policy.model), folded(value.model)), policy.side


class _Trained(NamedTuple):
    model: Any
    side: int
    komi: float | None


def _of_run(path: Path, kinds: tuple[type, ...], code: str, command: str) -> _Trained:
    """The network of a run and its board; UsageFault ``code`` where it is of no such kind."""
    from shinso.walk.run import Run

    run = Run.open(path)
    begun = [] if run.seeds else run.folder.seeds_with_weights()
    if begun:
        text = _("{run} is not finished: its best weights so far play").format(run=path)
        print(text, file=sys.stderr, flush=True)
    use = run.use_weights(begun[0]) if begun else run.use()
    model = getattr(use, "model", None)
    if not isinstance(model, kinds):
        # A run of self-play keeps the policy beside the one that it began as.
        model = getattr(model, "policy", model)
    if not isinstance(model, kinds):
        raise UsageFault(
            code,
            place=str(path),
            found=f"{run.order.task}, {run.order.model}",
            next_step=command,
        )
    return _Trained(model, run.facts["side"], run.facts.get("komi"))


def _rollout_weights(path: Path) -> Any:
    from shinso.models.go_policy import RolloutPolicy

    command = "shinso train go-policy GAMES --model rollout"
    found = _of_run(path, (RolloutPolicy,), "GO-NO-ROLLOUT-POLICY", command)
    return found.model.weights().numpy()
