"""Without exploration an agent stays with the first reward that it found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, share
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, reinforcement learning: exploration", "4 日目 強化学習：探索")
SAYS = Text(
    "An agent that only exploits what it knows stays with the first reward it found; one that explores "
    "too finds the best.",
    "既知の行動だけを利用するエージェントは、最初に見つけた報酬にとどまる。探索もすれば、最良の報酬を"
    "見つけられる。",
)
TRUTH = Text(
    "It is so where one choice brings the reward. Where a reward is several steps away, one-step Q-learning "
    "carries its value back one step an episode; until it has reached the start, an agent that does not explore "
    "still wanders among equal values, and may end with another reward, the nearest rather than the best.",
    "一度の選択で報酬が得られるときはそのとおりである。報酬が数ステップ先にあると、1 ステップの Q 学習では価値が "
    "1 エピソードに 1 歩ずつしか伝わらない。スタートに届くまでは、探索しないエージェントも同じ価値の間をさまよい、"
    "最良ではなく最も近い別の報酬に落ち着くことがある。",
)
METHOD = Text(
    "A bandit of 10 actions that pay 1 to 10, in an order by lot. At each seed 100 Q-learning agents that always take "
    "the best known action, one of equal ones by lot, and 100 with a share of 0.2 random actions, choose 2,000 times. "
    "Recorded: what the first choice paid, and what the action pays that the final table prefers.",
    "1 から 10 を支払う 10 個の行動をくじで並べたバンディット。シードごとに、常に既知の最善の行動をとる (同値ならくじで選ぶ) "
    "Q 学習エージェント 100 体と、確率 0.2 でランダムに行動する 100 体が 2,000 回選択する。最初の選択の報酬と、"
    "最終的な表が選ぶ行動の報酬を記録する。",
)
CONTROL = Text(
    "The agents that never explored explore as well.",
    "探索しなかったエージェントにも探索させる。",
)
RULE = Text(
    "Holds if the 95 % interval of the share of agents without exploration that end with the reward they "
    "found first lies above 0.95, and that of exploring agents that end with the best reward above 0.9; "
    "does not hold if either lies below; otherwise undecided.",
    "探索しないエージェントのうち最初に見つけた報酬にとどまる割合の 95 % 区間が 0.95 より上にあり、かつ探索する"
    "エージェントのうち最良の報酬に至る割合の区間が 0.9 より上にあれば成り立つ。どちらかが下にあれば成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 5, "full": 20}
BUDGET_S = {"quick": 15.0, "full": 60.0}

ARMS, BEST = 10, 10.0
AGENTS, CHOICES, SHARE = 100, 2000, 0.2
STAYS, FINDS = 0.95, 0.9


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    alone = [_life(seed, number, SHARE if control else 0.0) for number in range(AGENTS)]
    exploring = [_life(seed, AGENTS + number, SHARE) for number in range(AGENTS)]
    return {
        "stays_share": sum(first == last for first, last in alone) / AGENTS,
        "better_share_alone": sum(last == BEST for _first, last in alone) / AGENTS,
        "better_share_exploring": sum(last == BEST for _first, last in exploring) / AGENTS,
    }


def _life(seed: int, number: int, epsilon: float) -> tuple[float, float]:
    """What the first choice paid, and what the choice pays that the final table prefers."""
    import numpy as np

    from shinso.claims.acting_worlds import TableAgent, bandit

    rewards = np.random.default_rng([seed, number]).permutation(ARMS) + 1.0
    agent = TableAgent(bandit(rewards.tolist()), seed * 1000 + number, epsilon=epsilon)
    agent.live(1)
    first = float(agent.totals[2])
    agent.live(CHOICES - 1)
    return first, float(rewards[agent.q[0].argmax()])


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    stays = share(column(measurements, "stays_share"))
    finds = share(column(measurements, "better_share_exploring"))
    alone = share(column(measurements, "better_share_alone"))
    if stays.low > STAYS and finds.low > FINDS:
        verdict = Verdict.HOLDS
    elif stays.high < STAYS or finds.high < FINDS:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    return Finding(
        verdict=verdict,
        because=Text(
            f"Of the group without exploration {stays.value:.1%} end with the reward they found first, and "
            f"{alone.value:.1%} with the best; of the exploring group {finds.value:.1%} do.",
            f"探索しない群では {stays.value:.1%} が最初に見つけた報酬にとどまり、最良の報酬に至ったのは "
            f"{alone.value:.1%} である。探索する群では {finds.value:.1%} が最良の報酬に至った。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "without exploration: stay with the first reward (share)",
                    "探索しない群：最初の報酬にとどまる (割合)",
                ),
                stays,
                seeds=seeds,
            ),
            intervals.estimate(
                Text(
                    "without exploration: end with the best reward (share)",
                    "探索しない群：最良の報酬に至る (割合)",
                ),
                alone,
                seeds=seeds,
            ),
            intervals.estimate(
                Text(
                    "exploring: end with the best reward (share)",
                    "探索する群：最良の報酬に至る (割合)",
                ),
                finds,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The three shares at every seed."""
    from shinso.claims.drawing import dots

    names = ["stays_share", "better_share_alone", "better_share_exploring"]
    dots(
        figure.subplots(),
        [
            Text("no exploration:\nstays with the first", "探索しない群：\n最初の報酬にとどまる"),
            Text("no exploration:\nfinds the best", "探索しない群：\n最良の報酬に至る"),
            Text("exploring:\nfinds the best", "探索する群：\n最良の報酬に至る"),
        ],
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text("share of 100 agents", "100 体中の割合"),
    )
