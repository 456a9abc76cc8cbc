"""A policy learnt from game records plays against its earlier selves and learns from who won.

Place in the course: day 4, AlphaGo: the RL policy network. It reads no data: ``--start`` names the
run of go-policy that it begins as.

Measured results, with command, time and hardware: docs/results/go.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.played_go import PlayedData, PlayedUse

NEEDS_DATA = False
TITLE = Text("Go: a policy against its earlier selves", "囲碁: 過去の自分との対局による方策の強化")
PLACE = Text("Day 4: AlphaGo, RL policy network", "4 日目: AlphaGo の RL 方策ネットワーク")
READS = Text(
    "nothing: games are played while it learns; --start names the run of go-policy that it begins as",
    "なし (学習しながら対局します)。--start に、出発点とする go-policy の実行を指定します",
)
ABOUT = Text(
    "Each step plays a batch of games against an opponent from a pool of earlier selves, to which the "
    "policy is added again and again, and makes the moves of won games likelier (REINFORCE). No search is "
    "used. Strength is measured in games against the policy that it began as.",
    "各ステップで、過去の自分をためたプールから選んだ相手と多数の対局を行い、勝った対局の着手の確率を上げます "
    "(REINFORCE)。方策は一定の間隔でプールに加わります。探索は使いません。強さは、出発点の方策との対局で測ります。",
)
MODELS = {
    "convolutional": ModelChoice("shinso.models.go_policy:ConvolutionalPolicy"),
    "residual": ModelChoice("shinso.models.go_policy:ResidualPolicy"),
}
BRIEF = Brief(
    models=("convolutional",),
    settings={
        "side": 4, "komi": 1.5, "filters": 8, "steps": 20, "batch_size": 32,
        "lr": 1e-2, "snapshot_every": 5, "match_games": 20, "evaluate_every": 10,
    },
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train go-self-play``. A step's batch_size are games."""

    start: Path | None = setting(None, "a run of go-policy to begin as; without one, at random")
    side: int = setting(0, "lines of the board; 0: as the start has it")
    komi: float = setting(7.0, "points that White gets")
    snapshot_every: int = setting(500, "steps after which the policy joins the pool")
    rivals: Literal["pool", "latest"] = setting(
        "pool", "opponents: earlier selves, or always the policy as it is"
    )
    match_games: int = setting(200, "games of each measurement")
    model: str = setting("convolutional", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=500, batch_size=128, lr=3e-4, schedule="constant", evaluate_every=50,
        checkpoint_every=50,
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.side and not 3 <= self.side <= 19:
            raise ValueError(f"side is {self.side}; give 3 to 19, or 0 with --start")
        if not self.side and self.start is None:
            raise ValueError("side is 0 and start is not given; give --start RUN or --side 5")
        for name, least in (("snapshot_every", 1), ("match_games", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")
        if self.training.batch_size < 2:
            raise ValueError(
                f"batch_size is {self.training.batch_size}; give at least 2 games, one of each colour"
            )


@dataclass(frozen=True, kw_only=True)
class Generation:
    """Settings of ``shinso generate`` with a policy: games against itself, as SGF in an archive."""

    games: int = setting(1000, "games to play")
    seed: int = setting(0, "which games are played")

    def __post_init__(self) -> None:
        if self.games < 1:
            raise ValueError(f"games is {self.games}; give at least 1")


def read(config: Config, paths: Sequence[Path]) -> PlayedData:
    """What the start says of board and network. Raises UsageFault and RunFault."""
    from shinso.recipes.uses.played_go import read_start

    return read_start(config, paths)


def make_model(
    config: Config, network: Any, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    from shinso.models.go_policy import WithStart
    from shinso.recipes.uses.starting_run import sized_as

    size = sized_as(facts["start_settings"], network_config)
    return WithStart(network(size, side=facts["side"]))


def begin(config: Config, model: Any) -> None:
    from shinso.recipes.uses.starting_run import starting_weights

    if config.start is not None:
        model.begin(starting_weights(config.start))


def build(config: Config, data: PlayedData, model: Any, seed: int) -> Built:
    from shinso.data.on_device import OnDevice
    from shinso.experience.policy_pool import PoolPlay
    from shinso.objectives.reinforce import ReinforceObjective
    from shinso.training.loop import Selection

    user = use(config, data.facts(), model)
    source = PoolPlay(
        data.rules,
        model.policy,
        games=config.training.batch_size,
        snapshot_every=config.snapshot_every,
        rivals=config.rivals,
        seed=seed,
    )

    def validate() -> Mapping[str, float]:
        found = user.evaluate(data, "valid").metrics
        return {**found, "opponents": float(len(source.pool)), "points_in_batch": source.points}

    return Built(
        objective=ReinforceObjective(),
        source=OnDevice(source, next(model.parameters()).device),
        validate=validate,
        selection=Selection("points_against_start", "max"),
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> PlayedUse:
    from shinso.recipes.uses.played_go import PlayedUse

    return PlayedUse(config, facts, model)
