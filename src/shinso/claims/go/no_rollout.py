"""With a good value network the search needs no rollouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.go._shares import TRAININGS_AGREE
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text(
    "Day 4, AlphaGo Zero: search without rollouts", "4 日目 AlphaGo Zero：ロールアウトなしの探索"
)
SAYS = Text(
    "AlphaGo Zero's search plays no game to its end: the value of the network takes the rollout's place, and "
    "the play is not weaker for it.",
    "AlphaGo Zero の探索は終局までのロールアウトを行わない。ネットワークの価値がその代わりとなり、"
    "それで弱くなることはない。",
)  # fmt: skip
TRUTH = None
METHOD = Text(
    "On 4×4 (komi 1.5) a residual network (16 filters, 2 blocks) teaches itself by self-play, 120 (quick) or "
    "1,000 (full) steps of 64 positions. Then two searches of 16 simulations a move play each other with it, 60 "
    "(quick) or 200 (full) games a seed: one takes a leaf's value from the network alone, one mixes it half and "
    "half with the result of a random rollout. The interval is over games, not over trainings.",
    "4 路盤 (コミ 1.5 目) で残差ネットワーク (16 フィルター・2 ブロック) が自己対局で学習する (64 局面ずつ、120 (quick) "
    "または 1,000 (full) ステップ)。その後、同じネットワークを使う 1 手 16 回の二つの探索が、シードごとに 60 (quick) "
    "または 200 (full) 局対局する。一方は葉の評価をネットワークの価値だけで行い、他方は無作為なロールアウトの結果と"
    "半々に混ぜる。区間は対局にわたるもので、学習にわたるものではない。",
)
CONTROL = Text(
    "The network has learnt nothing: its value says nothing of who wins.",
    "ネットワークに何も学習させない。その価値は勝敗について何も語らない。",
)
RULE = Text(
    "Holds if the 95 % interval over games of the share of points without rollouts and the share of every seed "
    "lie above 40 % and the interval does not lie below one half; does not hold if the interval and the share of "
    "every seed lie below one half; otherwise undecided.",
    "ロールアウトなしの得点率について、対局にわたる 95 % 区間と各シードの値がすべて 40 % より上にあり、かつ区間全体が "
    "2 分の 1 より下でなければ成り立つ。区間と各シードの値がすべて 2 分の 1 より下なら成り立たない。"
    "それ以外は判定できない。",
)
RULE_CHANGED = TRAININGS_AGREE
SEEDS = {"quick": 2, "full": 6}
BUDGET_S = {"quick": 40.0, "full": 300.0}

SIDE, KOMI = 4, 1.5
STEPS = {"quick": 120, "full": 1000}
GAMES = {"quick": 60, "full": 200}
BATCH, LR, SIMULATIONS, LEAST = 64, 5e-3, 16, 0.4


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.sequence_training import seeded
    from shinso.games.go import Rules
    from shinso.models.go_network import GoNetwork, NetworkEvaluator
    from shinso.search.contest import NetworkMover, contest
    from shinso.search.forest import ForestConfig

    rules, games = Rules(side=SIDE, komi=KOMI), GAMES[profile]
    with seeded(seed):
        model = GoNetwork(GoNetwork.Config(filters=16, blocks=2), side=SIDE)
        scalars = {"loss": 0.0} if control else _teach_itself(model, seed, STEPS[profile])
        evaluator = NetworkEvaluator(model)
        alone, mixed = (
            NetworkMover(evaluator, ForestConfig(simulations=SIMULATIONS, mixture=share), seed)
            for share in (0.0, 0.5)
        )
        points = contest(rules, alone, mixed, games=games, seed=seed)[0]
    return {"points": points, "games": float(games), "last_loss": float(scalars["loss"])}


def _teach_itself(model: Any, seed: int, steps: int) -> dict[str, Any]:
    from shinso.experience.self_play import SelfPlay
    from shinso.games.go import Rules
    from shinso.models.go_network import NetworkEvaluator
    from shinso.objectives.policy_and_value import PolicyAndValueObjective
    from shinso.search.forest import ForestConfig
    from shinso.training.gradient import GradientLearner
    from shinso.training.plan import Training

    source = SelfPlay(
        Rules(side=SIDE, komi=KOMI),
        NetworkEvaluator(model),
        ForestConfig(simulations=8, root="gumbel", considered=4),
        games=32, batch_size=BATCH, window=4000, reuse=4.0, warm_up=500, seed=seed,
    )  # fmt: skip
    training = Training(steps=steps, lr=LR, schedule="constant", batch_size=BATCH)
    learner = GradientLearner(model, PolicyAndValueObjective(), training)
    scalars: dict[str, Any] = {}
    for _ in range(steps):
        scalars = dict(learner.step(source.next_batch()))
    return scalars


def holds(measurements: Sequence[Measurement]) -> Finding:
    from shinso.claims.go._shares import (
        beyond_at_every_seed,
        share_of_points,
        shares_by_seed,
        spoken_by_seed,
    )

    share, games = share_of_points(measurements)
    own = shares_by_seed(measurements)
    if beyond_at_every_seed(share, own) is Verdict.REFUTED:
        verdict = Verdict.REFUTED
    elif share.high >= 0.5 and beyond_at_every_seed(share, own, LEAST) is Verdict.HOLDS:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.UNDECIDED
    seeds = spoken_by_seed(own)
    return Finding(
        verdict=verdict,
        because=Text(
            f"Without rollouts the search takes {share.value:.0%} ({share.low:.0%} to {share.high:.0%}) of "
            f"the points of {games} games against the same search with them {seeds.en}.",
            f"ロールアウトなしの探索は、ロールアウトを混ぜた同じ探索との {games} 局で得点率 {share.value:.0%} "
            f"({share.low:.0%}〜{share.high:.0%}) を得る {seeds.ja}。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "points without against with rollouts, interval over games (share)",
                    "ロールアウトなしのロールアウトありに対する得点率、対局にわたる区間 (割合)",
                ),
                share,
                seeds=len(measurements),
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Share of points without rollouts, seed by seed."""
    from shinso.claims.drawing import dots
    from shinso.claims.go._shares import shares_by_seed

    axes = figure.subplots()
    dots(
        axes,
        [Text("network alone", "ネットワークのみ")],
        [shares_by_seed(measurements)],
        [shares_by_seed(controls)],
        ylabel=Text("points against half a rollout", "ロールアウト併用に対する得点率"),
    )
    axes.axhline(0.5, color="grey", linewidth=0.8)
    axes.axhline(LEAST, color="grey", linewidth=0.8, linestyle=":")
