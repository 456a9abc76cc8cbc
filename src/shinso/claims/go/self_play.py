"""From random weights and without a game of people, self-play makes a network stronger."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.go._shares import TRAININGS_AGREE
from shinso.claims.measured import column, curve, number
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text(
    "Day 4, AlphaGo Zero: learning from oneself", "4 日目 AlphaGo Zero：自己対局による学習"
)
SAYS = Text(
    "Without any game of people, a network that learns from its own games with a search becomes stronger than "
    "it was before learning.",
    "人間の棋譜を一切使わず、探索つきの自己対局だけから学習したネットワークは、学習前より強くなる。",
)
TRUTH = Text(
    "Asked is whether the last generation beats the network before learning, not whether every generation beats "
    "the one before it.",
    "問うのは、最終世代が学習前のネットワークに勝つかどうかであり、各世代が一つ前の世代に勝つかどうかではない。",
)
METHOD = Text(
    "On 4×4 (komi 1.5) a residual network of 16 filters and 2 blocks plays itself from random weights, 8 "
    "simulations a move with Gumbel noise, and learns from the last games, 120 (quick) or 1,000 (full) steps of "
    "64 positions. Two generations are kept, after half of the steps and after all. Each plays 16 (quick) or 40 "
    "(full) games a seed against the network before learning, both with 16 simulations a move. The interval is "
    "over games, not over trainings.",
    "4 路盤 (コミ 1.5 目) で、16 フィルター・2 ブロックの残差ネットワークが無作為な重みから自己対局し "
    "(1 手 8 回の探索、Gumbel ノイズ)、直近の対局から学習する (64 局面ずつ、120 (quick) または 1,000 (full) ステップ)。"
    "半分のステップと全ステップの後の 2 世代を残す。各世代は学習前のネットワークと、シードごとに 16 (quick) または "
    "40 (full) 局対局する (双方 1 手 16 回の探索)。区間は対局にわたるもので、学習にわたるものではない。",
)
CONTROL = Text(
    "Nothing of the search is learnt: the policy is taught its own chances instead of what the search "
    "made of them, and results are coin tosses.",
    "探索から何も学ばせない。方策には探索が改めた確率でなく自分自身の確率を教え、勝敗は硬貨投げで決める。",
)
RULE = Text(
    "Holds if the 95 % interval over games of the last generation's share of points against the network before "
    "learning and the share of every seed lie above one half; does not hold if all lie below; otherwise "
    "undecided.",
    "学習前のネットワークに対する最終世代の得点率について、対局にわたる 95 % 区間と各シードの値がすべて "
    "2 分の 1 より上なら成り立つ。すべて下なら成り立たない。それ以外は判定できない。",
)
RULE_CHANGED = TRAININGS_AGREE
SEEDS = {"quick": 2, "full": 5}
BUDGET_S = {"quick": 40.0, "full": 300.0}

SIDE, KOMI = 4, 1.5
STEPS = {"quick": 120, "full": 1000}
GENERATIONS, GAMES = 2, {"quick": 16, "full": 40}
BATCH, LR = 64, 5e-3


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.sequence_training import seeded
    from shinso.experience.self_play import SelfPlay
    from shinso.games.go import Rules
    from shinso.models.go_network import GoNetwork, NetworkEvaluator
    from shinso.objectives.policy_and_value import PolicyAndValueObjective
    from shinso.search.forest import ForestConfig
    from shinso.training.gradient import GradientLearner
    from shinso.training.plan import Training

    with seeded(seed) as generator:
        model = GoNetwork(GoNetwork.Config(filters=16, blocks=2), side=SIDE)
        untrained = copy.deepcopy(model)
        steps = STEPS[profile]
        source = SelfPlay(
            Rules(side=SIDE, komi=KOMI),
            NetworkEvaluator(model),
            ForestConfig(simulations=8, root="gumbel", considered=4),
            games=32, batch_size=BATCH, window=4000, reuse=4.0, warm_up=500, seed=seed,
        )  # fmt: skip
        training = Training(steps=steps, lr=LR, schedule="constant", batch_size=BATCH)
        learner = GradientLearner(model, PolicyAndValueObjective(), training)
        shares, scalars = [], {"loss": 0.0}
        for step in range(steps):
            batch = source.next_batch()
            if control:
                batch = _unsearched(batch, model, generator)
            scalars = learner.step(batch)
            if (step + 1) % (steps // GENERATIONS) == 0:
                shares.append(_points(model, untrained, seed, GAMES[profile]))
    games = GAMES[profile]
    return {
        "points": shares[-1],
        "games": float(games),
        "share_by_generation": [one / games for one in shares],
        "games_of_self_play": float(source.finished),
        "last_loss": float(scalars["loss"]),
    }


def _unsearched(batch: Any, model: Any, generator: torch.Generator) -> Any:
    """The batch with the network's own chances and with random results."""
    import torch

    model.eval()
    with torch.no_grad():
        own = model(batch.planes)[0].softmax(-1)
    tossed = torch.randint(0, 2, (len(own),), generator=generator) * 2.0 - 1.0
    return batch._replace(policy=own, result=tossed)


def _points(model: Any, untrained: Any, seed: int, games: int) -> float:
    """Points against the network that the run began with."""
    from shinso.games.go import Rules
    from shinso.models.go_network import NetworkEvaluator
    from shinso.search.contest import NetworkMover, contest
    from shinso.search.forest import ForestConfig

    config = ForestConfig(simulations=16)
    movers = [NetworkMover(NetworkEvaluator(one), config, seed) for one in (model, untrained)]
    return contest(Rules(side=SIDE, komi=KOMI), movers[0], movers[1], games=games, seed=seed)[0]


def holds(measurements: Sequence[Measurement]) -> Finding:
    from shinso.claims.go._shares import (
        beyond_at_every_seed,
        share_of_points,
        shares_by_seed,
        spoken_by_seed,
    )

    share, games = share_of_points(measurements)
    own = shares_by_seed(measurements)
    played = sum(column(measurements, "games_of_self_play")) / len(measurements)
    seeds = spoken_by_seed(own)
    return Finding(
        verdict=beyond_at_every_seed(share, own),
        because=Text(
            f"After {played:.0f} games of self-play a seed, the last generation takes {share.value:.0%} "
            f"({share.low:.0%} to {share.high:.0%}) of the points of {games} games against the network before "
            f"learning {seeds.en}.",
            f"1 シードあたり {played:.0f} 局の自己対局の後、最終世代は学習前のネットワークとの {games} 局で得点率 "
            f"{share.value:.0%} ({share.low:.0%}〜{share.high:.0%}) を得る {seeds.ja}。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "points of the last generation against the network before learning, interval over games "
                    "(share)",
                    "最終世代の学習前に対する得点率、対局にわたる区間 (割合)",
                ),
                share,
                seeds=len(measurements),
            ),
        ),
    )


def _elo(share: float, games: float) -> float:
    """Elo's difference that gives this share; half a point more for each side, so that a share of 0
    or 1 is not infinitely far away."""
    points = share * games
    return 400 * math.log10((points + 0.5) / (games - points + 0.5))


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Elo above the network before learning, generation by generation."""
    from shinso.claims.drawing import curves, legend, spoken

    axes = figure.subplots()
    lines = [
        [
            [_elo(share, number(one, "games")) for share in curve(one, "share_by_generation")]
            for one in side
        ]
        for side in (measurements, controls)
    ]
    generations = list(range(1, GENERATIONS + 1))
    curves(
        axes,
        generations,
        *lines,
        xlabel=Text("generation", "世代"),
        ylabel=Text("Elo above the network before learning", "学習前のネットワークとの Elo の差"),
    )
    axes.axhline(
        0, color="grey", linewidth=0.8,
        label=spoken(Text("before learning (0 by definition)", "学習前 (定義により 0)")),
    )  # fmt: skip
    axes.set_xticks(generations)
    axes.set_xlim(0.8, GENERATIONS + 0.2)
    legend(axes)
