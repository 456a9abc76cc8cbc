"""UCB1 tree search finds the exact best move of a solved board, and more simulations play better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, AlphaGo: UCB1 tree search", "4 日目 AlphaGo：UCB1 による木探索")
SAYS = Text(
    "With the UCB1 rule, Monte Carlo tree search converges to the best move, and its strength grows "
    "with the number of simulations.",
    "UCB1 を用いたモンテカルロ木探索は最善手に収束し、シミュレーション回数とともに強くなる。",
)
TRUTH = None
METHOD = Text(
    "On 3×3 with a komi of 8.5 only the centre wins for Black, who then owns all nine points. Searches "
    "of 100 to 12,800 simulations from the empty board: is the centre chosen? On 5×5 (komi 2.5, two "
    "random moves first) a search of 400 simulations a move plays 10 (quick) or 40 (full) games a "
    "seed against one of 100.",
    "3 路盤でコミ 8.5 目のとき、黒は中央に打った場合だけ全 9 点を取って勝てる。空の盤から 100〜12,800 回の"
    "シミュレーションで探索し、中央を選ぶかを調べる。さらに 5 路盤 (コミ 2.5 目、最初の 2 手は無作為) で、"
    "1 手 400 回の探索と 100 回の探索を、シードごとに 10 (quick) または 40 (full) 局対局させる。",
)
CONTROL = Text(
    "The confidence bound is taken away: after one try of each, the child with the best mean is always "
    "followed.",
    "信頼上限の項を除き、各手を 1 回ずつ試したあとは常に平均が最良の手だけを選ぶ。",
)
RULE = Text(
    "Holds if every seed chooses the centre at 12,800 simulations and the 95 % interval of the share of "
    "points for four times the simulations lies above one half; does not hold if at most half of the "
    "seeds choose it, or that interval lies below one half; otherwise undecided.",
    "すべてのシードが 12,800 回で中央を選び、かつ 4 倍の回数の探索が得た得点率の 95 % 区間が 2 分の 1 より"
    "上なら成り立つ。中央を選ぶシードが半数以下か、その区間が 2 分の 1 より下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 30.0, "full": 120.0}

COUNTS = (100, 400, 1600, 3200, 6400, 12_800)
CENTRE, MORE, LESS = 4, 400, 100
GAMES = {"quick": 10, "full": 40}
EXPLORE = 0.5


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.games.go import Position, Rules
    from shinso.search.contest import RolloutMover, contest
    from shinso.search.rollout_search import RolloutSearch

    explore = 0.0 if control else EXPLORE
    start = Position.start(Rules(side=3, komi=8.5))
    values, chosen = [], []
    for count in COUNTS:
        config = RolloutSearch.Config(
            simulations=count, explore=explore, expand_after=1, fill_eyes=True, nodes=200_000
        )
        found = RolloutSearch(config, seed=seed + 1).search(start)
        chosen.append(float(found.best == CENTRE))
        values.append(float(found.values[CENTRE]))

    def mover(simulations: int, number: int) -> RolloutMover:
        config = RolloutSearch.Config(
            simulations=simulations, explore=explore, expand_after=1, nodes=20_000
        )
        return RolloutMover(simulations, number, config)

    games = GAMES[profile]
    points, _ = contest(
        Rules(side=5, komi=2.5),
        mover(MORE, seed + 1),
        mover(LESS, seed + 101),
        games=games,
        seed=seed,
    )
    return {
        "centre_at_last": chosen[-1],
        "points": points,
        "games": float(games),
        "chosen": chosen,
        "value_of_centre": values,
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    from shinso.claims.go._shares import share_of_points

    found = column(measurements, "centre_at_last")
    share, games = share_of_points(measurements)
    right = sum(found)
    if right == len(found) and share.low > 0.5:
        verdict = Verdict.HOLDS
    elif right <= len(found) / 2 or share.high < 0.5:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    return Finding(
        verdict=verdict,
        because=Text(
            f"{right:.0f} of {len(found)} seeds choose the centre at {COUNTS[-1]:,} simulations; four "
            f"times the simulations take {share.value:.0%} ({share.low:.0%} to {share.high:.0%}) of the points of "
            f"{games} games.",
            f"{COUNTS[-1]:,} 回のとき、{len(found)} シードのうち {right:.0f} シードが中央を選ぶ。4 倍の回数の探索は "
            f"{games} 局で得点率 {share.value:.0%} ({share.low:.0%}〜{share.high:.0%}) を得る。",
        ),
        estimates=(
            intervals.estimate(
                Text("seeds that choose the centre (share)", "中央を選ぶシード (割合)"),
                intervals.proportion(int(right), len(found)),
                seeds=len(found),
            ),
            intervals.estimate(
                Text(
                    "points of 4× simulations, interval over games (share)",
                    "4 倍の回数の探索の得点率、対局にわたる区間 (割合)",
                ),
                share,
                seeds=len(found),
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """How many seeds choose the centre as simulations grow, and the points of four times as many."""
    from shinso.claims.drawing import curves, dots
    from shinso.claims.go._shares import shares_by_seed

    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    left.set_xscale("log")
    curves(
        left,
        list(COUNTS),
        *(
            [[sum(each) / len(side) for each in zip(*(curve(one, "chosen") for one in side), strict=True)]]
            if side
            else []
            for side in (measurements, controls)
        ),
        xlabel=Text("simulations", "シミュレーション回数"),
        ylabel=Text("seeds that choose the centre (share)", "中央を選ぶシードの割合"),
    )  # fmt: skip
    left.set_ylim(-0.05, 1.05)
    dots(
        right,
        [Text("4× simulations", "4 倍の回数")],
        [shares_by_seed(measurements)],
        [shares_by_seed(controls)],
        ylabel=Text("points against 1× (share)", "元の回数に対する得点率"),
    )
    if repeated := right.get_legend():
        repeated.remove()
    right.axhline(0.5, color="grey", linewidth=0.8)
    right.set_ylim(-0.05, 1.05)
