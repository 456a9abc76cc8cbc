"""V(s) = Σ π(a|s) Q(s,a): the value of a state is the mean value of what the policy does there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, curve, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.experience.transition_table import TransitionTable

PLACE = Text("Day 4, reinforcement learning: value functions", "4 日目 強化学習：価値関数")
SAYS = Text(
    "The state value is the mean of the action values under the policy: V(s) = Σ π(a|s) Q(s,a).",
    "状態価値は、方策による行動価値の平均である：V(s) = Σ π(a|s) Q(s,a)。",
)
TRUTH = None
METHOD = Text(
    "A random world of 20 states and 4 actions with a random policy (γ = 0.9). Q is solved from its own "
    "equations over states and actions. Σ π Q is compared with V solved from the equations over states, and "
    "with the mean return of 4,000 (quick) or 40,000 (full) simulated episodes from every state, in standard errors.",
    "20 状態、4 行動のランダムな世界とランダムな方策 (γ = 0.9)。Q は状態と行動についての方程式を解いて求める。"
    "Σ π Q を、状態についての方程式から解いた V、および各状態から 4,000 (quick) または 40,000 (full) 回の"
    "シミュレーションで得た平均収益と、標準誤差を単位として比べる。",
)
CONTROL = Text(
    "Every action weighs the same: the policy's probabilities are left out of the sum.",
    "すべての行動を同じ重みで足し、方策の確率を使わない。",
)
RULE = Text(
    "Holds if at every seed the exact deviation is at most 1e-9 and the root mean square over states of the "
    "deviation from simulation at most 1.7 standard errors (20 states; 1 is expected); does not hold otherwise.",
    "すべてのシードで、厳密なずれが 1e-9 以下、かつシミュレーションとのずれの状態についての二乗平均平方根が "
    "1.7 標準誤差以下 (20 状態、期待値は 1) なら成り立つ。そうでなければ成り立たない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 10.0, "full": 120.0}

STATES, ACTIONS, OUTCOMES, GAMMA, LONGEST = 20, 4, 3, 0.9, 250
EPISODES = {"quick": 4_000, "full": 40_000}
BOUNDS = (
    Bound(of="deviation_exact", name=Text("exact deviation", "厳密なずれ"), most=1e-9),
    Bound(
        of="deviation_simulated_se",
        name=Text(
            "deviation from simulation (standard errors)", "シミュレーションとのずれ (標準誤差)"
        ),
        most=1.7,
    ),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    from shinso.claims.acting_worlds import policy_values, random_world

    world = random_world(seed, STATES, ACTIONS, OUTCOMES)
    rng = np.random.default_rng([seed, 1])
    policy = rng.dirichlet(np.ones(ACTIONS), size=STATES)
    q = _action_values(world, policy)
    weights = np.full_like(policy, 1 / ACTIONS) if control else policy
    values = (weights * q).sum(axis=1)
    means, errors = _simulated(world, policy, EPISODES[profile], rng)
    solved = policy_values(world, policy, GAMMA)
    z = (values - means) / errors
    return {
        "deviation_exact": float(np.abs(values - solved).max()),
        "deviation_simulated_se": float(np.sqrt((z**2).mean())),
        "values": values.tolist(),
        "means": means.tolist(),
    }


def _action_values(world: TransitionTable, policy):
    """Q solved from Q(s,a) = Σ p (r + γ Σ π(a′|s′) Q(s′,a′)), one equation a state and action."""
    import numpy as np

    count = STATES * ACTIONS
    matrix, rewards = np.zeros((count, count)), (world.chance * world.reward).sum(axis=2).ravel()
    for s in range(STATES):
        for a in range(ACTIONS):
            for k in range(OUTCOMES):
                if not world.terminated[s, a, k]:
                    after = world.following[s, a, k]
                    columns = slice(after * ACTIONS, (after + 1) * ACTIONS)
                    matrix[s * ACTIONS + a, columns] += world.chance[s, a, k] * policy[after]
    return np.linalg.solve(np.eye(count) - GAMMA * matrix, rewards).reshape(STATES, ACTIONS)


def _simulated(world: TransitionTable, policy, episodes: int, rng):
    """Mean return from every state, and its standard error. After 250 steps 0.9^250 < 1e-11 is left."""
    import numpy as np

    state = np.repeat(np.arange(STATES), episodes)
    totals, discount = np.zeros(len(state)), 1.0
    alive = np.arange(len(state))
    acts, ways = np.cumsum(policy, axis=1), np.cumsum(world.chance, axis=2)
    for _step in range(LONGEST):
        here = state[alive]
        action = (rng.random(len(here))[:, None] > acts[here][:, :-1]).sum(axis=1)
        way = (rng.random(len(here))[:, None] > ways[here, action][:, :-1]).sum(axis=1)
        totals[alive] += discount * world.reward[here, action, way]
        discount *= GAMMA
        state[alive] = world.following[here, action, way]
        alive = alive[~world.terminated[here, action, way]]
        if not len(alive):
            break
    by_state = totals.reshape(STATES, episodes)
    return by_state.mean(axis=1), by_state.std(axis=1, ddof=1) / np.sqrt(episodes)


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Σ π Q against the simulated value of every state."""
    from shinso.claims.drawing import SIDES, legend, spoken

    axes = figure.subplots()
    for found, (look, label) in zip((measurements, controls), SIDES, strict=True):
        for place, one in enumerate(found):
            axes.plot(
                curve(one, "means"), curve(one, "values"),
                **{**look, "linestyle": "none"}, markersize=4,
                label=spoken(label) if place == 0 else None,
            )  # fmt: skip
    low, high = axes.get_xlim()
    axes.plot([low, high], [low, high], color="0.4", linewidth=0.8)
    axes.set_xlabel(spoken(Text("V(s), simulated", "シミュレーションによる V(s)")))
    axes.set_ylabel("Σ π(a|s) Q(s,a)")
    legend(axes)
