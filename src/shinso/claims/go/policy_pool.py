"""A pool of earlier opponents makes a stronger policy than the latest opponent alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals, measured
from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.go._shares import TRAININGS_AGREE
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, AlphaGo: pool of opponents", "4 日目 AlphaGo：対戦相手のプール")
SAYS = Text(
    "Playing against randomly chosen earlier policies, and not only against the current one, keeps the "
    "policy from overfitting to its opponent and makes it stronger.",
    "最新の方策だけでなく、過去の方策から無作為に選んだ相手と対局することで、相手への過適合を防ぎ、方策が強くなる。",
)
TRUTH = None
METHOD = Text(
    "On 7×7 (komi 9) a small policy learns the moves of 240 bundled games in 80 (quick) or 400 (full) steps. "
    "Two copies go on by REINFORCE, equally long, 8 (quick) or 60 (full) steps of 32 games: one against a pool "
    "to which it is added every 2 steps, one against itself as it is. Then the two play each other, and each "
    "plays the policy they began as, 60 (quick) or 200 (full) games a seed. The interval is over games, not "
    "over trainings.",
    "7 路盤 (コミ 9 目) で小さな方策が同梱の 240 局の着手を 80 (quick) または 400 (full) ステップで学習する。二つの"
    "複製が同じ長さだけ REINFORCE で学習を続ける (32 局ずつ、8 (quick) または 60 (full) ステップ)。一方の相手は 2 "
    "ステップごとに自分を加えるプール、他方の相手は常にそのときの自分である。その後、両者が互いに、また出発点の方策とも、"
    "シードごとに 60 (quick) または 200 (full) 局ずつ対局する。区間は対局にわたるもので、学習にわたるものではない。",
)
CONTROL = Text(
    "The pool is taken away: both copies play against themselves as they are, with other games.",
    "プールを除く。どちらの複製も常にそのときの自分と対局する (対局の乱数は異なる)。",
)
RULE = Text(
    "Holds if the 95 % interval over games of the share of points of the policy with the pool, against the one "
    "without, and the share of every seed lie above one half; does not hold if all lie below; otherwise "
    "undecided.",
    "プールで学習した方策の、プールなしの方策に対する得点率について、対局にわたる 95 % 区間と各シードの値がすべて "
    "2 分の 1 より上なら成り立つ。すべて下なら成り立たない。それ以外は判定できない。",
)
RULE_CHANGED = TRAININGS_AGREE
SEEDS = {"quick": 2, "full": 6}
BUDGET_S = {"quick": 40.0, "full": 300.0}

LEARNT = {"quick": 80, "full": 400}
STEPS = {"quick": 8, "full": 60}
GAMES = {"quick": 60, "full": 200}
BATCH_GAMES, SNAPSHOT_EVERY = 32, 2
AGAINST_START = {
    "pooled_against_start_share": Text(
        "points with the pool against the start (share)", "プールありの出発点に対する得点率 (割合)"
    ),
    "latest_against_start_share": Text(
        "points without the pool against the start (share)",
        "プールなしの出発点に対する得点率 (割合)",
    ),
}


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
    from shinso.claims.go._shares import (
        beyond_at_every_seed,
        share_of_points,
        shares_by_seed,
        spoken_by_seed,
    )

    share, games = share_of_points(measurements)
    own = shares_by_seed(measurements)
    starts = {key: measured.share(column(measurements, key)) for key in AGAINST_START}
    pooled, latest = (found.value for found in starts.values())
    seeds = spoken_by_seed(own)
    return Finding(
        verdict=beyond_at_every_seed(share, own),
        because=Text(
            f"The policy with the pool takes {share.value:.0%} ({share.low:.0%} to {share.high:.0%}) of the "
            f"points of {games} games against the one without {seeds.en}; against the policy they "
            f"began as they take {pooled:.0%} and {latest:.0%}.",
            f"プールで学習した方策は、プールなしの方策との {games} 局で得点率 {share.value:.0%} "
            f"({share.low:.0%}〜{share.high:.0%}) を得る {seeds.ja}。出発点の方策に"
            f"対する得点率は、プールありが {pooled:.0%}、プールなしが {latest:.0%} である。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "points with the pool against without, interval over games (share)",
                    "プールありのプールなしに対する得点率、対局にわたる区間 (割合)",
                ),
                share,
                seeds=len(measurements),
            ),
            *(
                intervals.estimate(AGAINST_START[key], found, seeds=len(measurements))
                for key, found in starts.items()
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Share of points of both policies against each other, and of each against the start."""
    from shinso.claims.drawing import dots
    from shinso.claims.go._shares import shares_by_seed

    axes = figure.subplots()
    dots(
        axes,
        (
            Text("pool against\nno pool", "プールあり 対 なし"),
            Text("pool against\nstart", "プールあり 対 出発点"),
            Text("no pool against\nstart", "プールなし 対 出発点"),
        ),
        *(
            [shares_by_seed(side), *(column(side, key) for key in AGAINST_START)]
            for side in (measurements, controls)
        ),
        ylabel=Text("share of points", "得点率"),
    )
    axes.axhline(0.5, color="grey", linewidth=0.8)
