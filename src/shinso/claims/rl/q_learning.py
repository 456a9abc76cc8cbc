"""Q-learning converges to the optimal values, which value iteration computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, curve, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, reinforcement learning: Q-learning", "4 日目 強化学習：Q 学習")
SAYS = Text(
    "Q-learning, which replaces the value of a state and action by the reward and the best value that "
    "follows, converges to the optimal action values Q*.",
    "状態と行動の価値を「報酬と次の状態の最大の価値」へ近づける Q 学習は、最適行動価値 Q* に収束する。",
)
TRUTH = Text(
    "It does if every action is tried in every state again and again and the step sizes fall as the "
    "theorem asks (Watkins & Dayan 1992); with a constant step size the values keep fluctuating.",
    "すべての状態ですべての行動が繰り返し試され、学習率が定理の条件どおりに減衰するときに収束する "
    "(Watkins & Dayan 1992)。学習率が一定だと、値は揺らぎ続ける。",
)
METHOD = Text(
    "A random world of 30 states, 3 actions and 3 outcomes each (γ = 0.9). Actions are drawn at random; "
    "α falls as 11/(10 + n) with the visits n. After 3 million steps (quick) or 30 million (full), max |Q − Q*|, "
    "divided by max |Q*|; Q* by value iteration.",
    "30 状態、3 行動、各 3 通りの結果をもつランダムな世界 (γ = 0.9)。行動はランダムに選び、α は訪問回数 n に"
    "対し 11/(10 + n) で減衰させる。300 万 (quick) または 3,000 万 (full) ステップ後の max |Q − Q*| を max |Q*| "
    "で割った値を求める。Q* は価値反復による。",
)
CONTROL = Text(
    "The maximum is taken away: the value of the action that really follows is used (SARSA), with the "
    "same random actions.",
    "最大値をとるのをやめ、実際に次にとる行動の価値を使う (SARSA)。行動は同じくランダムに選ぶ。",
)
RULE = Text(
    "Holds if at every seed the largest deviation is at most 0.05 of max |Q*|; does not hold otherwise; "
    "undecided if a number is not finite.",
    "すべてのシードで最大のずれが max |Q*| の 0.05 以下なら成り立つ。そうでなければ成り立たない。"
    "有限でない数があれば判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 15.0, "full": 150.0}

STATES, ACTIONS, OUTCOMES, GAMMA = 30, 3, 3, 0.9
STEPS = {"quick": 3_000_000, "full": 30_000_000}
LOOKS = 12
BOUNDS = (
    Bound(
        of="deviation_rel",
        name=Text("largest deviation |Q − Q*| / max |Q*|", "最大のずれ |Q − Q*| / max |Q*|"),
        most=0.05,
    ),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    from shinso.claims.acting_worlds import TableAgent, random_world

    world = random_world(seed, STATES, ACTIONS, OUTCOMES)
    optimal = world.optimal(GAMMA)
    where = world.reachable()
    agent = TableAgent(
        world, seed, method="sarsa" if control else "q-learning", epsilon=1.0, gamma=GAMMA, alpha=1.0,
        alpha_power=1.0, alpha_horizon=10.0,
    )  # fmt: skip
    steps = np.unique(np.geomspace(1000, STEPS[profile], LOOKS).astype(int))
    deviations, done = [], 0
    for step in steps.tolist():
        agent.live(step - done)
        done = step
        apart = np.abs(agent.q - optimal)[where].max()
        deviations.append(float(apart / np.abs(optimal[where]).max()))
    return {
        "deviation_rel": deviations[-1],
        "deviations_rel": deviations,
        "steps": steps.astype(float).tolist(),
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The largest deviation over the steps, both axes logarithmic."""
    from shinso.claims.drawing import curves

    axes = figure.subplots()
    curves(
        axes,
        curve(measurements[0], "steps") if measurements else [],
        [curve(m, "deviations_rel") for m in measurements],
        [curve(m, "deviations_rel") for m in controls],
        xlabel=Text("steps", "ステップ"),
        ylabel=Text("largest deviation |Q − Q*| / max |Q*|", "最大のずれ |Q − Q*| / max |Q*|"),
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.axhline(BOUNDS[0].most, color="0.4", linewidth=0.8)
