"""AlphaGo Zero: from random play to strong play by playing against oneself.

Place in the course: day 4, AlphaGo Zero: one network with two heads, a search without rollouts, no
game of people. It reads no data: the games are made while it learns.

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

    from shinso.experience.games_in_play import Manner
    from shinso.experience.players import Lanes
    from shinso.recipes.uses.self_taught_go import ZeroData, ZeroUse

NEEDS_DATA = False
TITLE = Text("Go: learning by self-play (AlphaGo Zero)", "囲碁: 自己対局による学習 (AlphaGo Zero)")
PLACE = Text("Day 4: AlphaGo Zero", "4 日目: AlphaGo Zero")
READS = Text(
    "nothing: games are played while it learns; SGF files to look at positions with a trained run",
    "なし (学習しながら対局を作ります)。学習済みの実行で局面を調べるときは SGF ファイル",
)
ABOUT = Text(
    "A residual network says which moves are promising and who will win; a search with few simulations "
    "(Gumbel noise, sequential halving) improves on it; the network learns what the search chose and how "
    "the game ended. Strength is measured in games against random moves, against a rollout search and "
    "between the generations, as Elo.",
    "残差ネットワークが有望な手と勝敗を予測し、少ない回数の探索 (Gumbel ノイズと逐次半減) がそれを改善します。"
    "ネットワークは探索が選んだ手と対局の結果を学習します。強さは、無作為な着手およびロールアウト探索との"
    "対局、および世代間の対局で測ります (イロレーティング)。",
)
NETWORK = "shinso.models.go_network:GoNetwork"
MODELS = {
    "residual": ModelChoice(NETWORK, {"body": "residual", "heads": "joined"}),
    "plain": ModelChoice(NETWORK, {"body": "plain", "heads": "joined"}),
    "residual-separate": ModelChoice(NETWORK, {"body": "residual", "heads": "separate"}),
    "plain-separate": ModelChoice(NETWORK, {"body": "plain", "heads": "separate"}),
    "pooled": ModelChoice("shinso.models.go_pooled_network:PooledGoNetwork"),
}
BRIEF = Brief(
    models=("residual",),
    settings={
        "side": 3, "komi": 4.0, "games": 8, "simulations": 4, "opponent": 10, "match_games": 2,
        "steps": 40, "batch_size": 32, "evaluate_every": 20, "filters": 8, "blocks": 1,
        "warm_up": 32, "window": 2000,
    },
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train alphago-zero``."""

    start: Path | None = setting(
        None, "a run of this task to begin as; without one, at random (pooled: of any board size)"
    )
    side: int = setting(0, "lines of the board, 3 to 19; 0: as the start has it, 5 without one")
    komi: float | None = setting(
        None,
        "points that White gets; none: as the start has it, 24 without one (on 5×5 Black must then "
        "win it all)",
    )
    games: int = setting(64, "games of self-play side by side")
    simulations: int = setting(24, "simulations for a move of self-play")
    considered: int = setting(8, "actions that the root considers (Gumbel)")
    full_share: float = setting(
        1.0,
        "share of the moves that are searched in full and learnt from (playout-cap randomization)",
    )
    fast: int = setting(8, "simulations for the other moves")
    rollout_steps: int = setting(
        0, "first training steps in which rollouts help the untrained value, less and less; 0: none"
    )
    inference: Literal["auto", "fp32", "bf16"] = setting(
        "auto", "arithmetic of the network while it plays; auto: bf16 where the hardware has it"
    )
    opening: int = setting(0, "most random moves that begin a game of self-play")
    players: int = setting(
        0, "processes that play while this one learns; 0: it plays between the steps itself"
    )
    players_on: Literal["this-machine", "ray"] = setting(
        "this-machine",
        "where the players are: processes of this machine, or tasks on a Ray cluster",
    )
    ray_address: str = setting(
        "", "address of the players' Ray cluster; empty: Ray on this machine"
    )
    window: int = setting(30_000, "positions that are remembered")
    reuse: float = setting(4.0, "how often a position is learnt from")
    warm_up: int = setting(2000, "positions before the first training step")
    opponent: int = setting(400, "simulations of the rollout search that measures the strength")
    match_games: int = setting(20, "games of each measurement")
    model: str = setting("residual", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=4000, batch_size=256, lr=2e-3, weight_decay=1e-4, schedule="constant",
        evaluate_every=500, checkpoint_every=500,
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.side and not 3 <= self.side <= 19:
            raise ValueError(f"side is {self.side}; give 3 to 19, or 0")
        if self.komi is not None and not abs(self.komi) <= (self.side or 19) ** 2:
            raise ValueError(f"komi is {self.komi}; give points from the board")
        least = {
            "games": 1, "simulations": 1, "considered": 1, "reuse": 0.1, "warm_up": 1,
            "opponent": 1, "match_games": 2, "fast": 1, "rollout_steps": 0, "players": 0,
            "opening": 0,
        }  # fmt: skip
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {bound}")
        if not 0 < self.full_share <= 1:
            raise ValueError(f"full_share is {self.full_share}; give a share above 0, up to 1")
        if self.window < self.training.batch_size:
            raise ValueError(f"window is {self.window}; give at least batch_size")


def read(config: Config, paths: Sequence[Path]) -> ZeroData:
    """The rules, and what a start says of its network. Raises UsageFault DATA-FILES where files are
    given, RunFault RUN-NOT-FOUND, RUN-NOT-TRAINED, START-REFUSED."""
    from shinso.recipes.uses.self_taught_go import read_rules, refuse_files

    refuse_files(paths)
    return read_rules(config)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    from shinso.recipes.uses.starting_run import sized_as

    return network(sized_as(facts.get("start_settings"), network_config), side=facts["side"])


def begin(config: Config, model: nn.Module) -> None:
    from shinso.recipes.uses.starting_run import starting_weights

    if config.start is not None:
        model.load_state_dict(starting_weights(config.start))


def build(config: Config, data: ZeroData, model: nn.Module, seed: int) -> Built:
    from shinso.data.on_device import OnDevice
    from shinso.experience.games_in_play import GamesInPlay, Manner
    from shinso.experience.ladder import Climbing
    from shinso.experience.self_play import SelfPlay
    from shinso.models.go_inference import FoldedEvaluator
    from shinso.objectives.policy_and_value import PolicyAndValueObjective
    from shinso.search.forest import ForestConfig
    from shinso.training.loop import Selection

    device = next(model.parameters()).device
    user = use(config, data.facts(), model)
    search = ForestConfig(
        simulations=config.simulations, root="gumbel", considered=config.considered, rollouts=4
    )
    manner = Manner(
        rules=data.rules, search=search, games=config.games, full_share=config.full_share,
        fast=config.fast, rollout_steps=config.rollout_steps, opening=config.opening,
    )  # fmt: skip
    evaluator = FoldedEvaluator(model, config.inference)
    source = SelfPlay(
        data.rules,
        evaluator,
        search,
        games=config.games,
        batch_size=config.training.batch_size,
        window=config.window,
        reuse=config.reuse,
        warm_up=config.warm_up,
        seed=seed,
        playing=_players(config, model, manner, seed)
        if config.players
        else GamesInPlay(manner, evaluator, (seed,)),
    )
    ladder = user.ladder(seed)

    def validate() -> Mapping[str, float]:
        model.eval()
        black = source.black_points / max(source.finished, 1)
        return {**ladder.measure(), "games_played": float(source.finished), "black_wins": black}

    return Built(
        objective=PolicyAndValueObjective(),
        source=OnDevice(Climbing(source, ladder), device),
        validate=validate,
        selection=Selection("elo", "max"),
    )


def _players(config: Config, model: nn.Module, manner: Manner, seed: int) -> Lanes:
    from shinso.experience.players import Lanes, LocalPlayers, RayPlayers

    on_ray = config.players_on == "ray"
    workers = (
        RayPlayers(config.players, address=config.ray_address)
        if on_ray
        else LocalPlayers(config.players)
    )
    return Lanes(
        model, manner, workers, lanes=config.players, seed=seed, precision=config.inference
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> ZeroUse:
    from shinso.recipes.uses.self_taught_go import ZeroUse

    return ZeroUse(config, facts, model)
