"""The policy network predicts moves better, the rollout policy is far faster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

PLACE = Text(
    "Day 4, AlphaGo: SL policy and rollout policy", "4 日目 AlphaGo：SL 方策とロールアウト方策"
)
SAYS = Text(
    "The supervised policy network predicts moves more accurately than the rollout policy, a linear softmax "
    "over small patterns, which in turn takes a small part of the time for a move.",
    "教師あり学習の方策ネットワークは、小パターンの線形ソフトマックスであるロールアウト方策より正確に着手を予測し、"
    "ロールアウト方策は 1 手にかかる時間がはるかに短い。",
)
TRUTH = None
METHOD = Text(
    "Both learn the moves of 240 bundled games on 7×7, the network in 100 (quick) or 800 (full) steps of 64 "
    "positions, the rollout policy in 100 or 400 of 128, and are asked about all moves of the 60 other games. "
    "Seconds of the processor: the network for one position at a time, its planes made before; the rollout "
    "policy in whole games from the empty board, rules included.",
    "両者が同梱の 7 路盤 240 局の着手を学習し (ネットワークは 64 局面ずつ 100 (quick) または 800 (full) ステップ、"
    "ロールアウト方策は 128 局面ずつ 100 または 400 ステップ)、残り 60 局の全着手を予測する。プロセッサ時間は、"
    "ネットワークは 1 局面ずつ (入力平面は作成済み)、ロールアウト方策は空の盤から終局までの対局 (ルールの処理を含む) で"
    "測る。",
)
CONTROL = Text(
    "The network sees nothing but the point itself: its convolutions are 1×1.",
    "ネットワークの畳み込みを 1×1 にし、その点以外を見えなくする。",
)
RULE = Text(
    "Holds if the 95 % interval over seeds of the difference in accuracy (network less rollout policy) "
    "lies above 0 and the network takes at least 20 times as long for a move at every seed; does not hold "
    "if the interval lies below 0, or the rollout policy is slower at any seed; otherwise undecided.",
    "正解率の差 (ネットワーク − ロールアウト方策) のシードにわたる 95 % 区間が 0 より上で、かつどのシードでも"
    "ネットワークの 1 手の時間がロールアウト方策の 20 倍以上なら成り立つ。区間が 0 より下か、ロールアウト方策のほうが"
    "遅いシードがあれば成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 5}
BUDGET_S = {"quick": 40.0, "full": 200.0}

STEPS = {"quick": 100, "full": 800}
PATTERN_STEPS = {"quick": 100, "full": 400}
TIMED = 100


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.go._policies import SIDE, imitate, learnt_policy
    from shinso.claims.sequence_training import seeded
    from shinso.models.go_policy import RolloutPolicy

    with seeded(seed):
        if control:
            network: nn.Module = _pointwise()
            imitate(network, seed, steps=STEPS[profile], lr=1e-2)
        else:
            network = learnt_policy(seed, steps=STEPS[profile])
        patterns = RolloutPolicy(RolloutPolicy.Config(), side=SIDE)
        imitate(patterns, seed, steps=PATTERN_STEPS[profile], lr=5e-2, batch=128)
        return {
            "network_top1": _accuracy(network, "planes"),
            "rollout_top1": _accuracy(patterns, "patterns"),
            "seconds_network": _network_seconds(network),
            "seconds_rollout": _rollout_seconds(patterns),
        }


def _pointwise() -> nn.Module:
    """As many layers of 1×1."""
    from torch import nn

    from shinso.claims.go._policies import FILTERS, SIDE
    from shinso.games.go_planes_numba import LEE_PLANES
    from shinso.models.go_policy import ConvolutionalPolicy

    policy = ConvolutionalPolicy(ConvolutionalPolicy.Config(filters=FILTERS, layers=2), side=SIDE)
    for number, inside in ((0, LEE_PLANES), (3, FILTERS)):
        policy.body[number] = nn.Conv2d(inside, FILTERS, 1, bias=False)
    return policy


def _accuracy(model: nn.Module, reads: str) -> float:
    import torch

    from shinso.claims.go._policies import moves_of

    model.eval()
    right = count = 0
    with torch.no_grad():
        for batch in moves_of("kept", reads).batches(256):  # type: ignore[arg-type]
            right += int((model(batch.inputs).argmax(1) == batch.actions).sum())
            count += len(batch.actions)
    return right / count


def _network_seconds(model: nn.Module) -> float:
    """Median of the processor's seconds for one position."""
    import statistics
    import time

    import numpy as np
    import torch

    from shinso.claims.go._policies import moves_of

    inputs = moves_of("kept", "planes").take(np.zeros(1, np.int64)).inputs
    model.eval()
    taken = []
    with torch.no_grad():
        for _ in range(TIMED):
            began = time.process_time()
            model(inputs)
            taken.append(time.process_time() - began)
    return statistics.median(taken)


def _rollout_seconds(model: nn.Module) -> float:
    """The processor's seconds for one move of whole games."""
    import time

    from shinso.claims.go._policies import RULES
    from shinso.games.go import Position
    from shinso.games.go_patterns_numba import first_forms
    from shinso.games.go_rollouts_numba import policy_games

    board, forms = Position.start(RULES).board, first_forms()
    weights = model.weights().numpy()  # type: ignore[operator]
    policy_games(board, 1, 1, forms, weights)
    began = time.process_time()
    moves = policy_games(board, TIMED, 2, forms, weights)[1]
    return (time.process_time() - began) / moves


def holds(measurements: Sequence[Measurement]) -> Finding:

    network, rollout = (column(measurements, f"{name}_top1") for name in ("network", "rollout"))
    lead = intervals.paired_difference(network, rollout)
    slow, fast = (column(measurements, f"seconds_{name}") for name in ("network", "rollout"))
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    ratio = intervals.geometric_mean(ratios)
    if lead.high < 0 or min(ratios) < 1:
        verdict = Verdict.REFUTED
    elif lead.low > 0 and min(ratios) >= 20:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.UNDECIDED
    count = len(measurements)
    means = [sum(one) / count for one in (network, rollout, slow, fast)]
    return Finding(
        verdict=verdict,
        because=Text(
            f"The network predicts {means[0]:.1%} of the moves in {means[2] * 1e6:.0f} µs each, the rollout "
            f"policy {means[1]:.1%} in {means[3] * 1e6:.1f} µs; the difference is {lead.value:+.1%} "
            f"({lead.low:+.1%} to {lead.high:+.1%}).",
            f"ネットワークは着手の {means[0]:.1%} を 1 手 {means[2] * 1e6:.0f} µs で、ロールアウト方策は "
            f"{means[1]:.1%} を {means[3] * 1e6:.1f} µs で予測する。差は {lead.value:+.1%} "
            f"({lead.low:+.1%}〜{lead.high:+.1%}) である。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "accuracy of the network less the rollout policy (share)",
                    "正解率の差、ネットワーク − ロールアウト方策 (割合)",
                ),
                lead,
                seeds=count,
            ),
            intervals.estimate(
                Text(
                    "time of the network over the rollout policy (ratio)",
                    "1 手の時間の比、ネットワーク ÷ ロールアウト方策 (倍)",
                ),
                ratio,
                seeds=count,
            ),
        ),
    )  # fmt: skip


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy of both, and the time of a move."""
    from shinso.claims.drawing import dots

    names = (Text("network", "ネットワーク"), Text("rollout policy", "ロールアウト方策"))
    left, right = figure.subplots(1, 2)
    for axes, keys, factor, label in (
        (left, ("network_top1", "rollout_top1"), 1.0, Text("moves predicted (share)", "予測できた着手 (割合)")),
        (right, ("seconds_network", "seconds_rollout"), 1e6, Text("time for a move (µs)", "1 手の時間 (µs)")),
    ):  # fmt: skip
        dots(
            axes,
            names,
            [[factor * value for value in column(measurements, key)] for key in keys],
            [[factor * value for value in column(controls, key)] for key in keys],
            ylabel=label,
        )
    right.set_yscale("log")
