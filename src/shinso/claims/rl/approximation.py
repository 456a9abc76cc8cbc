"""Where a table is out of reach, an approximator learns with a bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, reinforcement learning: function approximation", "4 日目 強化学習：関数近似")
SAYS = Text(
    "A table needs an entry for every state. Where states are too many, or continuous, a function of few "
    "parameters approximates the values, and the agent still learns.",
    "表は状態ごとに値を必要とする。状態が多すぎる、または連続である場合は、少ないパラメータの関数で価値を近似すれば、"
    "エージェントは学習できる。",
)
TRUTH = None
METHOD = Text(
    "The mountain car: position and speed are continuous, each step costs 1, an episode ends at the top or after "
    "1,000 steps. SARSA(λ) on 8 tilings of 8 × 8 tiles with 1,024 weights an action learns for 60 (quick) or 200 "
    "(full) episodes. Steps of the last 20 episodes; states met, and how many of them were met only once.",
    "マウンテンカー。位置と速度は連続で、1 ステップごとに −1、頂上または 1,000 ステップでエピソードが終わる。"
    "8 × 8 のタイル 8 枚、行動ごとに 1,024 個の重みをもつ SARSA(λ) が 60 (quick) または 200 (full) エピソード学習する。"
    "最後の 20 エピソードの歩数、出会った状態の数、一度しか出会わなかった状態の割合を測る。",
)
CONTROL = Text(
    "Nothing is shared between states: every distinct state has features of its own, as in a table, in the same memory.",
    "状態間の共有をなくす。表のように、異なる状態はそれぞれ別の特徴をもつ (メモリ量は同じ)。",
)
RULE = Text(
    "Holds if the 95 % interval of the mean steps of the last 20 episodes lies below 250 and more distinct states than "
    "weights were met at every seed; does not hold if it lies above 250; otherwise undecided.",
    "最後の 20 エピソードの平均歩数の 95 % 区間が 250 より下で、かつすべてのシードで重みの数より多くの異なる状態に"
    "出会っていれば成り立つ。区間が 250 より上なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 30.0, "full": 200.0}

EPISODES = {"quick": 60, "full": 200}
LONGEST, LAST, ENOUGH = 1000, 20, 250.0
TILINGS, TILES, MEMORY, LAMBDA, ALPHA = 8, 8, 1024, 0.9, 0.3
FINE = 1 << 40
"""Tiles along an observation in the control: no two different states fall into one."""


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    rng = np.random.default_rng(seed)
    weights = np.zeros((3, MEMORY))
    tiles, met = FINE if control else TILES, {}
    steps = [_episode_steps(weights, rng, tiles, met) for _episode in range(EPISODES[profile])]
    return {
        "steps_last": float(np.mean(steps[-LAST:])),
        "states_met": float(len(met)),
        "met_once_share": sum(count == 1 for count in met.values()) / len(met),
        "weights": float(weights.size),
        "steps": [float(one) for one in steps],
    }


def _episode_steps(weights, rng, tiles: int, met: dict[tuple[float, float], int]) -> int:
    """One episode of SARSA(λ), without random actions: values begin too high, which explores enough."""
    import numpy as np

    from shinso.nn.kernels.features_numba import features
    from shinso.objectives.linear_values_numba import SARSA, learn_step, values_of

    low, span, none = np.array([-1.2, -0.07]), np.array([1.8, 0.14]), np.zeros((0, 2))
    step_sizes = np.full(MEMORY, ALPHA / TILINGS)
    traces = np.zeros_like(weights)
    before, after = (
        (np.empty(TILINGS, np.int64), np.empty(TILINGS), np.empty(3)) for _side in range(2)
    )
    position, speed = float(rng.uniform(-0.6, -0.4)), 0.0

    def look(into) -> int:
        features(np.array([position, speed]), low, span, tiles, MEMORY, none, *into[:2])
        values_of(weights, *into)
        return int(rng.choice(np.flatnonzero(into[2] == into[2].max())))

    action = look(before)
    for step in range(1, LONGEST + 1):
        met[(position, speed)] = met.get((position, speed), 0) + 1
        # Moore 1990, in the form of Sutton & Barto 2018, section 10.1.
        speed += 0.001 * (action - 1) - 0.0025 * math.cos(3 * position)
        speed = min(max(speed, -0.07), 0.07)
        position = max(position + speed, -1.2)
        if position == -1.2:
            speed = 0.0
        top = position >= 0.5
        following = look(after)
        learn_step(
            weights, traces, step_sizes, *before[:2], action, -1.0, before[2], after[2], following,
            top, top, SARSA, 0.0, 1.0, LAMBDA,
        )  # fmt: skip
        if top:
            return step
        look(before)
        action = following
    return LONGEST


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    steps = intervals.mean(column(measurements, "steps_last"))
    met, once = column(measurements, "states_met"), column(measurements, "met_once_share")
    more = all(
        states > weights
        for states, weights in zip(met, column(measurements, "weights"), strict=True)
    )
    if steps.high < ENOUGH and more:
        verdict = Verdict.HOLDS
    elif steps.low > ENOUGH:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    states, share = intervals.mean(met), intervals.mean(once)
    return Finding(
        verdict=verdict,
        because=Text(
            f"The last 20 episodes take {steps.value:.0f} steps ({steps.low:.0f} to {steps.high:.0f}). "
            f"{states.value:,.0f} distinct states were met, {share.value:.1%} of them once only; the memory holds "
            f"{3 * MEMORY:,} weights.",
            f"最後の 20 エピソードは {steps.value:.0f} 歩 ({steps.low:.0f}〜{steps.high:.0f}) である。出会った異なる状態は "
            f"{states.value:,.0f} 個で、そのうち {share.value:.1%} には一度しか出会っていない。重みは {3 * MEMORY:,} 個である。",
        ),
        estimates=(
            intervals.estimate(
                Text("steps of the last 20 episodes (steps)", "最後の 20 エピソードの歩数 (歩)"),
                steps,
                seeds=seeds,
            ),
            intervals.estimate(
                Text("distinct states met (count)", "出会った異なる状態 (個)"), states, seeds=seeds
            ),
            intervals.estimate(
                Text("states met once only (share)", "一度しか出会わなかった状態 (割合)"),
                share,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Steps of each episode."""
    from shinso.claims.drawing import curves

    axes = figure.subplots()
    longest = max((len(curve(m, "steps")) for m in [*measurements, *controls]), default=0)
    curves(
        axes,
        [float(number) for number in range(1, longest + 1)],
        [curve(m, "steps") for m in measurements],
        [curve(m, "steps") for m in controls],
        xlabel=Text("episode", "エピソード"),
        ylabel=Text("steps to the top", "頂上までの歩数"),
    )
    axes.set_yscale("log")
