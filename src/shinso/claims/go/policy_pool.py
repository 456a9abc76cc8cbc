"""A pool of earlier opponents makes a stronger policy than the latest opponent alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, AlphaGo: pool of opponents", "4 日目 AlphaGo:対戦相手のプール")
SAYS = Text(
    "Playing against randomly chosen earlier policies, and not only against the current one, keeps the "
    "policy from overfitting to its opponent and makes it stronger.",
    "最新の方策だけでなく、過去の方策から無作為に選んだ相手と対局することで、相手への過適合を防ぎ、方策が強くなる。",
)
TRUTH = None
METHOD = Text(
    "On 7×7 (komi 9) a small policy learns the moves of 240 bundled games. Two copies go on by REINFORCE, "
    "equally long: one against a pool to which it is added every 2 steps, one against itself as it is. "
    "Then the two play each other, and each plays the policy they began as.",
    "7 路盤 (コミ 9 目) で小さな方策が同梱の 240 局の着手を学習する。二つの複製が同じ長さだけ REINFORCE で学習を"
    "続ける。一方の相手は 2 ステップごとに自分を加えるプール、他方の相手は常にそのときの自分である。その後、両者が"
    "互いに、また出発点の方策とも対局する。",
)
CONTROL = Text(
    "The pool is taken away: both copies play against themselves as they are, with other games.",
    "プールを除く。どちらの複製も常にそのときの自分と対局する (対局の乱数は異なる)。",
)
RULE = Text(
    "Holds if the 95 % interval of the share of points of the policy with the pool, against the one "
    "without, lies above one half; does not hold if it lies below; otherwise undecided.",
    "プールで学習した方策の、プールなしの方策に対する得点率の 95 % 区間が 2 分の 1 より上なら成り立つ。"
    "下なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 2, "full": 6}
BUDGET_S = {"quick": 40.0, "full": 300.0}

LEARNT = {"quick": 80, "full": 400}
STEPS = {"quick": 8, "full": 60}
GAMES = {"quick": 60, "full": 200}
BATCH_GAMES, SNAPSHOT_EVERY = 32, 2


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.go._policies import RULES, Rivals, improved, learnt_policy
    from shinso.claims.sequence_training import seeded
    from shinso.experience.policy_games import points_against

    games, steps = GAMES[profile], STEPS[profile]
    first: Rivals = "latest" if control else "pool"
    arms: tuple[tuple[int, Rivals], ...] = ((0, first), (1000, "latest"))
    with seeded(seed):
        start = learnt_policy(seed, steps=LEARNT[profile])
        pooled, latest = (
            improved(
                start, seed + number, steps=steps, games=BATCH_GAMES,
                snapshot_every=SNAPSHOT_EVERY, rivals=rivals,
            )[0]
            for number, rivals in arms
        )  # fmt: skip
        return {
            "points": points_against(RULES, pooled, latest, games, seed),
            "games": float(games),
            "pooled_against_start_share": points_against(RULES, pooled, start, games, seed) / games,
            "latest_against_start_share": points_against(RULES, latest, start, games, seed) / games,
        }


def holds(measurements: Sequence[Measurement]) -> Finding:
    from shinso.claims.go._policies import beyond_half, share_of_points

    share, games = share_of_points(measurements)
    starts = [
        sum(column(measurements, f"{name}_against_start_share")) / len(measurements)
        for name in ("pooled", "latest")
    ]
    return Finding(
        verdict=beyond_half(share),
        because=Text(
            f"The policy with the pool takes {share.value:.0%} ({share.low:.0%} to {share.high:.0%}) of the "
            f"points of {games} games against the one without; against the policy they began as they take "
            f"{starts[0]:.0%} and {starts[1]:.0%}.",
            f"プールで学習した方策は、プールなしの方策との {games} 局で得点率 {share.value:.0%} "
            f"({share.low:.0%}〜{share.high:.0%}) を得る。出発点の方策に対してはそれぞれ {starts[0]:.0%}、"
            f"{starts[1]:.0%} である。",
        ),
        estimates=(
            intervals.estimate(
                "points of the pool against the latest opponent (share)",
                share,
                seeds=len(measurements),
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Share of points of both policies against the start, and against each other."""
    from shinso.claims.drawing import dots

    names = (
        Text("pool against start", "プール対出発点"),
        Text("latest against start", "最新対出発点"),
    )
    keys = ("pooled_against_start_share", "latest_against_start_share")
    dots(
        figure.subplots(),
        names,
        [column(measurements, key) for key in keys],
        [column(controls, key) for key in keys],
        ylabel=Text("share of points", "得点率"),
    )
