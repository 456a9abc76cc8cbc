"""From random play and without a game of people, generations of self-play grow stronger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text("Day 4, AlphaGo Zero: learning from oneself", "4 日目 AlphaGo Zero:自己対局による学習")
SAYS = Text(
    "Without any game of people, a network that learns from its own games with a search grows stronger "
    "from generation to generation.",
    "人間の棋譜を一切使わず、探索つきの自己対局だけから学習したネットワークが、世代とともに強くなる。",
)
TRUTH = None
METHOD = Text(
    "On 4×4 (komi 1.5) a residual network of 16 filters and 2 blocks plays itself from random weights, 8 "
    "simulations a move with Gumbel noise, and learns from the last games. Two generations are kept. "
    "Each plays 16 games against the untrained network, both with 16 simulations a move.",
    "4 路盤 (コミ 1.5 目) で、16 フィルター・2 ブロックの残差ネットワークが無作為な重みから自己対局する "
    "(1 手 8 回の探索、Gumbel ノイズ)。直近の対局から学習し、2 世代を残す。各世代は学習前のネットワークと "
    "16 局対局する (双方 1 手 16 回の探索)。",
)
CONTROL = Text(
    "Nothing of the search is learnt: the policy is taught its own chances instead of what the search "
    "made of them, and results are coin tosses.",
    "探索から何も学ばせない。方策には探索が改めた確率でなく自分自身の確率を教え、勝敗は硬貨投げで決める。",
)
RULE = Text(
    "Holds if the 95 % interval of the last generation's share of points against the untrained network "
    "lies above one half; does not hold if it lies below; otherwise undecided.",
    "学習前のネットワークに対する最終世代の得点率の 95 % 区間が 2 分の 1 より上なら成り立つ。"
    "下なら成り立たない。それ以外は判定できない。",
)
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
        untrained = _copy(model)
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
        "share_by_generation": [0.5, *(one / games for one in shares)],
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


def _copy(model: Any) -> Any:
    import copy

    return copy.deepcopy(model)


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
    import math

    points, games = sum(column(measurements, "points")), sum(column(measurements, "games"))
    low = intervals.proportion(math.floor(points), int(games)).low
    high = intervals.proportion(math.ceil(points), int(games)).high
    share = intervals.Interval(points / games, low, high)
    if low > 0.5:
        verdict = Verdict.HOLDS
    elif high < 0.5:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    played = sum(column(measurements, "games_of_self_play")) / len(measurements)
    return Finding(
        verdict=verdict,
        because=Text(
            f"After {played:.0f} games of self-play a seed, the last generation takes {share.value:.0%} "
            f"({low:.0%} to {high:.0%}) of the points of {games:.0f} games against the first.",
            f"1 シードあたり {played:.0f} 局の自己対局の後、最終世代は最初の世代との {games:.0f} 局で得点率 "
            f"{share.value:.0%} ({low:.0%}〜{high:.0%}) を得る。",
        ),
        estimates=(
            intervals.estimate(
                "points of the last generation against the first (share)",
                share,
                seeds=len(measurements),
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Share of points against the untrained network, generation by generation."""
    from shinso.claims.drawing import curves

    curves(
        figure.subplots(),
        list(range(GENERATIONS + 1)),
        [curve(one, "share_by_generation") for one in measurements],
        [curve(one, "share_by_generation") for one in controls],
        xlabel=Text("generation", "世代"),
        ylabel=Text("points against the untrained network", "学習前のネットワークに対する得点率"),
    )
