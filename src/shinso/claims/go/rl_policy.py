"""The policy that went on learning by playing beats the one that learnt from records alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import curve
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, AlphaGo: RL policy network", "4 日目 AlphaGo:RL 方策ネットワーク")
SAYS = Text(
    "Reinforcement learning by playing makes the policy learnt from records stronger: head to head it "
    "beats the supervised policy.",
    "棋譜から学習した方策は、対局による強化学習でさらに強くなり、教師あり学習だけの方策に勝ち越す。",
)
TRUTH = None
METHOD = Text(
    "On 7×7 (komi 9) a convolutional policy (16 filters, 2 layers) learns the moves of 240 bundled games. "
    "A copy goes on by REINFORCE against a pool of earlier selves, 48 games a step. Both then draw their "
    "moves by their chances in games of both colours; a pass only where nothing else is left, or in "
    "answer to a pass.",
    "7 路盤 (コミ 9 目) で、16 フィルター・2 層の畳み込み方策が同梱の 240 局の着手を学習する。その複製は、過去の"
    "自分のプールを相手に REINFORCE で学習を続ける (1 ステップ 48 局)。その後、両者が確率に従って着手し、両方の"
    "手番で対局する。パスは他に打つ所がないときか、相手のパスへの応手に限る。",
)
CONTROL = Text(
    "Who won is taken away: the credit of a batch is dealt out among all its moves at random.",
    "勝敗の情報を除き、バッチ内の評価をすべての着手に無作為に配る。",
)
RULE = Text(
    "Holds if the 95 % interval of the RL policy's share of points lies above one half; does not hold if "
    "it lies below; otherwise undecided.",
    "RL 方策の得点率の 95 % 区間が 2 分の 1 より上なら成り立つ。下なら成り立たない。それ以外は判定できない。",
)
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
    from shinso.claims.go._policies import beyond_half, share_of_points

    share, games = share_of_points(measurements)
    return Finding(
        verdict=beyond_half(share),
        because=Text(
            f"The RL policy takes {share.value:.0%} ({share.low:.0%} to {share.high:.0%}) of the points of "
            f"{games} games against the SL policy.",
            f"RL 方策は SL 方策との {games} 局で得点率 {share.value:.0%} ({share.low:.0%}〜{share.high:.0%}) "
            "を得る。",
        ),
        estimates=(
            intervals.estimate(
                "points of the RL against the SL policy (share)", share, seeds=len(measurements)
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Share of points against the pool, step by step."""
    from shinso.claims.drawing import curves

    curves(
        figure.subplots(),
        list(range(1, len(curve(measurements[0], "share_in_training")) + 1)),
        [curve(one, "share_in_training") for one in measurements],
        [curve(one, "share_in_training") for one in controls],
        xlabel=Text("step of REINFORCE", "REINFORCE のステップ"),
        ylabel=Text("points against the pool", "プールの相手に対する得点率"),
    )
