"""REINFORCE's estimate of the gradient is unbiased, and it solves a task without a table of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, curve, within
from shinso.language import Text

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

PLACE = Text("Day 4, reinforcement learning: policy gradient", "4 日目 強化学習：方策勾配法")
SAYS = Text(
    "The policy can be learnt directly: the mean of Σ γᵗ G_t ∇log π(a_t|s_t) over episodes is the gradient of "
    "the expected return, and following it solves the task without a table of values.",
    "方策は直接学習できる。エピソードにわたる Σ γᵗ G_t ∇log π(a_t|s_t) の平均は期待収益の勾配であり、それに従えば"
    "価値の表なしで課題を解ける。",
)
TRUTH = None
METHOD = Text(
    "The corridor of 9 places (left end 1, right end 10, at most 20 steps, γ = 0.95), with a softmax policy over "
    "two actions a place. At a random policy the mean over 20,000 (quick) or 200,000 (full) episodes is compared "
    "with the exact gradient, differentiated automatically through the expected return, in standard errors; a "
    "parameter whose estimate is the same in every episode has none and is left out. Then 300 updates of 50 episodes; what the learnt policy still lacks of the best return.",
    "9 マスの通路 (左端 1、右端 10、最大 20 歩、γ = 0.95) と、各マス 2 行動の softmax 方策。ランダムな方策で、"
    "20,000 (quick) または 200,000 (full) エピソードの平均を、期待収益を自動微分した厳密な勾配と標準誤差を単位として"
    "比べる。推定値がどのエピソードでも同じパラメータには標準誤差がないので除く。次に 50 エピソードずつ 300 回更新し、学習した方策が最良の収益にどれだけ届かないかを測る。",
)
CONTROL = Text(
    "An action is credited with its next reward only, not with all that follow.",
    "行動に対し、その後のすべての報酬ではなく、直後の報酬だけを割り当てる。",
)
RULE = Text(
    "Holds if at every seed the root mean square deviation, over the parameters whose estimates scatter, is at "
    "most 2 standard errors (1 is expected) and at most 0.05 of the best return is lacking; does not hold "
    "otherwise; undecided if a number is not finite.",
    "すべてのシードで、推定値にばらつきのあるパラメータについてのずれの二乗平均平方根が 2 標準誤差以下 (期待値は 1)、"
    "かつ最良の収益に足りない割合が 0.05 以下なら成り立つ。そうでなければ成り立たない。有限でない数があれば判定できない。",
)
RULE_CHANGED = Text(
    "Changed on 2026-12-01: before, a standard error of 0 was replaced by 10⁻⁹, which made the control's "
    "deviation hundreds of millions of standard errors; now such parameters are left out.",
    "2026-12-01 に変更。以前は、0 の標準誤差を 10⁻⁹ で置き換えていたため、対照実験のずれが数億標準誤差になっていた。"
    "現在は、そのようなパラメータを除く。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 15.0, "full": 120.0}

LENGTH, START, NEAR, FAR, LONGEST, GAMMA = 9, 3, 1.0, 10.0, 20, 0.95
EPISODES = {"quick": 20_000, "full": 200_000}
UPDATES, BATCH, LR = 300, 50, 0.2
BOUNDS = (
    Bound(
        of="deviation_se",
        name=Text(
            "deviation from the exact gradient (standard errors)", "厳密な勾配とのずれ (標準誤差)"
        ),
        most=2.0,
    ),
    Bound(
        of="lacking_share",
        name=Text("lacking of the best return (share)", "最良の収益に足りない分 (割合)"),
        most=0.05,
    ),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    rng = np.random.default_rng(seed)
    theta = rng.normal(0, 0.5, (LENGTH, 2))
    exact = _exact_gradient(theta)
    parts = [
        _estimates(theta, 5_000, rng, next_only=control)
        for _part in range(EPISODES[profile] // 5_000)
    ]
    estimates = np.concatenate(parts)
    inside = slice(1, LENGTH - 1)  # no one ever acts at the ends
    errors = estimates.std(axis=0, ddof=1)[inside] / np.sqrt(len(estimates))
    scatters = errors > 0
    z = (estimates.mean(axis=0) - exact)[inside][scatters] / errors[scatters]
    learnt, returns = np.zeros((LENGTH, 2)), []
    best = FAR * GAMMA ** (LENGTH - 2 - START)
    for update in range(UPDATES):
        learnt += LR * _estimates(learnt, BATCH, rng, next_only=control).mean(axis=0)
        if update % 10 == 9:
            returns.append(_expected(learnt))
    return {
        "deviation_se": float(np.sqrt((z**2).mean())),
        "lacking_share": 1 - returns[-1] / best,
        "updates": [float(number) for number in range(10, UPDATES + 1, 10)],
        "returns": returns,
    }


def _estimates(theta: np.ndarray, episodes: int, rng: Any, *, next_only: bool) -> np.ndarray:
    """Σ_t γ^t G_t ∇log π(a_t|s_t) of each episode (Williams 1992), shape (episode, place, action)."""
    import numpy as np

    right = 1 / (1 + np.exp(theta[:, 0] - theta[:, 1]))
    place = np.full(episodes, START)
    alive = np.ones(episodes, bool)
    states, actions, rewards, acting = [], [], [], []
    for step in range(LONGEST):
        action = (rng.random(episodes) < right[place]).astype(int)
        after = place + 2 * action - 1
        reward = np.where(after == 0, NEAR, np.where(after == LENGTH - 1, FAR, 0.0))
        states.append(place)
        actions.append(action)
        rewards.append(np.where(alive, GAMMA**step * reward, 0.0))
        acting.append(alive)
        alive = alive & (after > 0) & (after < LENGTH - 1)
        place = np.where(alive, after, START)
    rows, later = np.arange(episodes), np.zeros(episodes)
    found = np.zeros((episodes, LENGTH, 2))
    for state, action, reward, there in zip(
        reversed(states), reversed(actions), reversed(rewards), reversed(acting), strict=True
    ):
        later = reward if next_only else later + reward
        credit = np.where(there, later, 0.0)
        chance = np.where(action == 1, right[state], 1 - right[state])
        # ∇ log softmax: 1 − π for the action taken, −(1 − π) for the other of two.
        found[rows, state, action] += credit * (1 - chance)
        found[rows, state, 1 - action] -= credit * (1 - chance)
    return found


def _expected(theta: np.ndarray) -> float:
    import torch

    return float(_expected_return(torch.tensor(theta)))


def _exact_gradient(theta: np.ndarray) -> np.ndarray:
    import torch

    parameters = torch.tensor(theta, requires_grad=True)
    (gradient,) = torch.autograd.grad(_expected_return(parameters), parameters)
    return gradient.numpy()


def _expected_return(theta: Any) -> Any:
    """The discounted return expected from the start, by backward induction over 20 steps."""
    import torch

    right = theta.softmax(1)[:, 1]
    values = torch.zeros(LENGTH, dtype=theta.dtype)
    for _step in range(LONGEST):
        leftward = torch.cat(
            [torch.zeros(1), torch.tensor([NEAR]), GAMMA * values[1:-2], torch.zeros(1)]
        )
        rightward = torch.cat(
            [torch.zeros(1), GAMMA * values[2:-1], torch.tensor([FAR]), torch.zeros(1)]
        )
        values = (1 - right) * leftward + right * rightward
        values = torch.cat([torch.zeros(1), values[1:-1], torch.zeros(1)])
    return values[START]


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The expected return over the updates."""
    from shinso.claims.drawing import curves

    axes = figure.subplots()
    curves(
        axes,
        curve(measurements[0], "updates") if measurements else [],
        [curve(m, "returns") for m in measurements],
        [curve(m, "returns") for m in controls],
        xlabel=Text("updates", "更新回数"),
        ylabel=Text("expected return", "期待収益"),
    )
    axes.axhline(FAR * GAMMA ** (LENGTH - 2 - START), color="0.4", linewidth=0.8)
