"""The policy that went on learning by playing beats the one that learnt from records alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.go._shares import TRAININGS_AGREE
from shinso.claims.measured import curve
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, AlphaGo: RL policy network", "4 日目 AlphaGo：RL 方策ネットワーク")
SAYS = Text(
    "Reinforcement learning by playing makes the policy learnt from records stronger: head to head it "
    "beats the supervised policy.",
    "棋譜から学習した方策は、対局による強化学習でさらに強くなり、教師あり学習だけの方策に勝ち越す。",
)
TRUTH = None
METHOD = Text(
    "On 7×7 (komi 9) a convolutional policy (16 filters, 2 layers) learns the moves of 240 bundled games in 80 "
    "(quick) or 600 (full) steps. A copy goes on by REINFORCE against a pool of earlier selves, 8 (quick) or 60 "
    "(full) steps of 48 games. Both then draw their moves by their chances in games of both colours, 60 (quick) "
    "or 200 (full) a seed; a pass only where nothing else is left, or in answer to a pass. The interval is over "
    "games, not over trainings.",
    "7 路盤 (コミ 9 目) で、16 フィルター・2 層の畳み込み方策が同梱の 240 局の着手を 80 (quick) または 600 (full) "
    "ステップで学習する。その複製は、過去の自分のプールを相手に REINFORCE で学習を続ける (48 局ずつ、8 (quick) または "
    "60 (full) ステップ)。その後、両者が確率に従って着手し、両方の手番で、シードごとに 60 (quick) または 200 (full) 局"
    "対局する。パスは他に打つ所がないときか、相手のパスへの応手に限る。区間は対局にわたるもので、学習にわたるものではない。",
)
CONTROL = Text(
    "Who won is taken away: the credit of a batch is dealt out among all its moves at random.",
    "勝敗の情報を除き、バッチ内の評価をすべての着手に無作為に配る。",
)
RULE = Text(
    "Holds if the 95 % interval over games of the RL policy's share of points and the share of every seed lie "
    "above one half; does not hold if all lie below; otherwise undecided.",
    "RL 方策の得点率について、対局にわたる 95 % 区間と各シードの値がすべて 2 分の 1 より上なら成り立つ。"
    "すべて下なら成り立たない。それ以外は判定できない。",
)
RULE_CHANGED = TRAININGS_AGREE
SEEDS = {"quick": 2, "full": 5}
BUDGET_S = {"quick": 30.0, "full": 240.0}

LEARNT = {"quick": 80, "full": 600}
STEPS = {"quick": 8, "full": 60}
GAMES = {"quick": 60, "full": 200}
BATCH_GAMES, SNAPSHOT_EVERY = 48, 4


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.go._policies import RULES, improved, learnt_policy
    from shinso.claims.sequence_training import seeded
    from shinso.experience.policy_games import points_against

    with seeded(seed) as generator:
        start = learnt_policy(seed, steps=LEARNT[profile])
        better, shares = improved(
            start, seed, steps=STEPS[profile], games=BATCH_GAMES, snapshot_every=SNAPSHOT_EVERY,
            generator=generator if control else None,
        )  # fmt: skip
        games = GAMES[profile]
        points = points_against(RULES, better, start, games, seed)
    return {"points": points, "games": float(games), "share_in_training": shares}


def holds(measurements: Sequence[Measurement]) -> Finding:
    from shinso.claims.go._shares import (
        beyond_at_every_seed,
        share_of_points,
        shares_by_seed,
        spoken_by_seed,
    )

    share, games = share_of_points(measurements)
    own = shares_by_seed(measurements)
    seeds = spoken_by_seed(own)
    return Finding(
        verdict=beyond_at_every_seed(share, own),
        because=Text(
            f"The RL policy takes {share.value:.0%} ({share.low:.0%} to {share.high:.0%}) of the points of "
            f"{games} games against the SL policy {seeds.en}.",
            f"RL 方策は SL 方策との {games} 局で得点率 {share.value:.0%} ({share.low:.0%}〜{share.high:.0%}) "
            f"を得る {seeds.ja}。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "points of the RL against the SL policy, interval over games (share)",
                    "RL 方策の SL 方策に対する得点率、対局にわたる区間 (割合)",
                ),
                share,
                seeds=len(measurements),
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Share of points against the SL policy, and against the pool step by step."""
    from shinso.claims.drawing import curves, dots
    from shinso.claims.go._shares import shares_by_seed

    left, right = figure.subplots(1, 2, width_ratios=(1, 2))
    dots(
        left,
        [Text("after learning", "学習後")],
        [shares_by_seed(measurements)],
        [shares_by_seed(controls)],
        ylabel=Text("points against the SL policy", "SL 方策に対する得点率"),
    )
    if repeated := left.get_legend():
        repeated.remove()
    left.axhline(0.5, color="grey", linewidth=0.8)
    left.set_ylim(0, 1)
    curves(
        right,
        list(range(1, len(curve(measurements[0], "share_in_training")) + 1)),
        [curve(one, "share_in_training") for one in measurements],
        [curve(one, "share_in_training") for one in controls],
        xlabel=Text("step of REINFORCE", "REINFORCE のステップ"),
        ylabel=Text("points against the pool", "プールの相手に対する得点率"),
    )
    right.set_ylim(0, 1)
